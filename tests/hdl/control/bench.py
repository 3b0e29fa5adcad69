"""The environment of the queues in memory: that of commands, and that of faults."""

from types import SimpleNamespace

from siommu.arch.config import Config
from siommu.arch.formats import FaultWord0
from siommu.arch.packing import pack
from siommu.bus.share import RECORDS_ID
from siommu.control.fault_queue import FaultQueue

from ...support.simulate import seeded, simulate
from ...support.write_slave import WriteSlave

__all__ = ["FaultBench", "QueueBench"]


class QueueBench:
    """A queue, its registers, and the memory that it writes to, cycle by cycle.

    A bench of one queue adds ``inputs`` (before each edge of the clock), ``outputs`` (after it) and
    ``took`` (see ``WriteSlave``).

    Parameters
    ----------
    dut
        Has ``registers``, ``aw``, ``w`` and ``b``.
    config : Config
    seed : str
        Of ``seeded``.
    pulses : tuple of str
        The members of ``registers`` that are 1 for one cycle.

    Attributes
    ----------
    ctx
        The simulator's context, within ``run``.
    now : int
        The number of the cycle.
    answer : int or None
        What the memory answered in the last cycle.
    pulses : dict
        Behind the last edge, by name.
    counts : SimpleNamespace
        How many there were of each since the beginning.
    """

    def __init__(self, dut, config, seed, pulses):
        self.dut, self.config, self.rng = dut, config, seeded(seed)
        self.writes = WriteSlave(dut, config.axi_data_width, self.rng, self.took)
        self.pulses, self.counts = {}, SimpleNamespace(**dict.fromkeys(pulses, 0))
        self.ctx, self.now, self.answer = None, 0, None

    def run(self, check, cycles):
        """Runs a test, a coroutine, within so many cycles."""
        async def bench(ctx):
            self.ctx = ctx
            await check()
        simulate(self.dut, bench, cycles=cycles)

    def set(self, **registers):
        """Sets registers that the queue reads."""
        for name, value in registers.items():
            self.ctx.set(getattr(self.dut.registers, name), value)

    def get(self, register):
        """A register that the queue writes."""
        return self.ctx.get(getattr(self.dut.registers, register))

    async def cycle(self):
        """One clock cycle of everybody."""
        self.inputs()
        self.answer = self.writes.cycle(self.ctx)
        await self.ctx.tick()
        self.now += 1
        self.pulses = {name: self.get(name) for name in vars(self.counts)}
        for name, pulse in self.pulses.items():
            setattr(self.counts, name, getattr(self.counts, name) + pulse)
        self.outputs()

    async def cycles(self, count):
        """So many of them."""
        for _ in range(count):
            await self.cycle()


class FaultBench(QueueBench):
    """A fault queue, whose records are checked as they are written, and whose ports are told.

    Attributes
    ----------
    faults, recorded : list of int
        For each port: how many faults came, and of how many it was told.
    lost : int
        Records that the counters were told of as lost.
    failed : callable
        Called for each record; true: its write fails.
    written : int
        Records that were on the bus.
    """

    WIDTHS = {"cause": 4, "disposition": 2, "write": 1, "ft": 1, "level": 3, "device": 16,
              "pasid": 20, "tag": 8, "addr": 64, "entry": 53}

    def __init__(self, seed, *, width=64, **config):
        config = Config(axi_data_width=width, **config)
        super().__init__(FaultQueue(config), config, f"fault_queue/{seed}",
                         ("record", "error", "overflow", "limited"))
        self.faults, self.recorded = [0] * config.ports, [0] * config.ports
        self.lost = self.written = 0
        self.failed = lambda: False
        self.told = 0               # of the ports, a bit each, behind the last edge
        self._fault = None

    def fault(self, *, port=None, quiet=0):
        """A random fault, of any port by default."""
        rng = self.rng
        return {**{name: rng.getrandbits(bits) for name, bits in self.WIDTHS.items()},
                "quiet": quiet, "port": rng.randrange(self.config.ports) if port is None else port}

    def words(self, fault, stamp):
        """The record of ``fault``, decided about in cycle ``stamp`` of the counter."""
        first = {name: value for name, value in fault.items()
                 if name not in ("addr", "entry", "quiet")}
        return [pack(FaultWord0, **first), fault["addr"], fault["entry"], stamp]

    def record(self, base, slot):
        """The words that are in the ring at page ``base``."""
        content = self.writes.read((base << 12) + 32 * slot, 32)
        return [int.from_bytes(content[at:at + 8], "little") for at in range(0, 32, 8)]

    def write_head(self, value):
        """FQ_HEAD is written, in this cycle."""
        self.set(head=value, head_written=1)

    async def cycle(self, fault=None):
        """One clock cycle, in which ``fault`` comes."""
        self._fault = fault
        await super().cycle()

    async def tell(self, *faults):
        """Faults, one in each cycle."""
        for fault in faults:
            await self.cycle(fault)

    def inputs(self):
        """The fault, if any."""
        fault = self._fault
        self.ctx.set(self.dut.fault.valid, fault is not None)
        if fault is not None:
            self.ctx.set(self.dut.fault.payload, fault)
            self.faults[fault["port"]] += 1

    def outputs(self):
        """Who is told, and what is lost."""
        self.set(head_written=0)
        self.lost += self.ctx.get(self.dut.lost)
        self.told = self.ctx.get(self.dut.recorded)
        assert self.told.bit_count() <= 1
        for port in range(self.config.ports):
            self.recorded[port] += self.told >> port & 1

    def took(self, address, content):
        """A burst is one record."""
        size = min(self.config.axi_bytes, 32)
        assert (address.id, address.len, 1 << address.size) == (RECORDS_ID, 32 // size - 1, size)
        assert address.addr % 32 == 0
        self.written += 1
        return int(self.failed())
