"""The translating bridge (§9): nothing refused reaches memory, every burst gets its own answer, in
the order of its id, and the rules of AXI4 hold on both sides.

One burst is chosen, any one: it bears marks that no other has, so that it is known wherever it
comes out. What is proven of it holds for each.
"""

from amaranth.hdl import Array, Assert, Assume, C, Cat, Cover, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In

from siommu.arch.config import BridgeConfig
from siommu.arch.formats import Cause, Request
from siommu.bridge.bridge import AxiBridge
from siommu.bridge.channels import PAGE_BITS, Sourced
from siommu.bridge.request_share import RequestShare
from siommu.bus.axi import Resp

from .temporal import assert_stream, assume_stream

__all__ = ["BridgeReadsProof", "BridgeWritesProof", "RequestShareProof"]

#: A header as far as it is free: the bridge handles the other bits as it does these. ``page`` are
#: the lowest bits of the page, ``wide`` says 8 bytes a beat, else 4, and ``mark`` that it is the
#: chosen one.
Free = data.StructLayout({"id": 1, "offset": 12, "page": 2, "len": 2, "wide": 1, "burst": 2,
                          "mark": 1})
#: What the SIOMMU says, likewise.
Verdict = data.StructLayout({"slot": 1, "refused": 1, "offset": 1, "page": 2})

TINY = BridgeConfig(data_width=64, id_width=1, outstanding=2)
MARK = 15           #: AxQOS of the chosen burst
DEVICE = 0xFFFF     #: its device
OURS, OTHERS = 3, 1     #: data of the chosen burst, of the others


def send(m, free, addresses):
    """Joins the device's headers, as far as they are free, to the bridge's stream."""
    address, given = addresses.payload.address, free.payload
    m.d.comb += [
        addresses.valid.eq(free.valid), free.ready.eq(addresses.ready),
        address.id.eq(given.id), address.addr.eq(Cat(given.offset, given.page)),
        address.len.eq(given.len), address.size.eq(2 + given.wide),
        address.burst.eq(given.burst), address.qos.eq(Mux(given.mark, MARK, 0)),
        addresses.payload.device.eq(Mux(given.mark, DEVICE, 0)),
    ]
    assume_stream(m, free)


def answer(m, bridge, responds, verdict, write):
    """Joins the SIOMMU's answers, as far as they are free, to the bridge's port."""
    response = bridge.response.payload
    m.d.comb += [
        bridge.response.valid.eq(responds), response.last.eq(1),
        response.tag.eq(write << 7 | verdict.slot),
        response.cause.eq(Mux(verdict.refused, Cause.NOT_PRESENT, Cause.OK)),
        response.addr.eq(Cat(verdict.offset, C(0, 11), verdict.page)),
    ]


def legal(address):
    """Whether AXI4 allows a burst on this bus (IHI 0022, A3.4.1), counted in bytes."""
    size, offset, beats = address.size, address.addr[:12], address.len + 1
    within_a_beat = (1 << size) - 1
    end = (offset & ~within_a_beat)[:12] + (beats << size)
    rounds = Cat(beats == each for each in (2, 4, 8, 16)).any()
    return (size <= 3) & Array([        # FIXED, INCR, WRAP, reserved
        beats <= 16, end <= 4096, rounds & ~(offset & within_a_beat).any(), C(0, 1)])[address.burst]


def taken(stream):
    """Whether an offer is taken in this cycle."""
    return stream.valid & stream.ready


