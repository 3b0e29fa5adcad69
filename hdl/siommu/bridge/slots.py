"""Where the bursts of one direction wait for their translations, in their order (§9)."""

from amaranth import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..lib.event import Event
from .admission import Admitted
from .channels import PAGE_BITS, Decided, Header

__all__ = ["Answer", "Slots"]


def Answer(config):     # noqa: N802 - a layout, like those of the channels
    """What the SIOMMU said about the burst in ``slot``."""
    return data.StructLayout({"slot": config.slot_bits, "granted": 1, "page": PAGE_BITS})


class Slots(wiring.Component):
    """A ring of bursts. Answers come in any order; bursts leave in the order in which they came.

    So bursts of one id keep their order, and the data of writes, which bear no id, keep that of
    their addresses. Headers and pages lie in LUT RAM; registers say of each slot whether it is
    decided, and how.

    Latency: a burst whose answer comes in cycle *n* is offered in *n* + 1, if it is the oldest one;
    its slot is free in the cycle after it has left.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    admit : In(Event(Admitted))
        A burst enters ``slot``. Only while there is ``room``.
    room : Out(1), slot : Out
        Whether a slot is free, and which one comes next.
    answer : In(Event(Answer))
        Once for each burst that entered without being refused.
    oldest : Out(stream.Signature(Decided))
        The oldest burst, when it is decided.
    """

    def __init__(self, config: BridgeConfig):
        self._config = config
        super().__init__({
            "admit": In(Event(Admitted(config.id_width))),
            "room": Out(1), "slot": Out(config.slot_bits),
            "answer": In(Event(Answer(config))),
            "oldest": Out(stream.Signature(Decided(config.id_width))),
        })

    def elaborate(self, platform):
        m = Module()
        bits = self._config.slot_bits
        rows = 1 << bits
        admit, answer, oldest = self.admit, self.answer, self.oldest
        m.submodules.headers = headers = memory.Memory(
            shape=Header(self._config.id_width), depth=rows, init=[])
        m.submodules.pages = pages = memory.Memory(shape=PAGE_BITS, depth=rows, init=[])
        header_in, header_out = headers.write_port(), headers.read_port(domain="comb")
        page_in, page_out = pages.write_port(), pages.read_port(domain="comb")
        head, tail, used = Signal(bits), Signal(bits), Signal(range(self._config.outstanding + 1))
        decided, granted, leaves = Signal(rows), Signal(rows), Signal()
        m.d.comb += [
            self.room.eq(used != self._config.outstanding), self.slot.eq(tail),
            header_in.addr.eq(tail), header_in.en.eq(admit.valid),
            header_in.data.eq(admit.payload.header),
            page_in.addr.eq(answer.payload.slot), page_in.en.eq(answer.valid),
            page_in.data.eq(answer.payload.page),
            header_out.addr.eq(head), page_out.addr.eq(head),
            oldest.valid.eq(decided.bit_select(head, 1)),
            oldest.payload.granted.eq(granted.bit_select(head, 1)),
            oldest.payload.header.eq(header_out.data), oldest.payload.page.eq(page_out.data),
            leaves.eq(oldest.valid & oldest.ready),
        ]
        m.d.sync += used.eq(used + admit.valid - leaves)
        with m.If(leaves):
            m.d.sync += [head.eq(head + 1), decided.bit_select(head, 1).eq(0)]
        with m.If(admit.valid):
            # An illegal burst is decided from the beginning. The others are not granted yet.
            m.d.sync += [tail.eq(tail + 1), granted.bit_select(tail, 1).eq(0),
                         decided.bit_select(tail, 1).eq(admit.payload.refused)]
        with m.If(answer.valid):
            m.d.sync += [decided.bit_select(answer.payload.slot, 1).eq(1),
                         granted.bit_select(answer.payload.slot, 1).eq(answer.payload.granted)]
        return m
