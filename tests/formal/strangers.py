"""What others are granted grants nobody else (§4): the smallest whole core, and two requests."""

from amaranth import Array, Cat, Const, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In

from siommu.arch.formats import Cause, ContextRoot, DeviceWord0, Request, Size, TableEntry

from .smallest import SmallestCore

__all__ = ["DeviceProof", "FilesProof", "ProcessProof"]

CONTEXTS = 1 << 19      #: Page of the contexts of the stranger's device.


class Place(data.Struct):
    """What a read of the tables begins at: somewhere in the device directory; the stranger's entry
    there; its context."""

    directory: 1
    device: 1
    context: 1


class StrangersProof(SmallestCore):
    """Two requests, and a memory with bus errors and bursts of any length, but without what a
    stranger has not got. The stranger, fixed but arbitrary, is never granted anything.
    """

    stranger: In(Request)

    REACHES = ("page of others", "stranger behind others")

    def __init__(self, reach=None):
        super().__init__(2, reach)

    def watch(self, m, core):
        first, kept, stranger = Signal(init=1), Signal(Request), Signal(Request)
        m.d.comb += stranger.eq(Mux(first, self.stranger.as_value(), kept.as_value()))
        m.d.sync += [first.eq(0), kept.eq(stranger)]
        # Bit 0 of the tag says whether it is the stranger's request.
        m.d.comb += core.requests[0].payload.tag.eq(self.strange(self.request, stranger))
        self._memory(m, core, stranger)
        response, answer = core.responses[0], core.responses[0].payload
        granted, strange, before = Signal(), answer.tag[0], Signal()
        m.d.comb += granted.eq(response.valid & (answer.cause == Cause.OK))
        m.d.sync += before.eq(before | granted)
        return {
            None: ~(granted & strange),
            "page of others": ~(granted & (answer.size == Size.PAGE_4K)),
            "stranger behind others": ~(response.valid & strange & before),
        }

    def strange(self, request, stranger):
        """Whether ``request`` is the stranger's."""
        raise NotImplementedError

    def withhold(self, m, word, place, first):
        """Changes the ``word`` that a read of ``place`` answers with, the ``first`` or another one,
        if the stranger would have got something."""
        raise NotImplementedError

    def _memory(self, m, core, stranger):
        """The answers to reads, without what the stranger has not got."""
        addr, where = core.ar.payload.addr, Signal(Place)
        m.d.comb += [
            where.directory.eq(addr[20:] == 0), where.device.eq(addr[4:] == stranger.device),
            where.context.eq(addr[5:] == Cat(stranger.pasid[:7], Const(CONTEXTS, 52))),
        ]
        slots = self.reads(m, core, where)
        firsts = Array(Signal(init=1, name=f"first_{slot}") for slot in range(len(slots)))
        for first, reads in zip(firsts, slots):
            with m.If(reads.beat):
                m.d.sync += first.eq(reads.last)
        slot = self.r.id[0]
        self.withhold(m, core.r.payload.data, Array(reads.now for reads in slots)[slot],
                      firsts[slot])


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