class Chosen:
    """What is known of the chosen burst: registers that the proofs read.

    Attributes
    ----------
    accepted, asked, answered, granted : Signal
        What has happened to it so far.
    payload, page : Signal
        As the device sent it; as the SIOMMU translated it.
    ahead : Signal
        Bursts of its id before it that are owed an answer.
    owed : Array of Signal
        By id, the bursts that are owed one.
    """

    def __init__(self, m, bridge, addresses, answer_ends, answer_id, write):
        address = addresses.payload.address
        self.accepted, self.asked, self.answered, self.granted = (
            Signal(name=name) for name in ("accepted", "asked", "answered", "granted"))
        self.payload, self.page = Signal(Sourced(1), name="sent"), Signal(PAGE_BITS, name="page")
        self.ahead = Signal(4, name="ahead")
        self.owed = Array(Signal(4, name=f"owed_{id_}") for id_ in range(2))
        comes = Signal()
        m.d.comb += comes.eq(taken(addresses) & (address.qos == MARK))
        m.d.sync += Assume(~addresses.valid | (address.qos != MARK) | ~self.accepted)
        for id_, owed in enumerate(self.owed):
            m.d.sync += owed.eq(owed + (taken(addresses) & (address.id == id_))
                                - (answer_ends & (answer_id == id_)))
        same = answer_ends & (answer_id == Mux(comes, address.id, self.payload.address.id))
        with m.If(comes):
            m.d.sync += [self.accepted.eq(1), self.payload.eq(addresses.payload),
                         self.ahead.eq(self.owed[address.id] - same)]
        with m.Elif(same & self.ahead.any()):
            m.d.sync += self.ahead.eq(self.ahead - 1)
        self._follow_request(m, bridge, write)

    def _follow_request(self, m, bridge, write):
        """Asks, and is answered: only what is under way, once."""
        request, response = bridge.request, bridge.response
        slot, tag = Signal(range(TINY.outstanding)), Signal(8)
        under_way = Signal(TINY.outstanding)
        m.d.comb += slot.eq(response.payload.tag)
        ours = taken(request) & (request.payload.device == DEVICE)
        m.d.sync += Assume(~response.valid | under_way.bit_select(slot, 1))
        with m.If(taken(response)):
            m.d.sync += under_way.bit_select(slot, 1).eq(0)
        with m.If(taken(request)):
            m.d.sync += [under_way.bit_select(request.payload.tag[:1], 1).eq(1),
                         Assert(~under_way.bit_select(request.payload.tag[:1], 1)),
                         Assert(request.payload.write == write), Assert(request.payload.ft == 0),
                         Assert(request.payload.pages == 0)]
        with m.If(ours):
            m.d.sync += [self.asked.eq(1), tag.eq(request.payload.tag), Assert(self.accepted),
                         Assert(legal(self.payload.address)),
                         Assert(request.payload.addr == self.payload.address.addr),
                         Assert(request.payload.pasid == self.payload.pasid)]
        with m.If(taken(response) & self.asked & ~self.answered & (response.payload.tag == tag)):
            m.d.sync += [self.answered.eq(1), self.page.eq(response.payload.addr[12:]),
                         self.granted.eq(response.payload.cause == Cause.OK)]

    def check_address(self, m, address):
        """On its way to memory: it was granted, it is translated, and all else is as it was."""
        sent = self.payload.address
        went = Signal()
        ours = address.valid & (address.payload.qos == MARK)
        with m.If(ours):
            m.d.sync += [
                Assert(self.answered & self.granted & ~went),
                Assert(address.payload.addr == Cat(sent.addr[:12], self.page)),
                *(Assert(address.payload[name] == sent[name])
                  for name in ("id", "len", "size", "burst", "lock", "cache", "prot", "region")),
                Assert(legal(sent)),
            ]
        with m.If(ours & address.ready):
            m.d.sync += went.eq(1)
        return went | (ours & address.ready)


