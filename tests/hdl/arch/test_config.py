import re

import pytest

from siommu.arch.config import PRESETS, BridgeConfig, Config, ConfigError


def test_default():
    config = Config()
    assert (config.device_ports, config.cpu_port, config.tlb_entries, config.walks,
            config.axi_data_width) == (2, True, 16, 8, 64)
    assert config.port_names == ("dev0", "dev1", "cpu")
    assert (config.l2_entries, config.walk_entries) == (1024, 256)
    assert (config.slots_of_a_port, config.walk_slots) == (10, 12)
    assert config.axi_id_width == 4
    assert PRESETS["default"] == config
    assert [preset.riscv_tables for preset in PRESETS.values()] == [False, True, True]


@pytest.mark.parametrize("changes, message", [
    ({"device_ports": 0}, "device_ports is 0; choose a number from 1 to 8"),
    ({"device_ports": 9}, "device_ports is 9; choose a number from 1 to 8"),
    ({"device_ports": "2"}, "device_ports is '2'; give a whole number from 1 to 8"),
    ({"cpu_port": 1}, "cpu_port is 1; give True or False"),
    ({"riscv_tables": 1}, "riscv_tables is 1; give True or False"),
    ({"port_depth": 5}, "port_depth is 5; choose one of 4, 8, 16, 32, 64, 128"),
    ({"tlb_entries": 33}, "tlb_entries is 33; choose one of 2, 4, 8, 16, 32, 64, 128, 256"),
    ({"device_entries": 0}, "device_entries is 0; choose a number from 1 to 64"),
    ({"context_entries": 65}, "context_entries is 65; choose a number from 1 to 64"),
    ({"l2_entries": 64}, "l2_entries is 64; choose one of 0, 128, 256, 512, 1024, 2048, 4096, "
     "8192, 16384"),
    ({"l2_entries": 1000}, "l2_entries is 1000; choose one of 0, 128, 256, 512, 1024, 2048, 4096, "
     "8192, 16384"),
    ({"walk_entries": 2}, "walk_entries is 2; choose one of 4, 8, 16, 32, 64, 128, 256, 512, 1024, "
     "2048, 4096"),
    ({"walks": 17}, "walks is 17; choose a number from 1 to 16"),
    ({"axi_data_width": 32}, "axi_data_width is 32; choose one of 64, 128, 256, 512"),
])
def test_refused(changes, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Config(**changes)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Config().with_(**changes)


def test_unknown_parameter():
    with pytest.raises(ConfigError, match="there is no parameter 'tlb'; choose among axi_data"):
        Config().with_(tlb=3)


def test_derived():
    config = Config(device_ports=8, cpu_port=False, walks=16, axi_data_width=512)
    assert config.ports == 8
    assert config.port_names == tuple(f"dev{i}" for i in range(8))
    assert config.walk_slots == 20 + 7, "every other port can have one beside a flood"
    assert config.axi_id_width == 5, "27 walk slots and the queues need more than 4 bits"
    for preset in PRESETS.values():
        assert preset.walk_slots < 1 << preset.axi_id_width
    assert config.axi_bytes == 64
    assert Config.summary("walks").startswith("Page-table walks in flight")


@pytest.mark.parametrize("changes, message", [
    ({"data_width": 32}, "data_width is 32; choose one of 64, 128, 256, 512"),
    ({"id_width": 0}, "id_width is 0; choose a number from 1 to 16"),
    ({"id_width": 17}, "id_width is 17; choose a number from 1 to 16"),
    ({"outstanding": 33}, "outstanding is 33; choose a number from 1 to 32"),
    ({"outstanding": True}, "outstanding is True; give a whole number from 1 to 32"),
])
def test_refused_bridge(changes, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        BridgeConfig(**changes)


def test_bridge():
    assert BridgeConfig() == BridgeConfig(data_width=64, id_width=4, outstanding=8)
    assert [BridgeConfig(outstanding=n).slot_bits for n in (1, 2, 3, 8, 9, 32)] == \
        [1, 1, 2, 3, 4, 5]
