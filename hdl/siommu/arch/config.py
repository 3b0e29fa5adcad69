"""The configuration of a core: every size, validated where it is made."""

from dataclasses import dataclass, fields, replace

__all__ = ["BridgeConfig", "Config", "ConfigError", "PRESETS"]


class ConfigError(ValueError):
    """A configuration that cannot be built. The message says what to change."""


def _choice(name, value, choices):
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(map(str, choices))}")


def _between(name, value, low, high):
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; give a whole number from {low} to {high}")
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}; choose a number from {low} to {high}")


def _yes_or_no(name, value):
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; give True or False")


@dataclass(frozen=True)
class Config:
    """Parameters of one SIOMMU.

    Parameters
    ----------
    device_ports : int
        Device ports ``dev0`` … (1..8, §2.1).
    cpu_port : bool
        Whether the processor port ``cpu`` exists (§2.1).
    port_depth : int
        Requests that one port may have outstanding (a power of two, 4..128). A port that
        reaches it is not ready until one of its requests has been answered.
    tlb_entries : int
        Entries of the fully associative first-level TLB (a power of two, 2..256).
    device_entries : int
        Entries of the device-context cache (1..64).
    context_entries : int
        Entries of the PASID-context cache (1..64). One holds the table root of one address
        space and one FT.
    l2_entries : int
        Translations of the second-level TLB in block RAM (0 for none, else a power of two,
        128..16384). Eight neighbouring pages share a line.
    walk_entries : int
        Entries of the walk cache, each for 2 MiB of an address space (a power of two, 4..4096).
    walks : int
        Page-table walks in flight (1..16).
    axi_data_width : int
        Bits of ``m_axi_rdata`` and ``m_axi_wdata`` (64, 128, 256 or 512, §2.2).
    riscv_tables : bool
        Whether a memory table may be a RISC-V one: Sv39, Sv48, Sv57 (§3.4).
    fail_stop : bool
        Whether a flipped bit in a memory that answers depend on stops the core, until a reset
        (§2.4); answers are three cycles later.

    Raises
    ------
    ConfigError
        The configuration cannot be built.
    """

    device_ports: int = 2
    cpu_port: bool = True
    port_depth: int = 32
    tlb_entries: int = 16
    device_entries: int = 4
    context_entries: int = 8
    l2_entries: int = 1024
    walk_entries: int = 256
    walks: int = 8
    axi_data_width: int = 64
    riscv_tables: bool = True
    fail_stop: bool = False

    def __post_init__(self):
        _between("device_ports", self.device_ports, 1, 8)
        _yes_or_no("cpu_port", self.cpu_port)
        _choice("port_depth", self.port_depth, (4, 8, 16, 32, 64, 128))
        _choice("tlb_entries", self.tlb_entries, (2, 4, 8, 16, 32, 64, 128, 256))
        _between("device_entries", self.device_entries, 1, 64)
        _between("context_entries", self.context_entries, 1, 64)
        _choice("l2_entries", self.l2_entries, (0, *(1 << bits for bits in range(7, 15))))
        _choice("walk_entries", self.walk_entries, tuple(1 << bits for bits in range(2, 13)))
        _between("walks", self.walks, 1, 16)
        _choice("axi_data_width", self.axi_data_width, (64, 128, 256, 512))
        _yes_or_no("riscv_tables", self.riscv_tables)
        _yes_or_no("fail_stop", self.fail_stop)

    @classmethod
    def summary(cls, name):
        """One line about the parameter ``name``, from the documentation of this class."""
        lines = [line.strip() for line in cls.__doc__.splitlines()]
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{name} : "))
        text = ""
        for line in lines[start + 1:]:
            if " : " in line or not line:
                break
            text += " " + line
        return text.strip().split(". ")[0].rstrip(".")

    @property
    def ports(self):
        """Number of request ports: the devices, then the processor."""
        return self.device_ports + int(self.cpu_port)

    @property
    def requesters(self):
        """Who sends requests into the core: its ports, and software through its registers and
        commands (the last one)."""
        return self.ports + 1

    @property
    def port_names(self):
        """Prefixes of the request ports, in the order of their numbers (``dev0`` …, ``cpu``)."""
        names = tuple(f"dev{index}" for index in range(self.device_ports))
        return names + ("cpu",) if self.cpu_port else names

    @property
    def interrupts(self):
        """Names of the interrupt lines (§2.4)."""
        lines = ("irq_command", "irq_fault", "irq_counter")
        return (*lines, "irq_damage") if self.fail_stop else lines

    @property
    def slots_of_a_port(self):
        """Walk slots (MSHRs) that one port may hold: more than walks in flight, because a slot is
        held until what its walk found can be looked up."""
        return self.walks + max(1, self.walks // 4)

    @property
    def walk_slots(self):
        """Walk slots in all: while one port holds all it may, every other one can have one."""
        return self.slots_of_a_port + self.ports - 1

    @property
    def l2_ways(self):
        """Ways of the second-level TLB."""
        return 4

    @property
    def walk_cache_ways(self):
        """Ways of the walk cache."""
        return 2

    @property
    def axi_id_width(self):
        """Bits of the AXI ids: one id for every walk slot and one for the queues, at least 4."""
        return max(4, self.walk_slots.bit_length())

    @property
    def axi_bytes(self):
        """Bytes of one full AXI beat."""
        return self.axi_data_width // 8

    def with_(self, **changes):
        """A copy with some parameters changed, validated again."""
        known = {field.name for field in fields(self)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"there is no parameter {name!r}; "
                                  f"choose among {', '.join(sorted(known))}")
        return replace(self, **changes)


@dataclass(frozen=True)
class BridgeConfig:
    """Parameters of one translating bridge (§9).

    Parameters
    ----------
    data_width : int
        Bits of the data of both AXI sides (64, 128, 256 or 512).
    id_width : int
        Bits of the AXI ids of both sides (1..16).
    outstanding : int
        Translations under way in each direction (1..32).

    Raises
    ------
    ConfigError
        The bridge cannot be built.
    """

    data_width: int = 64
    id_width: int = 4
    outstanding: int = 8

    def __post_init__(self):
        _choice("data_width", self.data_width, (64, 128, 256, 512))
        _between("id_width", self.id_width, 1, 16)
        _between("outstanding", self.outstanding, 1, 32)

    @property
    def slot_bits(self):
        """Bits that number the translations under way in one direction."""
        return max((self.outstanding - 1).bit_length(), 1)


#: Named configurations, from the smallest useful one to the largest usual one.
PRESETS = {
    "small": Config(device_ports=1, cpu_port=False, port_depth=8, tlb_entries=8,
                    device_entries=1, context_entries=2, l2_entries=0, walk_entries=8, walks=2,
                    riscv_tables=False),
    "default": Config(),
    "large": Config(device_ports=4, port_depth=64, tlb_entries=32, device_entries=8,
                    context_entries=16, l2_entries=4096, walk_entries=512, walks=16,
                    axi_data_width=128),
}
