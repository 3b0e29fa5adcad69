"""ARBITRATE: which operation enters the pipeline.

The ports take turns, a port's retry before its next request; look-aheads have a turn of their own.
What the core itself sends goes before all of them (``internal.py``). The decision is made a cycle
ahead, because much hangs on it; an operation is let in only with a credit for its response.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..arch.formats import PAGE_SHIFT, Request
from ..lib.choose import RoundRobinAhead, one_of
from ..lib.cover import cover
from ..lib.payload import Payload
from ..lib.replica import inverted_copy
from ..lib.structs import assign
from ..pipeline.boundaries import Reentry
from ..pipeline.keys import TlbKey, tlb_key
from ..pipeline.operation import Operation
from ..tlb.entry import BANK

__all__ = ["Arbiter", "InternalTurn", "PortTurn"]

#: A port's side: its next ``request``; a request will be on offer in the next cycle even if one is
#: taken in this one (``stays``); credits for one more then, even if one is taken now. ``begins``:
#: the request is taken.
PortTurn = wiring.Signature({
    "request": Out(stream.Signature(Request)),
    "stays": Out(1),
    "admits": Out(1),
    "admits_another": Out(1),
    "begins": In(1),
})

#: The core's own side: it takes the next cycle (``begins``); it has this one (``comes``), for the
#: page of ``operation``; no other side wants the next cycle (``unwanted``).
InternalTurn = wiring.Signature({
    "begins": Out(1),
    "comes": Out(1),
    "operation": Out(Operation),
    "unwanted": In(1),
})


class Arbiter(wiring.Component):
    """Lets one operation a cycle in.

    Parameters
    ----------
    config : Config

    Members
    -------
    ports : Array of In(PortTurn)
    reentry : In(Reentry), internal : In(InternalTurn)
    valid : Out(1), operation : Out(Operation)
        In COMPARE. ``operation`` has the page of the core's own side, too, with ``valid`` unset.
    far_key : Out(TlbKey)
        The operation's key once more, from registers of its own, for the half of a large first
        level that is too far from the others.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "ports": In(PortTurn).array(config.requesters),
            "reentry": In(Reentry(config.requesters)),
            "internal": In(InternalTurn),
            "valid": Out(1),
            "operation": Out(Operation),
            "far_key": Out(TlbKey),
        })

    def elaborate(self, platform):
        m = Module()
        ports = self._config.requesters
        m.submodules.turns = turns = RoundRobinAhead(ports + 1)     # the last one: look-aheads
        wants_next = Signal(ports + 1)      # the next cycle
        heads, begin = zip(*(self._head(m, index, turns, wants_next) for index in range(ports)))
        # A copy of the grant moves the operations, the grant itself all else: one register would
        # be far from many of its readers.
        chosen = inverted_copy(m, turns.next, name="grant_n", init=0)
        look_aheads, retry = self.reentry.look_aheads, self.reentry.retry
        m.d.comb += [
            retry.operation.ready.eq((turns.grant & retry.port).any()),
            look_aheads.ready.eq(turns.grant[ports]),
            wants_next[ports].eq(look_aheads.valid & ~look_aheads.ready),
            turns.requests.eq(wants_next),
            turns.blocked.eq(self.internal.begins | self.reentry.pause),
            self.internal.unwanted.eq(self.reentry.pause | ~wants_next.any()),
        ]
        m.d.sync += self.valid.eq(turns.grant[:ports].any()
                                  | (turns.grant[ports] & look_aheads.valid))
        self._pass(m, chosen, heads)
        self._cover(m, wants_next, Cat(begin))
        return m

    def _cover(self, m, wants_next, begin):
        """What contends for a cycle; the core's own side has its covers with it."""
        ports, retries = wants_next[:-1], self.reentry.retry.next_port
        cover(m, (ports & (ports - 1)).any(), "arbitrate", "port", "another_port")
        cover(m, (begin & retries).any(), "arbitrate", "request", "retry_of_its_port")
        cover(m, wants_next[-1] & begin.any(), "arbitrate", "look_ahead", "request")
        cover(m, wants_next[-1] & retries.any(), "arbitrate", "look_ahead", "retry")
        cover(m, self.reentry.pause & ports.any(), "arbitrate", "owner_that_waited_long", "port")
        cover(m, self.internal.begins & wants_next[-1], "arbitrate", "internal", "look_ahead")

    def _head(self, m, index, turns, wants_next):
        """A port's next request as an operation; whether a request may begin in the next cycle.
        """
        port, retry = self.ports[index], self.reentry.retry
        head, granted = Signal(Operation, name=f"head_{index}"), Signal(name=f"granted_{index}")
        request = port.request.payload
        m.d.comb += [
            head.port.eq(index),
            *assign(head, {name: request[name] for name, _ in data.Layout.cast(Request)}),
            granted.eq(turns.grant[index] & ~retry.port[index]),
            port.request.ready.eq(granted), port.begins.eq(granted),
        ]
        may_begin = Mux(granted, port.stays & port.admits_another,
                        (port.stays | port.request.valid) & port.admits)
        m.d.comb += wants_next[index].eq(retry.next_port[index] | may_begin)
        return head, may_begin

    def _pass(self, m, chosen, heads):
        """The chosen operation, into COMPARE."""
        retry, internal = self.reentry.retry, self.internal
        retries = (chosen[:len(heads)] & retry.port).any()

        def passing(fields, ways, sources):
            return Mux(retries, fields(retry.operation.payload),
                       one_of(ways, [fields(source) for source in sources]))
        sources = [*heads, self.reentry.look_aheads.payload]
        looked_up = passing(_looked_up, [*chosen, internal.comes], [*sources, internal.operation])
        operation = Payload(Operation)
        m.d.comb += self.operation.eq(operation)
        m.d.sync += [
            _looked_up(operation).eq(looked_up),
            _not_looked_up(operation).eq(passing(_not_looked_up, chosen, sources)),
        ]
        if self._config.tlb_entries > BANK:
            far = Signal(Operation)     # a copy, for the same reason
            m.d.comb += [
                _looked_up(far).eq(inverted_copy(m, looked_up, name="looked_up_n")),
                *assign(self.far_key, tlb_key(far, far.addr[PAGE_SHIFT:])),
            ]


def _looked_up(operation):
    """The fields of an operation that the caches compare."""
    return Cat(operation.ft, operation.device, operation.pasid, operation.addr[PAGE_SHIFT:])


def _not_looked_up(operation):
    """All others."""
    looked_up = "ft", "device", "pasid", "addr"
    return Cat(operation.addr[:PAGE_SHIFT], *(
        operation[name] for name, _ in data.Layout.cast(Operation) if name not in looked_up))
