"""What others are granted grants nobody else (§4): the smallest whole core, and two requests."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.hdl import Assert, Assume, Fragment
from amaranth.lib import data
from amaranth.lib.wiring import Component, In

from siommu.arch.formats import Cause, ContextRoot, DeviceWord0, Mode, Request, Size, TableEntry
from siommu.bus.axi import ReadData
from siommu.core import Core
from siommu.lib.contract import contracts

from .streams import TINY
from .temporal import assume_recorded

__all__ = ["DeviceProof", "FilesProof", "ProcessProof"]

CONTEXTS = 1 << 19      #: Page of the contexts of the stranger's device.
REQUESTS = 2


class Place(data.Struct):
    """What a read of the tables begins at: somewhere in the device directory; the stranger's entry
    there; its context."""

    directory: 1
    device: 1
    context: 1


class ReadsOfSlot(Component):
    """The reads that a walk slot has under way, two at most, which are answered in order.

    ``place`` is that of the read whose beats come now, and ``first`` says that none came yet.
    """

    asked: In(1)
    where: In(Place)
    beat: In(1)
    last: In(1)

    def __init__(self):
        super().__init__()
        self.some, self.first, self.place = Signal(), Signal(init=1), Signal(Place)

    def elaborate(self, platform):
        m = Module()
        count, behind, ends = Signal(range(3)), Signal(Place), self.beat & self.last
        m.d.comb += self.some.eq(count.any())
        m.d.sync += count.eq(count + self.asked - ends)
        with m.If(self.beat):
            m.d.sync += self.first.eq(self.last)
        with m.If(self.asked):
            m.d.sync += behind.eq(self.where)
        with m.If(ends & (count == 2)):
            m.d.sync += self.place.eq(behind)
        with m.Elif(self.asked & ((count == 0) | (ends & (count == 1)))):
            m.d.sync += self.place.eq(self.where)
        return m


class StrangersProof(Component):
    """Two requests of anybody for anything, at any time, and a memory that says at any time what it
    likes, with bus errors and bursts of any length, but for what a stranger has not got. The
    stranger, fixed but arbitrary, is never granted anything. Beats and reads are taken at once.

    ``reach``, one of ``REACHES``: shall be reached, so that a counterexample shows that it can be.
    """

    stranger: In(Request)
    valid: In(1)
    request: In(Request)
    recorded: In(1)
    r_valid: In(1)
    r: In(ReadData(TINY.axi_id_width, TINY.axi_data_width))

    REACHES = ("page of others", "stranger behind others")

    def __init__(self, reach=None):
        self._reach = reach
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        with contracts(False):
            core = Core(TINY)
            m.submodules.core = Fragment.get(core, platform)
        m.d.comb += [
            core.ar.ready.eq(1), core.settings.mode.eq(Mode.TRANSLATE),
            core.settings.ddt_log2.eq(16), core.settings.port_enable.eq(1),
            core.responses[0].ready.eq(1), core.faults.recorded.eq(self.recorded),
        ]
        assume_recorded(m, core.faults.fault.valid, self.recorded, TINY.port_depth)
        first, kept, stranger = Signal(init=1), Signal(Request), Signal(Request)
        m.d.comb += stranger.eq(Mux(first, self.stranger.as_value(), kept.as_value()))
        m.d.sync += [first.eq(0), kept.eq(stranger)]
        self._requests(m, core.requests[0], stranger)
        self._memory(m, core, stranger)
        response, answer = core.responses[0], core.responses[0].payload
        granted, strange, before = Signal(), answer.tag[0], Signal()
        m.d.comb += granted.eq(response.valid & (answer.cause == Cause.OK))
        m.d.sync += before.eq(before | granted)
        m.d.sync += Assert(~{
            None: granted & strange,
            "page of others": granted & (answer.size == Size.PAGE_4K),
            "stranger behind others": response.valid & strange & before,
        }[self._reach])
        return m

    def strange(self, request, stranger):
        """Whether ``request`` is the stranger's."""
        raise NotImplementedError

    def withhold(self, m, word, place, first):
        """Changes the ``word`` that a read of ``place`` answers with, the ``first`` or another one,
        if the stranger would have got something."""
        raise NotImplementedError

    def _requests(self, m, port, stranger):
        """Bit 0 of the tag says whether it is the stranger's."""
        sent = Signal(range(REQUESTS + 1))
        m.d.comb += [
            port.valid.eq(self.valid & (sent != REQUESTS)), port.payload.eq(self.request),
            port.payload.pages.eq(0), port.payload.tag.eq(self.strange(self.request, stranger)),
        ]
        m.d.sync += sent.eq(sent + (port.valid & port.ready))

    def _memory(self, m, core, stranger):
        """The answers to reads, without what the stranger has not got."""
        slots, asked, beat = [], core.ar.payload, core.r.payload
        where = Signal(Place)
        m.d.comb += [
            where.directory.eq(asked.addr[20:] == 0),
            where.device.eq(asked.addr[4:] == stranger.device),
            where.context.eq(asked.addr[5:] == Cat(stranger.pasid[:7], Const(CONTEXTS, 52))),
        ]
        for slot in range(TINY.walk_slots):
            m.submodules[f"slot_{slot}"] = reads = ReadsOfSlot()
            m.d.comb += [
                reads.asked.eq(core.ar.valid & (asked.id == slot)), reads.where.eq(where),
                reads.beat.eq(self.r_valid & core.r.ready & (self.r.id == slot)),
                reads.last.eq(self.r.last),
            ]
            slots.append(reads)
            m.d.sync += Assume(~(self.r_valid & (self.r.id == slot)) | reads.some)
        m.d.sync += Assume(self.r.id < TINY.walk_slots)
        place, first = (Array(getattr(each, name) for each in slots)[self.r.id[0]]
                        for name in ("place", "first"))
        m.d.comb += [core.r.valid.eq(self.r_valid), beat.eq(self.r)]
        self.withhold(m, beat.data, place, first)


class FilesProof(StrangersProof):
    """Whoever asks for files, while no entry is one of a file and no device bypasses: bit 10 of all
    words is 0, and bit 4 of the first word of what is read in the device directory."""

    def strange(self, request, stranger):
        return request.ft

    def withhold(self, m, word, place, first):
        m.d.comb += data.View(TableEntry, word).ft.eq(0)
        with m.If(place.directory & first):
            m.d.comb += data.View(DeviceWord0, word).sto_bypass.eq(0)


class DeviceProof(StrangersProof):
    """A device without an entry."""

    def strange(self, request, stranger):
        return request.device == stranger.device

    def withhold(self, m, word, place, first):
        with m.If(place.device):
            m.d.comb += data.View(DeviceWord0, word).v.eq(0)


class ProcessProof(StrangersProof):
    """A process without a context, of a device that has those of others."""

    def strange(self, request, stranger):
        return (request.device == stranger.device) & (request.pasid == stranger.pasid)

    def withhold(self, m, word, place, first):
        device = data.View(DeviceWord0, word)
        with m.If(place.device & first):    # which grants nobody everything
            m.d.comb += [device.mem_bypass.eq(0), device.sto_bypass.eq(0),
                         device.pdt_levels.eq(0), device.pdt_pfn.eq(CONTEXTS)]
        with m.If(place.context):
            m.d.comb += [data.View(ContextRoot, word).v.eq(0)]
