"""The smallest whole core, with a port and a memory that a proof holds to as little as it can."""

from amaranth import Module, Signal
from amaranth.hdl import Assert, Assume, Fragment
from amaranth.lib.wiring import Component, In

from siommu.arch.formats import Mode, Request
from siommu.bus.axi import ReadData
from siommu.core import Core
from siommu.lib.contract import contracts

from .streams import TINY
from .temporal import assume_recorded

__all__ = ["ReadsOfSlot", "SmallestCore"]


class ReadsOfSlot(Component):
    """The reads that a walk slot has under way, two at most, which are answered in order.

    Parameters
    ----------
    shape : ShapeLike
        Of what is kept of a read, ``what``.

    Attributes
    ----------
    some : Signal(1)
        The slot has a read under way.
    now : Signal(shape)
        What is kept of the read whose beats come now.
    """

    def __init__(self, shape):
        super().__init__({"asked": In(1), "what": In(shape), "beat": In(1), "last": In(1)})
        self.some, self.now = Signal(), Signal(shape)

    def elaborate(self, platform):
        m = Module()
        count, behind = Signal(range(3)), Signal.like(self.now)
        ends = self.beat & self.last
        m.d.comb += self.some.eq(count.any())
        m.d.sync += count.eq(count + self.asked - ends)
        with m.If(self.asked):
            m.d.sync += behind.eq(self.what)
        with m.If(ends & (count == 2)):
            m.d.sync += self.now.eq(behind)
        with m.Elif(self.asked & ((count == 0) | (ends & (count == 1)))):
            m.d.sync += self.now.eq(self.what)
        return m


class SmallestCore(Component):
    """Requests of a page each, of anybody for anything, at any time, and a memory that says at any
    time what it likes. Beats and reads are taken at once, a fault is recorded some time later.

    ``valid``, ``request``: a request, if there was not the last one yet; ``check_ad``: CHECK_AD,
    which may change at any time; ``r_valid``, ``r``: the memory's answer; ``recorded``: a fault is
    in the fault queue.

    Parameters
    ----------
    requests : int
    reach : str or None
        One of ``REACHES``, what shall be reached, so that a counterexample shows that it can be;
        None for the proof itself.
    """

    valid: In(1)
    request: In(Request)
    check_ad: In(1)
    recorded: In(1)
    r_valid: In(1)
    r: In(ReadData(TINY.axi_id_width, TINY.axi_data_width))

    def __init__(self, requests, reach):
        self._requests, self._reach = requests, reach
        super().__init__()
        self.sent, self.unrecorded = Signal(range(requests + 1)), None

    def elaborate(self, platform):
        m = Module()
        with contracts(False):
            core = Core(TINY)
            m.submodules.core = Fragment.get(core, platform)
        port = core.requests[0]
        m.d.comb += [
            core.ar.ready.eq(1), core.settings.mode.eq(Mode.TRANSLATE),
            core.settings.check_ad.eq(self.check_ad), core.settings.ddt_log2.eq(16),
            core.settings.port_enable.eq(1),
            core.responses[0].ready.eq(1), core.faults.recorded.eq(self.recorded),
            core.r.valid.eq(self.r_valid), core.r.payload.eq(self.r),
            port.valid.eq(self.valid & (self.sent != self._requests)),
            port.payload.eq(self.request), port.payload.pages.eq(0),
        ]
        m.d.sync += self.sent.eq(self.sent + (port.valid & port.ready))
        self.unrecorded = assume_recorded(m, core.faults.fault.valid, self.recorded,
                                          TINY.port_depth)
        m.d.sync += Assert(self.watch(m, core)[self._reach])
        return m

    def watch(self, m, core):
        """Looks at the ``core``. Returns what is stated, by what is to be reached: that it never
        is, or, by None, what is proven."""
        raise NotImplementedError

    def reads(self, m, core, what):
        """The reads of each walk slot, as a list; ``what`` is kept of each. Memory answers those
        that there are."""
        slots = []
        m.d.sync += Assume(self.r.id < TINY.walk_slots)
        for slot in range(TINY.walk_slots):
            m.submodules[f"slot_{slot}"] = reads = ReadsOfSlot(what.shape())
            m.d.comb += [
                reads.asked.eq(core.ar.valid & (core.ar.payload.id == slot)),
                reads.what.eq(what), reads.last.eq(self.r.last),
                reads.beat.eq(self.r_valid & core.r.ready & (self.r.id == slot)),
            ]
            m.d.sync += Assume(~(self.r_valid & (self.r.id == slot)) | reads.some)
            slots.append(reads)
        return slots
