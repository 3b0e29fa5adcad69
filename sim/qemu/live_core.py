"""The Verilated core in a running machine: clocked on demand, every answer judged."""

from dataclasses import dataclass

from ..host.control.offsets import Reg, bit
from ..model.lockstep import Difference, Lockstep
from .watch import Watch

__all__ = ["LiveCore", "PortTranslator"]


@dataclass
class _Asked:
    """A request that the core has not answered in full."""

    answer: object
    over: object
    dropped: bool = False


class LiveCore:
    """The core, its judge and those who wait for it.

    Parameters
    ----------
    core : Core
    memory : GuestMemory
        The guest's; its map must reach the core by ``Core.map``.
    scheduler : Scheduler

    Attributes
    ----------
    judge : Lockstep
    difference : (port, Access, list of Beat) or None
        The answer that stopped the run.
    """

    def __init__(self, core, memory, scheduler):
        self.judge = Lockstep()
        self.difference = None
        self._core = core
        self._scheduler = scheduler
        self._watch = Watch(core, memory, self.judge)
        self._asked = {}                # (port, tag) -> _Asked
        self._enabled = (1 << core.ports) - 1
        core.record()

    @property
    def cycles(self):
        """Cycles of the core."""
        return self._core.cycles

    @property
    def device_ports(self):
        """Ports for devices; the processor's is not one of them."""
        value, _ = self._core.read(Reg.CAPS0)
        return value & bit("CAPS0", "DEVICE_PORTS")

    @property
    def interrupts(self):
        """Interrupt lines that are high, as ``Core.interrupts``."""
        return self._core.interrupts

    # -- registers -----------------------------------------------------------------------------

    def register_read(self, offset):
        """(value, AXI response) of a 32-bit register that the guest reads."""
        value, response = self._core.read(offset)
        self._watch.has_read(offset, value)
        return value, response

    def register_write(self, offset, value, strobe=0xF):
        """The AXI response to the guest's write of a register."""
        begin = self._core.cycles
        response = self._core.write(offset, value, strobe)
        self._watch.written(offset, begin, response)
        if offset == Reg.PORT_ENABLE:
            self._ports_changed()
        return response

    def _ports_changed(self):
        enabled, _ = self._core.read(Reg.PORT_ENABLE)
        for port in range(self._core.ports):
            if self._enabled >> port & 1 and not enabled >> port & 1:
                self._drop(port)
        self._enabled = enabled

    def _drop(self, port):
        """What waits at a port is never answered (§7, PORT_ENABLE)."""
        self._collect()
        self._core.forget(port)
        for key in [key for key in self._asked if key[0] == port]:
            asked = self._asked.pop(key)
            asked.dropped = True
            asked.over.set()

    def reset(self):
        """Resets the core. Who waits for an answer gets none."""
        for port in range(self._core.ports):
            self._drop(port)
        self._core.reset()
        self._core.accesses()
        self._enabled = (1 << self._core.ports) - 1
        self._watch.reset()

    # -- requests ------------------------------------------------------------------------------

    async def translate(self, port, access):
        """The beats of ``access`` at ``port``, in order; none if the port is disabled meanwhile,
        as a device would give up after a time."""
        if not self._enabled >> port & 1:
            return []
        asked = _Asked(self.judge.asked(access, self._core.cycles), self._scheduler.event())
        if (port, access.tag) in self._asked:
            raise ValueError(f"tag {access.tag} is under way at port {port}")
        self._asked[port, access.tag] = asked
        self._core.submit(port, access)
        await asked.over.wait()
        return [] if asked.dropped else [beat for _, beat in asked.answer.beats]

    def clock(self, cycles):
        """Clocks exactly ``cycles`` cycles, and hands out the answers.

        Raises
        ------
        Difference
            An answer is not one of the golden model.
        """
        self._core.clock(cycles)
        self._settle()

    def run(self, limit):
        """Clocks while something is under way, at most ``limit`` cycles, and hands out the answers;
        returns the cycles, 0 when nothing is under way.

        Raises
        ------
        Difference
            An answer is not one of the golden model.
        """
        cycles = self._core.run(limit)
        if cycles:
            self._settle()
        return cycles

    def _settle(self):
        self._collect()
        self._watch.look()

    def _collect(self):
        """Tells the judge what happened since the last time, in its order: a beat rests on what was
        read until it came, and is bound by the fences that were stored before."""
        events = [(word.cycle, 2 if word.write else 0, word) for word in self._core.accesses()]
        for port in range(self._core.ports):
            events += [(cycle, 1, (port, beat)) for cycle, beat in self._core.collect(port)]
        for cycle, kind, what in sorted(events, key=lambda event: event[:2]):
            if kind == 1:
                self._hand_over(cycle, *what)
            elif kind == 2:
                self._watch.stored(what)
            else:
                self.judge.read([what])

    def _hand_over(self, cycle, port, beat):
        asked = self._asked.get((port, beat.tag))
        if asked is None:
            raise RuntimeError(f"the core answered a request that nobody sent, at port {port}: "
                               f"{beat}")
        self._judge(port, asked.answer, cycle, beat)
        if beat.last:
            del self._asked[port, beat.tag]
            asked.over.set()

    def _judge(self, port, answer, cycle, beat):
        try:
            answer.beat(cycle, beat)
        except Difference:
            self.difference = port, answer.access, [beat for _, beat in answer.beats]
            raise


class PortTranslator:
    """One port of the core, as a device asks it (``sim.model.translators``).

    Parameters
    ----------
    core : LiveCore
    port : int
    """

    def __init__(self, core, port):
        self._core = core
        self._port = port

    async def translate(self, access):
        """The beats of ``access``."""
        return await self._core.translate(self._port, access)
