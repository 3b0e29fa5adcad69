"""A decided burst leaves its slot: it goes to memory, or it is refused (§9)."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..lib.event import Event
from ..lib.payload import Payload
from .channels import ATTRIBUTES, Address, Decided, Refusal
from .in_memory import InMemory, group_bits

__all__ = ["Release"]


class Release(wiring.Component):
    """Hands a granted burst to memory with its translated address, and sets a refused one aside.

    One refused burst is set aside at a time, until it is answered. Answers of one id must keep
    their order, so it waits until memory has answered all earlier bursts of its id, and later ones
    of its id wait until it is answered. Those of other ids pass.

    A granted burst is offered in the cycle in which it is the oldest and decided; a refused one is
    set aside in that cycle, and its answer is due in the next at the earliest.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    oldest : In(stream.Signature(Decided))
    room : In(1)
        A burst may leave. Once it is set, it stays set until one does.
    address : Out(stream.Signature(Address))
        To memory. An offer does not wait for ``ready``, and stands until it is taken.
    refusal : Out(stream.Signature(Refusal))
        A refused burst whose answer is due. It is taken when all of its answer is handed over.
    refuses : Out(1)
        A burst is set aside in this cycle; never in two cycles in a row.
    ends : In(Event(id))
        Memory's last answer to a burst is handed over.
    """

    def __init__(self, config: BridgeConfig):
        self._config = config
        ids = config.id_width
        super().__init__({
            "oldest": In(stream.Signature(Decided(ids))), "room": In(1),
            "address": Out(stream.Signature(Address(ids))),
            "refusal": Out(stream.Signature(Refusal(ids))), "refuses": Out(1),
            "ends": In(Event(ids)),
        })

    def elaborate(self, platform):
        m = Module()
        bits = group_bits(self._config)
        m.submodules.in_memory = in_memory = InMemory(self._config)
        oldest, address, refusal = self.oldest, self.address, self.refusal
        header, granted = oldest.payload.header, oldest.payload.granted
        aside, waits = Signal(), Payload(Refusal(self._config.id_width), name="waits")
        may_pass, starts = Signal(), Signal()
        same = waits.id[:bits] == header.id[:bits]
        m.d.comb += [
            may_pass.eq(granted & self.room & ~in_memory.full & ~(aside & same)),
            address.valid.eq(oldest.valid & may_pass),
            starts.eq(address.valid & address.ready),
            self.refuses.eq(oldest.valid & ~granted & self.room & ~aside),
            oldest.ready.eq((may_pass & address.ready) | self.refuses),

            address.payload.id.eq(header.id),
            address.payload.addr.eq(Cat(header.offset, oldest.payload.page)),
            *(address.payload[name].eq(header[name]) for name in ATTRIBUTES),

            in_memory.starts.valid.eq(starts), in_memory.starts.payload.eq(header.id[:bits]),
            in_memory.ends.valid.eq(self.ends.valid),
            in_memory.ends.payload.eq(self.ends.payload[:bits]),
            in_memory.next.eq(header.id[:bits]), in_memory.refused.eq(waits.id[:bits]),
            refusal.valid.eq(aside & ~in_memory.some), refusal.payload.eq(waits),
        ]
        with m.If(self.refuses):
            m.d.sync += [aside.eq(1), waits.id.eq(header.id), waits.len.eq(header.len)]
        with m.Elif(refusal.valid & refusal.ready):
            m.d.sync += aside.eq(0)
        return m
