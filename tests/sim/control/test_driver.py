import pytest

from sim.control import RegisterControl
from sim.scheduler import Scheduler

CTRL, STATUS = 0x10, 0x14


class Core:
    """Registers that behave as §7 says; it is busy for ``busy`` readings after MODE = ABORT."""

    def __init__(self, busy=3):
        self.registers = {CTRL: 0b101, STATUS: 0b111}
        self.log = []
        self.busy = busy

    async def read(self, offset):
        if offset == STATUS and self.registers[CTRL] & 3 == 0:
            self.busy -= 1
            return 0b100 if self.busy < 0 else 0b110
        return self.registers[offset]

    async def write(self, offset, value):
        self.registers[offset] = value
        self.log.append((offset, value, self.busy))


def test_enable():
    core = Core()
    Scheduler().run(RegisterControl(core.read, core.write).enable(0x12_3456_7000, 9))
    assert [item[:2] for item in core.log] == [(CTRL, 0b100), (0x18, 0x34567000), (0x1C, 0x12),
                                               (0x20, 9), (CTRL, 0b101)]


def test_invalidate_waits_until_nothing_is_in_flight():
    core = Core()
    Scheduler().run(RegisterControl(core.read, core.write).invalidate())
    assert core.log == [(CTRL, 0b100, 3), (CTRL, 0b101, -1)]    # CHECK_AD stays


def test_a_hung_core_is_noticed():
    core = Core(busy=1 << 30)
    with pytest.raises(TimeoutError, match="after 50 readings"):
        Scheduler().run(RegisterControl(core.read, core.write, polls=50).invalidate())
    assert core.registers[CTRL] & 3 == 0                        # and stays off
