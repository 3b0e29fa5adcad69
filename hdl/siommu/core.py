"""The core: the stages of the translation pipeline, wired together.

A request passes, one a cycle (the cycle is that after the handshake)::

    1  arbitrate   ports in turn; retries of a port take its turn; fills first
    2  compare     TLB tags
    3  select      index of the entry
    4  resolve     entry, run and permissions -> response; walk slots and contexts are compared
    5  act         misses only: join or take a walk slot (see ``miss``)

A hit's response is valid in cycle 5. No stage ever waits: an operation enters only with a credit
for its response and with room to wait if it misses.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .axi import ReadAddress, ReadData
from .bundles import SLOT_BITS, ContextInfo, DeviceInfo, Operation, Outcome
from .cache import ContextCache
from .choose import RoundRobin
from .config import Config
from .formats import DEVICE_BITS, PFN_BITS, Cause, Mode, Request, Response, Size
from .miss import MissUnit
from .ports import PortEgress, PortIngress
from .resolve import Resolver
from .tlb import Tlb, TlbFill
from .walker import ContextKey, TableWalker

__all__ = ["Core"]


class Core(wiring.Component):
    """Translation requests in, responses out, table reads to memory.

    Parameters
    ----------
    config : Config

    Members
    -------
    requests : Array of In(stream.Signature(Request)), one for each port
    responses : Array of Out(stream.Signature(Response))
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
    mode, check_ad, ddt_base, ddt_log2, port_enable, flush : In
        From the registers (§7).
    active : Out(ports)
        Ports that have requests outstanding.
    walking : Out(1)
        Walks are in flight.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "requests": In(stream.Signature(Request)).array(config.ports),
            "responses": Out(stream.Signature(Response)).array(config.ports),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
            "mode": In(2),
            "check_ad": In(1),
            "ddt_base": In(PFN_BITS),
            "ddt_log2": In(5),
            "port_enable": In(config.ports),
            "flush": In(1),
            "active": Out(config.ports),
            "walking": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.tlb = tlb = Tlb(config)
        m.submodules.miss = miss = MissUnit(config)
        m.submodules.walker = walker = TableWalker(config)
        m.submodules.resolver = resolver = Resolver()
        m.submodules.devices = devices = ContextCache(
            key=DEVICE_BITS, value=DeviceInfo, entries=config.device_entries)
        m.submodules.contexts = contexts = ContextCache(
            key=ContextKey, value=ContextInfo, entries=config.context_entries)

        ingresses, egresses = self._ports(m, miss, resolver)
        arbitrated = self._arbitrate(m, ingresses, egresses, miss)
        self._look_up(m, arbitrated, tlb, miss, resolver, egresses)
        self._walk(m, walker, miss, devices, contexts)
        m.d.comb += [
            tlb.flush.eq(self.flush), miss.flush.eq(self.flush),
            devices.flush.eq(self.flush), contexts.flush.eq(self.flush),
        ]
        return m

    def _ports(self, m, miss, resolver):
        """Both ends of every port."""
        config = self._config
        ingresses, egresses = [], []
        for index, name in enumerate(config.port_names):
            m.submodules[f"{name}_ingress"] = ingress = PortIngress(config.port_depth)
            m.submodules[f"{name}_egress"] = egress = PortEgress(config.port_depth)
            connect(m, wiring.flipped(self.requests[index]), ingress.port)
            connect(m, egress.port, wiring.flipped(self.responses[index]))
            m.d.comb += [
                ingress.enable.eq(self.port_enable[index]),
                egress.enable.eq(self.port_enable[index]),
                ingress.retired.eq(egress.retired),
                self.active[index].eq(ingress.active),
                egress.hit.payload.eq(resolver.beat),
                egress.miss.payload.eq(miss.beat.payload),
                egress.miss.valid.eq(miss.beat.valid & (miss.beat_port == index)),
            ]
            ingresses.append(ingress)
            egresses.append(egress)
        return ingresses, egresses

    def _arbitrate(self, m, ingresses, egresses, miss):
        """Stage 1: a fill, or the next port's retry or request, with a credit for its beat."""
        config = self._config
        m.submodules.turns = turns = RoundRobin(config.ports)
        out = {"valid": Signal(), "fill": Signal(), "slot": Signal(SLOT_BITS),
               "rights": Signal(TlbFill), "operation": Signal(Operation)}
        retry_for = Signal(config.ports)
        recent_fills = Signal(2)  # fills are three cycles apart
        fills = Signal()
        m.d.comb += miss.fill.ready.eq(~recent_fills.any())
        m.d.comb += fills.eq(miss.fill.valid & miss.fill.ready)
        m.d.sync += recent_fills.eq(Cat(fills, recent_fills))

        candidates = []
        for index, (ingress, egress) in enumerate(zip(ingresses, egresses)):
            candidate = Signal(Operation, name=f"candidate_{index}")
            admits, granted = Signal(name=f"admits_{index}"), Signal(name=f"granted_{index}")
            request = ingress.requests.payload
            m.d.comb += [
                # a continued operation may take a credit in this very cycle
                admits.eq(egress.credits > miss.continues[index]),
                miss.credits[index].eq(egress.credits != 0),
                retry_for[index].eq(miss.retry.valid & (miss.retry.payload.port == index)),
                turns.requests[index].eq(retry_for[index] | (ingress.requests.valid & admits)),
                granted.eq(turns.grant[index] & ~fills),
                ingress.requests.ready.eq(granted & ~retry_for[index]),
                egress.take.eq(miss.credit_taken[index]
                               + (ingress.requests.valid & ingress.requests.ready)),
            ]
            with m.If(retry_for[index]):
                m.d.comb += candidate.eq(miss.retry.payload)
            with m.Else():
                m.d.comb += candidate.port.eq(index)
                for name, _ in data.Layout.cast(Request):
                    m.d.comb += candidate[name].eq(request[name])
            candidates.append(candidate)
        m.d.comb += [
            turns.taken.eq(~fills),
            miss.retry.ready.eq((turns.grant & retry_for).any() & ~fills),
        ]

        chosen = Signal(Operation)
        with m.If(fills):
            key = miss.fill.payload.key
            m.d.comb += [
                chosen.ft.eq(key.ft), chosen.device.eq(key.device), chosen.pasid.eq(key.pasid),
                chosen.addr.eq(key.page << 12),
            ]
        with m.Else():
            for index, candidate in enumerate(candidates):
                with m.If(turns.grant[index]):
                    m.d.comb += chosen.eq(candidate)
        m.d.sync += [
            out["valid"].eq(turns.requests.any() & ~fills),
            out["fill"].eq(fills),
            out["slot"].eq(miss.fill.payload.slot),
            out["rights"].eq(miss.fill.payload.rights),
            out["operation"].eq(chosen),
        ]
        return out

    def _look_up(self, m, arbitrated, tlb, miss, resolver, egresses):
        """Stages 2 to 4: TLB, and the response or what is left over."""
        walks = self._config.walks
        compared = arbitrated["operation"]
        sign = compared.addr[56:]
        m.d.comb += [
            tlb.key.ft.eq(compared.ft),
            tlb.key.device.eq(compared.device),
            tlb.key.pasid.eq(compared.pasid),
            tlb.key.vpn.eq(compared.addr[12:57]),
            tlb.key.canonical.eq(sign.all() | ~sign.any()),
            tlb.write.eq(compared.write),
            tlb.fill.eq(arbitrated["fill"]),
            tlb.rights.eq(arbitrated["rights"]),
        ]

        # The operation beside the TLB's stages.
        selected, selected_valid = Signal(Operation), Signal()
        operation, valid = Signal(Operation), Signal()
        m.d.sync += [
            selected.eq(compared), selected_valid.eq(arbitrated["valid"]),
            operation.eq(selected), valid.eq(selected_valid),
        ]
        # The fill beside them, and for three cycles more: then every look-up that missed because
        # it compared too early has reached the walk slots.
        slot, filling = arbitrated["slot"], arbitrated["fill"]
        for stage in range(2, 6):
            later_slot = Signal(SLOT_BITS, name=f"fill_slot_{stage}")
            later = Signal(name=f"filling_{stage}")
            m.d.sync += [later_slot.eq(slot), later.eq(filling)]
            slot, filling = later_slot, later
            if stage == 3:
                stale = miss.stale.bit_select(slot[:max((walks - 1).bit_length(), 1)], 1)
                m.d.comb += tlb.commit.eq(~stale)
            if stage == 4:
                m.d.comb += miss.fill_slot.eq(slot)
                m.d.comb += tlb.page.eq(miss.fill_page)
        m.d.comb += miss.filled.eq(filling << slot)

        # Step 1 of §4, then the TLB.
        outcome = Signal(Outcome)
        answered = Signal()
        with m.Switch(self.mode):
            with m.Case(Mode.TRANSLATE):
                m.d.comb += [outcome.eq(tlb.outcome), answered.eq(tlb.hit)]
            with m.Case(Mode.BYPASS):
                m.d.comb += [outcome.size.eq(Size.BYPASS), outcome.read.eq(1),
                             outcome.write.eq(1), answered.eq(1)]
            with m.Default():
                m.d.comb += [outcome.cause.eq(Cause.CORE_OFF), answered.eq(1)]
        # What is left of a disabled port's requests ends here, unheard: its egress drops the beat.
        enabled = Signal()
        m.d.comb += enabled.eq((self.port_enable >> operation.port)[0])
        with m.If(~enabled):
            m.d.comb += [outcome.eq(Outcome.const({"cause": Cause.CORE_OFF})), answered.eq(1)]
        m.d.comb += [resolver.operation.eq(operation), resolver.outcome.eq(outcome)]
        for index, egress in enumerate(egresses):
            m.d.comb += egress.hit.valid.eq(valid & answered & (operation.port == index))

        left_over = miss.request.payload
        m.d.comb += [
            left_over.miss.eq(~answered),
            left_over.rest.eq(answered & resolver.more),
            left_over.operation.eq(operation),
            miss.request.valid.eq(valid & (~answered | resolver.more | operation.reserved)),
        ]
        with m.If(answered):
            m.d.comb += left_over.operation.eq(resolver.rest)
        m.d.comb += left_over.operation.reserved.eq(operation.reserved)

    def _walk(self, m, walker, miss, devices, contexts):
        """Misses to memory and back."""
        key = miss.request.payload.operation
        connect(m, miss.start, walker.start)
        connect(m, walker.ar, wiring.flipped(self.ar))
        connect(m, wiring.flipped(self.r), walker.r)
        m.d.comb += [
            walker.ddt_base.eq(self.ddt_base),
            walker.ddt_log2.eq(self.ddt_log2),
            walker.check_ad.eq(self.check_ad),
            walker.stale.eq(miss.stale),
            miss.finished.eq(walker.finished),
            miss.finished_slot.eq(walker.finished_slot),
            miss.outcome.eq(walker.outcome),
            self.walking.eq(miss.walking),

            devices.key.eq(key.device),
            miss.device_hit.eq(devices.hit),
            miss.device.eq(devices.value),
            devices.fill.eq(walker.device_fill),
            devices.fill_key.eq(walker.device_key),
            devices.fill_value.eq(walker.device),

            contexts.key.ft.eq(key.ft),
            contexts.key.device.eq(key.device),
            contexts.key.pasid.eq(key.pasid),
            miss.context_hit.eq(contexts.hit),
            miss.context.eq(contexts.value),
            contexts.fill.eq(walker.context_fill),
            contexts.fill_key.eq(walker.context_key),
            contexts.fill_value.eq(walker.context),
        ]