class BridgeReadsProof(Component):
    """Reads, with a free device, SIOMMU and memory. Memory answers what it was asked for, in any
    order of ids, with errors; bursts other than the chosen one may have any number of beats."""

    s_ar: In(stream.Signature(Free))
    responds: In(1)
    response: In(Verdict)
    m_r: In(stream.Signature(data.StructLayout({"id": 1, "last": 1, "resp": 2})))
    request_ready: In(1)
    m_ar_ready: In(1)
    s_r_ready: In(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = AxiBridge(TINY)
        m.d.comb += [
            bridge.m_r.valid.eq(self.m_r.valid), self.m_r.ready.eq(bridge.m_r.ready),
            bridge.m_r.payload.id.eq(self.m_r.payload.id),
            bridge.m_r.payload.last.eq(self.m_r.payload.last),
            bridge.m_r.payload.resp.eq(self.m_r.payload.resp),
            bridge.request.ready.eq(self.request_ready), bridge.m_ar.ready.eq(self.m_ar_ready),
            bridge.s_r.ready.eq(self.s_r_ready),
        ]
        send(m, self.s_ar, bridge.s_ar)
        answer(m, bridge, self.responds, self.response, 0)
        assume_stream(m, self.m_r)
        for offered in (bridge.request, bridge.m_ar, bridge.s_r):
            assert_stream(m, offered)
        m.d.sync += [Assert(bridge.response.ready), Assert(~bridge.m_aw.valid),
                     Assert(~bridge.m_w.valid), Assert(~bridge.s_b.valid)]
        beat = bridge.s_r.payload
        chosen = Chosen(m, bridge, bridge.s_ar, taken(bridge.s_r) & beat.last, beat.id, 0)
        went = chosen.check_address(m, bridge.m_ar)
        self._answers(m, bridge, chosen, went, self._memory(m, bridge, chosen))
        return m

    def _memory(self, m, bridge, chosen):
        """Answers bursts that it has; those of one id in their order. What it says of the chosen
        one's beats, this cycle's included."""
        counts = Array(Signal(4, name=f"in_memory_{id_}") for id_ in range(2))
        ahead, inside, beat = Signal(4), Signal(), Signal(3)
        address, answer = bridge.m_ar.payload, self.m_r.payload
        ends = taken(bridge.m_r) & answer.last
        for id_, count in enumerate(counts):
            m.d.sync += count.eq(count + (taken(bridge.m_ar) & (address.id == id_))
                                 - (ends & (answer.id == id_)))
        m.d.sync += Assume(~self.m_r.valid | counts[answer.id].any())
        enters = taken(bridge.m_ar) & (address.qos == MARK)
        sent = chosen.payload.address
        same = ends & (answer.id == sent.id)
        ours = inside & (answer.id == sent.id) & (ahead == 0)
        m.d.comb += bridge.m_r.payload.data.eq(Mux(ours, OURS, OTHERS))
        m.d.sync += Assume(~self.m_r.valid | ~ours | (answer.last == (beat == sent.len)))
        with m.If(enters):
            m.d.sync += [inside.eq(1), ahead.eq(counts[sent.id] - same)]
        with m.Elif(same & ahead.any()):
            m.d.sync += ahead.eq(ahead - 1)
        with m.Elif(ours & taken(bridge.m_r)):
            m.d.sync += [beat.eq(beat + 1), inside.eq(~answer.last)]
        said = []
        for index in range(4):
            before, now = (Signal(2, name=f"{name}_{index}") for name in ("said", "says"))
            comes = self.m_r.valid & ours & (beat == index)
            m.d.comb += now.eq(Mux(comes, answer.resp, before))
            m.d.sync += before.eq(now)
            said.append(now)
        return Array(said)

    def _answers(self, m, bridge, chosen, went, said):
        answer, beat, over = bridge.s_r.payload, Signal(3), Signal()
        sent = chosen.payload.address
        ours = bridge.s_r.valid & chosen.accepted & ~over & (answer.id == sent.id) & (
            chosen.ahead == 0)
        with m.If(bridge.s_r.valid):
            m.d.sync += [Assert(chosen.owed[answer.id].any()),
                         Assert((answer.data == OURS) == (ours & chosen.granted))]
        with m.If(ours):
            m.d.sync += [
                Assert(answer.last == (beat == sent.len)),
                Assert(went == chosen.granted),
                Assert(answer.resp == Mux(chosen.granted, said[beat[:2]], Resp.SLVERR.value)),
                Assert(answer.data == Mux(chosen.granted, OURS, 0)),
            ]
        with m.If(ours & bridge.s_r.ready):
            m.d.sync += [beat.eq(beat + 1), over.eq(answer.last)]
        m.d.sync += Cover(ours & answer.last & chosen.granted & (sent.len == 1) & answer.resp[1])
        m.d.sync += Cover(ours & answer.last & chosen.answered & ~chosen.granted & (sent.len == 1))
        m.d.sync += Cover(over & bridge.s_r.valid & bridge.fault)


class BridgeWritesProof(Component):
    """Writes, with a free device, SIOMMU and memory; the device's WLAST is free as well. Up to four
    bursts, whose lengths are known in advance, so that data may come before their address."""

    s_aw: In(stream.Signature(Free))
    s_w: In(stream.Signature(data.StructLayout({"ours": 1, "last": 1})))
    responds: In(1)
    response: In(Verdict)
    m_b: In(stream.Signature(data.StructLayout({"id": 1, "resp": 2})))
    request_ready: In(1)
    m_aw_ready: In(1)
    m_w_ready: In(1)
    s_b_ready: In(1)
    lengths: In(8)          #: AWLEN of four bursts, two bits each
    number: In(2)           #: which of them is the chosen one

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = AxiBridge(TINY)
        m.d.comb += [
            bridge.s_w.valid.eq(self.s_w.valid), self.s_w.ready.eq(bridge.s_w.ready),
            bridge.s_w.payload.data.eq(Mux(self.s_w.payload.ours, OURS, OTHERS)),
            bridge.s_w.payload.last.eq(self.s_w.payload.last),
            bridge.m_b.valid.eq(self.m_b.valid), self.m_b.ready.eq(bridge.m_b.ready),
            bridge.m_b.payload.id.eq(self.m_b.payload.id),
            bridge.m_b.payload.resp.eq(self.m_b.payload.resp),
            bridge.request.ready.eq(self.request_ready), bridge.m_aw.ready.eq(self.m_aw_ready),
            bridge.m_w.ready.eq(self.m_w_ready), bridge.s_b.ready.eq(self.s_b_ready),
        ]
        send(m, self.s_aw, bridge.s_aw)
        answer(m, bridge, self.responds, self.response, 1)
        assume_stream(m, self.s_w)
        assume_stream(m, self.m_b)
        for offered in (bridge.request, bridge.m_aw, bridge.m_w, bridge.s_b):
            assert_stream(m, offered)
        m.d.sync += [Assert(bridge.response.ready), Assert(~bridge.m_ar.valid),
                     Assert(~bridge.s_r.valid)]
        chosen = Chosen(m, bridge, bridge.s_aw, taken(bridge.s_b), bridge.s_b.payload.id, 1)
        went = chosen.check_address(m, bridge.m_aw)
        complete = self._device(m, bridge)
        said = self._memory(m, bridge, chosen)
        self._answers(m, bridge, chosen, went, complete, said)
        return m

    def _device(self, m, bridge):
        """Its bursts have their lengths, and data of the chosen one their mark. Whether all of
        these have been taken."""
        started, before = Signal(), Signal(10)
        fixed = Cat(self.lengths, self.number)
        m.d.sync += [started.eq(1), before.eq(fixed), Assume(~started | (fixed == before))]
        length = Array(self.lengths[low:low + 2] for low in (0, 2, 4, 6))
        bursts, beats, begin, end = Signal(3), Signal(5), Signal(5), Signal(5)
        first = 0
        for index in range(4):
            with m.If(self.number == index):
                m.d.comb += [begin.eq(first), end.eq(first + length[index] + 1)]
            first = first + length[index] + 1
        m.d.sync += [bursts.eq(bursts + taken(bridge.s_aw)), beats.eq(beats + taken(bridge.s_w))]
        m.d.sync += Assume(~self.s_aw.valid | ~bursts[2])
        m.d.sync += Assume(~self.s_aw.valid | (
            self.s_aw.payload.len == length[bursts[:2]]))
        m.d.sync += Assume(~self.s_aw.valid | (
            self.s_aw.payload.mark == (bursts == self.number)))
        m.d.sync += Assume(~self.s_w.valid | (beats < 16))
        m.d.sync += Assume(~self.s_w.valid | (
            self.s_w.payload.ours == ((beats >= begin) & (beats < end))))
        return beats >= end

    def _memory(self, m, bridge, chosen):
        """Answers each burst once it has its address and all of its data. What it says of the
        chosen one, this cycle included."""
        address, data = bridge.m_aw, bridge.m_w
        headers = Array(Signal(3, name=f"header_{index}") for index in range(4))   # AWLEN and id
        addressed, written, beat, done = Signal(3), Signal(3), Signal(2), Signal(3)
        credits = Array(Signal(3, name=f"complete_{id_}") for id_ in range(2))
        with m.If(taken(address)):
            m.d.sync += [addressed.eq(addressed + 1), headers[addressed[:2]].eq(
                Cat(address.payload.len[:2], address.payload.id))]
        length = Mux(written < addressed, headers[written[:2]][:2], address.payload.len[:2])
        with m.If(data.valid):
            m.d.sync += [Assert((written < addressed) | (
                (written == addressed) & address.valid)),
                Assert(data.payload.last == (beat == length)),
                Assert((data.payload.data != OURS) | (chosen.answered & chosen.granted))]
        with m.If(taken(data)):
            m.d.sync += beat.eq(Mux(data.payload.last, 0, beat + 1))
            m.d.sync += written.eq(written + data.payload.last)
        whole, id_ = (done < addressed) & (done < written), headers[done[:2]][2]
        m.d.sync += done.eq(done + whole)
        for own, credit in enumerate(credits):
            m.d.sync += credit.eq(credit + (whole & (id_ == own))
                                  - (taken(bridge.m_b) & (self.m_b.payload.id == own)))
        m.d.sync += Assume(~self.m_b.valid | credits[self.m_b.payload.id].any())
        return self._said(m, bridge, chosen)

    def _said(self, m, bridge, chosen):
        """Memory's answer to the chosen burst: those of an id come in the order of its addresses.
        """
        there = Array(Signal(3, name=f"there_{id_}") for id_ in range(2))
        ahead, inside, before, now = Signal(3), Signal(), Signal(2), Signal(2)
        address, answer = bridge.m_aw.payload, self.m_b.payload
        for id_, count in enumerate(there):
            m.d.sync += count.eq(count + (taken(bridge.m_aw) & (address.id == id_))
                                 - (taken(bridge.m_b) & (answer.id == id_)))
        sent = chosen.payload.address
        same = taken(bridge.m_b) & (answer.id == sent.id)
        ours = self.m_b.valid & inside & (answer.id == sent.id) & (ahead == 0)
        with m.If(taken(bridge.m_aw) & (address.qos == MARK)):
            m.d.sync += [inside.eq(1), ahead.eq(there[sent.id] - same)]
        with m.Elif(same & inside):
            m.d.sync += [inside.eq(ahead.any()), ahead.eq(ahead - ahead.any())]
        m.d.comb += now.eq(Mux(ours, answer.resp, before))
        m.d.sync += before.eq(now)
        return now

    def _answers(self, m, bridge, chosen, went, complete, said):
        answer, over = bridge.s_b.payload, Signal()
        ours = bridge.s_b.valid & chosen.accepted & ~over & (
            answer.id == chosen.payload.address.id) & (chosen.ahead == 0)
        with m.If(bridge.s_b.valid):
            m.d.sync += Assert(chosen.owed[answer.id].any())
        with m.If(ours):
            m.d.sync += [
                Assert(complete), Assert(went == chosen.granted),
                Assert(answer.resp == Mux(chosen.granted, said, Resp.SLVERR.value)),
            ]
        with m.If(ours & bridge.s_b.ready):
            m.d.sync += over.eq(1)
        sent = chosen.payload.address
        m.d.sync += Cover(ours & chosen.granted & (sent.len == 1) & answer.resp[1])
        m.d.sync += Cover(ours & chosen.answered & ~chosen.granted & (sent.len == 1))
        m.d.sync += Cover(over & bridge.s_b.valid & bridge.fault)


class RequestShareProof(Component):
    """Both directions ask at will: an offer stands, and is one of theirs."""

    reads: In(stream.Signature(Request))
    writes: In(stream.Signature(Request))
    ready: In(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.share = share = RequestShare()
        for ours, theirs in ((self.reads, share.reads), (self.writes, share.writes)):
            m.d.comb += [theirs.valid.eq(ours.valid), theirs.payload.eq(ours.payload),
                         ours.ready.eq(theirs.ready)]
            assume_stream(m, ours)
        m.d.comb += share.request.ready.eq(self.ready)
        assert_stream(m, share.request)
        read, write = taken(share.reads), taken(share.writes)
        m.d.sync += [
            Assert(~(read & write)), Assert((read | write) == taken(share.request)),
            Assert(~read | (share.request.payload.as_value() == self.reads.payload.as_value())),
            Assert(~write | (share.request.payload.as_value() == self.writes.payload.as_value())),
        ]
        # Nobody waits longer than one request of the other direction.
        passed = Array(Signal(2, name=f"passed_{name}") for name in ("read", "write"))
        for count, own, other, waits in ((passed[0], read, write, self.reads.valid),
                                         (passed[1], write, read, self.writes.valid)):
            m.d.sync += count.eq(Mux(waits & ~own, count + other, 0))
            m.d.sync += Assert(count < 2)
        m.d.sync += Cover(read & (passed[0] == 1))
        m.d.sync += Cover(write & (passed[1] == 1))
        return m
