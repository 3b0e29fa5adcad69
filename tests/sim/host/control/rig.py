"""A driver over the model of the control plane, and a small world of tables."""

from sim.host.control import GoldenControlPlane, Reg, RegisterControl
from sim.memory import Memory
from sim.model.golden import Access, GoldenModel
from sim.model.translators import GoldenTranslator
from sim.tables import DeviceDirectory, PageTable, PasidDirectory
from sim.time.scheduler import Scheduler

__all__ = ["Rig"]

VA, PA = 0x7000_1234_5000, 0x2_0000_0000


class Rig:
    """Device 0x42 (DEVID 5) and PASID 3 with one mapped page, three ports, and a driver.

    ``log`` gets every register write as (offset, value).
    """

    def __init__(self, *, command_cycles=2, interrupts=True, **options):
        self.scheduler = Scheduler()
        self.memory = Memory()
        self.model = GoldenModel(self.memory)
        self.invalidated = []
        self.plane = GoldenControlPlane(self.scheduler, self.memory, self.model,
                                        command_cycles=command_cycles,
                                        invalidated=self.invalidated.append)
        self.ports = [GoldenTranslator(self.model, self.scheduler, 3, self.plane, port)
                      for port in range(3)]
        self.log = []
        platform = self.plane.platform
        write = platform.write

        async def logged(offset, value):
            self.log.append((offset, value))
            await write(offset, value)
        platform.write = logged
        if not interrupts:
            platform.wait_interrupt = None
        self.control = RegisterControl(self.scheduler, self.memory, platform, **options)
        self.devices = DeviceDirectory(self.memory)
        self.pasids = PasidDirectory(self.memory)
        self.table = PageTable(self.memory)
        self.table.map(VA, PA, write=False)
        self.pasids.set(3, mem=self.table)
        self.devices.set(0x42, devid=5, pasids=self.pasids)

    def run(self, work):
        """Runs ``work(self)`` with the core enabled; returns its result."""
        async def main():
            await self.control.enable(self.devices.base, self.devices.log2)
            return await work(self)
        return self.scheduler.run(main())

    async def ask(self, port=0, **fields):
        """Sends a request of one page through a port; returns the last beat."""
        access = Access(**{**dict(ft=0, write=0, device=0x42, pasid=3, addr=VA, pages=0), **fields})
        return (await self.ports[port].translate(access))[-1]

    def writes(self, offset):
        """The values written to a register so far."""
        return [value for where, value in self.log if where == offset]

    def count(self, name):
        """A counter of the model."""
        return self.plane._counts[name]

    def word(self):
        """What the last fence stored."""
        return int.from_bytes(self.memory.read(self.control.commands.word, 4), "little")

    async def until(self, condition, cycles=1000):
        """Waits until ``condition()`` holds."""
        for _ in range(cycles):
            if condition():
                return
            await self.scheduler.delay(1)
        raise AssertionError("what was waited for did not happen")

    def slot(self, index):
        """The two words of a slot of the command ring."""
        base = self.control.commands.base + 16 * index
        return self.memory.read_u64(base), self.memory.read_u64(base + 8)

    def register(self, offset):
        """The value of a register."""
        return self.plane.read(Reg(offset))[0]
