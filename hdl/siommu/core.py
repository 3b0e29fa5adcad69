"""The core: the stages of the translation pipeline, wired together.

An operation passes one stage a cycle (``pipeline/timetable.py``)::

    ARBITRATE  fills first; then the ports in turn, a port's retry before its next request;
               look-aheads; promotions when nothing else was there
    COMPARE    first-level tags │ address of the second level and of the walk cache
    SELECT     first-level entry│ (block RAM)
    ANSWER     entry -> response│
    MATCH                       │ second-level tags, walk cache, walk slots, contexts compared
    ACT …      what is not answered: ``miss/``

A first-level hit's response is valid in cycle 5, a second-level hit's in cycle 9. No stage ever
waits: an operation enters only with a credit for its response and with room to wait if it misses.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .arch.config import Config
from .arch.formats import DEVICE_BITS, PAGE_SHIFT, Request, Response
from .bus.axi import ReadAddress, ReadData
from .control.invalidate import Invalidator
from .lib.cover import covering
from .lib.structs import assign
from .miss.unit import MissUnit
from .pipeline.boundaries import PrefetchSource
from .pipeline.events import Revoked
from .pipeline.keys import ContextKey, line_key, region_key, tlb_key
from .pipeline.outside import CoreEvents, FaultSource, Revoker, Settings
from .pipeline.tables import ContextInfo, DeviceInfo
from .request.arbiter import Arbiter
from .request.ingress import PortIngress, SoftwareIngress
from .request.internal import Internal
from .response.egress import PortEgress, SoftwareEgress
from .response.first_exit import FirstExit
from .tlb.fill_tracker import FillTracker
from .tlb.first_level import FirstLevelTlb
from .tlb.lines import TableLines
from .tlb.promotions import Promotions
from .tlb.second_level import SecondLevelTlb
from .walk.context_cache import ContextCache
from .walk.walk_cache import WalkCache
from .walk.walker import TableWalker

__all__ = ["Core"]


class Core(wiring.Component):
    """Translation requests in, responses out, table reads to memory.

    Parameters
    ----------
    config : Config

    Members
    -------
    requests : Array of In(stream.Signature(Request)), one for each port, and one for software
    responses : Array of Out(stream.Signature(Response))
        Software has two requests outstanding at most, and takes its beats at once.
    ar : Out(stream.Signature(ReadAddress)), r : In(stream.Signature(ReadData))
    settings : In(Settings), revoker : In(Revoker), prefetch : In(PrefetchSource)
    active : Out(requesters)
        Ports that have requests outstanding; the last bit: software.
    walking : Out(1)
        Walks are in flight.
    faults : Out(FaultSource), events : Out(CoreEvents)
    stop : In(1)
        With ``fail_stop``: no port offers anything any more.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "requests": In(stream.Signature(Request)).array(config.requesters),
            "responses": Out(stream.Signature(Response)).array(config.requesters),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
            "settings": In(Settings(config)),
            "revoker": In(Revoker),
            "prefetch": In(PrefetchSource),
            "active": Out(config.requesters),
            "walking": Out(1),
            "faults": Out(FaultSource(config)),
            "events": Out(CoreEvents(config)),
            **({"stop": In(1)} if config.fail_stop else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config, settings = self._config, self.settings
        m.submodules.arbiter = arbiter = Arbiter(config)
        m.submodules.internal = internal = Internal(config)
        m.submodules.tlb = tlb = FirstLevelTlb(config)
        m.submodules.first_exit = first_exit = FirstExit(config)
        m.submodules.fill_tracker = tracker = FillTracker(config)
        m.submodules.promotions = promotions = Promotions(config)
        second = None
        if config.l2_entries:
            m.submodules.second_level = second = SecondLevelTlb(config)
        m.submodules.miss = miss = MissUnit(config)
        m.submodules.walker = walker = TableWalker(config)
        m.submodules.lines = lines = TableLines(config)
        m.submodules.walk_cache = regions = WalkCache(config)
        m.submodules.devices = devices = ContextCache(
            key=DEVICE_BITS, value=DeviceInfo, entries=config.device_entries)
        m.submodules.contexts = contexts = ContextCache(
            key=ContextKey, value=ContextInfo(config), entries=config.context_entries)
        m.submodules.invalidator = invalidator = Invalidator(config)

        # What knows walks in flight, or what a look-up said a while ago, forgets it at the
        # beginning of an invalidation, too.
        forget, enable = Signal(), Signal(config.requesters)
        m.d.comb += [
            forget.eq(settings.flush | invalidator.begins),
            enable.eq(Cat(settings.port_enable, 1)),        # software's is always open
            *(each.flush.eq(settings.flush)
              for each in (tlb, regions, devices, contexts, second) if each is not None),
            *(each.flush.eq(forget) for each in (miss, walker)),
            *(each.forget.eq(forget) for each in (internal, tracker, promotions)),
            *(each.port_enable.eq(enable) for each in (first_exit, miss)),
        ]
        self._ports(m, enable, arbiter, first_exit, miss)
        self._enter(m, arbiter, internal, lines, promotions, miss, invalidator)
        self._look_up(m, arbiter, internal, tlb, first_exit, tracker, miss)
        self._stores(m, arbiter, second, regions, first_exit, miss, lines)
        self._contexts(m, walker, devices, contexts, first_exit, miss)
        self._walk(m, walker, regions, lines, miss)
        self._invalidate(m, invalidator, tlb, [regions, second], devices, contexts, miss)
        self._tell(m, walker, first_exit, miss)
        if covering():
            m.d.comb += assign(walker.revoked, Revoked.of(
                settings.flush, invalidator.begins, self.revoker.invalidation.request))
        return m

    def _ports(self, m, enable, arbiter, first_exit, miss):
        """Both ends of every port."""
        config, marked = self._config, []
        for index, name in enumerate((*config.port_names, "software")):
            software = index == config.ports
            ingress = SoftwareIngress() if software else PortIngress(config.port_depth)
            egress = SoftwareEgress() if software else \
                PortEgress(config.port_depth, config.fail_stop)
            if config.fail_stop and not software:
                m.d.comb += egress.stop.eq(self.stop)
            m.submodules[f"{name}_ingress"], m.submodules[f"{name}_egress"] = ingress, egress
            connect(m, flipped(self.requests[index]), ingress.port)
            connect(m, egress.port, flipped(self.responses[index]))
            turn, answers, credits = arbiter.ports[index], miss.answers, egress.credits
            connect(m, ingress.requests, turn.request)
            m.d.comb += [
                ingress.enable.eq(enable[index]), egress.enable.eq(enable[index]),
                ingress.retired.eq(egress.retired), self.active[index].eq(ingress.active),
                egress.mark.set.eq(self.revoker.mark.set),
                egress.recorded.eq(0 if software else self.faults.recorded[index]),
                turn.stays.eq(ingress.stays), turn.admits.eq(credits.admits),
                turn.admits_another.eq(credits.admits_another), credits.begins.eq(turn.begins),
                credits.continues.eq(miss.credits.taken[index]),
                credits.rests.eq(miss.credits.rests[index]),
                miss.credits.some[index].eq(credits.some),
                egress.hit.valid.eq(first_exit.answers[index]),
                egress.hit.payload.eq(first_exit.beat),
                egress.listens.eq(first_exit.listens[index]),
                egress.miss.valid.eq(answers.beat.valid & (answers.port == index)),
                egress.miss.payload.eq(answers.beat.payload),
            ]
            marked.append(egress.mark.remains)
        m.d.comb += self.revoker.mark.remains.eq(Cat(marked).any())

    def _enter(self, m, arbiter, internal, lines, promotions, miss, invalidator):
        """What enters the pipeline."""
        connect(m, miss.reentry, arbiter.reentry)
        connect(m, internal.turn, arbiter.internal)
        connect(m, lines.fill, internal.fill)
        connect(m, promotions.request, internal.promotion)
        connect(m, miss.promotion, promotions.promotion)
        m.d.comb += [
            internal.cancelled.eq(promotions.cancelled),
            promotions.distrust.eq(invalidator.active), internal.step.eq(invalidator.asks),
            internal.invalidation.eq(self.revoker.invalidation.request),
            invalidator.taken.eq(internal.stepped),
        ]

    def _look_up(self, m, arbiter, internal, tlb, first_exit, tracker, miss):
        """COMPARE to MATCH: the first level, beside it operations and fills."""
        operation, fill = arbiter.operation, internal.sent
        connect(m, fill, tracker.fill)
        m.d.comb += [
            *assign(tlb.look_up.key, tlb_key(operation, operation.addr[PAGE_SHIFT:])),
            tlb.look_up.write.eq(operation.write), tlb.look_up.far_key.eq(arbiter.far_key),
            tlb.fill.valid.eq(fill.writes), tlb.fill.translation.eq(fill.grant.translation),
            tlb.fill.commit.eq(tracker.commit),
            tlb.drop.valid.eq(fill.valid & fill.grant.drops),
            tlb.drop.invalidation.eq(self.revoker.invalidation.request),
            first_exit.valid.eq(arbiter.valid), first_exit.operation.eq(operation),
            first_exit.mode.eq(self.settings.mode), first_exit.hit.eq(tlb.look_up.hit),
            first_exit.outcome.eq(tlb.look_up.outcome), first_exit.last.eq(tlb.look_up.last),
            miss.in_compare.eq(operation), miss.in_select.eq(first_exit.in_select),
            miss.look_up.eq(first_exit.look_up),
            tracker.stale.eq(miss.walks.stale), miss.filled.eq(tracker.filled),
        ]

    def _stores(self, m, arbiter, second, regions, first_exit, miss, lines):
        """The second level and the walk cache, whose look-ups begin in COMPARE."""
        operation, in_match = arbiter.operation, first_exit.look_up.operation
        page = operation.addr[PAGE_SHIFT:]
        m.d.comb += assign(regions.key, region_key(operation, page))
        if second is None:
            return
        look_up, answer = second.look_up, miss.second
        connect(m, lines.second_fill, second.fill)
        m.d.comb += [
            *assign(look_up.key, line_key(operation, page)),
            *assign(look_up.compared, line_key(in_match, in_match.addr[PAGE_SHIFT:])),
            look_up.page.eq(in_match.addr[PAGE_SHIFT:]), look_up.write.eq(in_match.write),
            look_up.skip.eq(in_match.skip_second_level),
            answer.hit.eq(look_up.hit), answer.way.eq(look_up.place),
            answer.outcome.eq(look_up.outcome), answer.damaged.eq(look_up.damaged),
        ]

    def _contexts(self, m, walker, devices, contexts, first_exit, miss):
        """The context caches, which are looked up in MATCH, and filled by the walker."""
        operation, upper = first_exit.look_up.operation, miss.upper
        connect(m, walker.device_fill, devices.fill)
        connect(m, walker.context_fill, contexts.fill)
        m.d.comb += [
            devices.key.eq(operation.device),
            upper.device_hit.eq(devices.hit), upper.device.eq(devices.value),
            contexts.key.ft.eq(operation.ft), contexts.key.device.eq(operation.device),
            contexts.key.pasid.eq(operation.pasid),
            upper.context_hit.eq(contexts.hit), upper.context.eq(contexts.value),
        ]

    def _walk(self, m, walker, regions, lines, miss):
        """Misses to memory, and what they find on its way to the TLBs: larger mappings as soon as
        they are found, 4 KiB leaves when the burst of their line is over."""
        walks, ended, settings = miss.walks, lines.granted.payload, self.settings
        connect(m, walks.start, walker.start)
        connect(m, walker.stepping, walks.stepping)
        connect(m, walker.restart, walks.restart)
        connect(m, walker.finished, walks.finished)
        connect(m, walker.region_fill, regions.fill)
        connect(m, lines.walk, miss.lines)
        connect(m, lines.measured, miss.measured)
        connect(m, walker.ar, flipped(self.ar))
        connect(m, flipped(self.r), walker.r)
        connect(m, flipped(self.prefetch), miss.prefetch)
        m.d.comb += [
            walker.ddt_base.eq(settings.ddt_base), walker.ddt_log2.eq(settings.ddt_log2),
            walker.check_ad.eq(settings.check_ad), walker.stale.eq(walks.stale),
            walks.reading.eq(walker.reading), self.walking.eq(miss.states.busy),
            miss.upper.region_hit.eq(regions.hit), miss.upper.region.eq(regions.info),
            miss.upper.region_way.eq(regions.place),

            lines.words.eq(walker.words), lines.stale.eq(walks.stale),
        ]
        m.d.sync += [
            lines.granted.valid.eq(walker.over.valid
                                   & (miss.states.granted >> walker.over.payload.slot)[0]),
            ended.eq(walker.over.payload),
        ]

    def _invalidate(self, m, invalidator, tlb, stores, devices, contexts, miss):
        """An invalidation: its steps, beside the look-ups."""
        control, asked = self.revoker.invalidation, self.revoker.invalidation.request
        stores = [store for store in stores if store is not None]
        m.d.comb += [
            invalidator.start.eq(control.start), invalidator.request.eq(asked),
            control.done.eq(invalidator.done), control.outdated.eq(miss.states.outdated),
            invalidator.arrives.eq(tlb.drop.valid),
            invalidator.scanning.eq(Cat(store.scan.busy for store in stores).any()),
            miss.distrust.active.eq(invalidator.active), miss.distrust.covered.eq(asked),
            # A device's entry has no PASID, so that a selected one does not matter.
            devices.drop.eq(invalidator.drop), devices.drop_key.eq(asked.device),
            devices.drop_by.eq(asked.by_device),
            contexts.drop.eq(invalidator.drop), contexts.drop_key.device.eq(asked.device),
            contexts.drop_key.pasid.eq(asked.pasid),
            contexts.drop_by.eq(Cat(0, asked.by_device, asked.by_pasid)),
        ]
        for store in stores:
            m.d.comb += [
                store.scan.valid.eq(tlb.drop.valid), store.scan.set.eq(invalidator.step),
                store.scan.natural.eq(invalidator.exact), store.invalidation.eq(asked),
            ]

    def _tell(self, m, walker, first_exit, miss):
        """What the fault queue and the counters hear."""
        events = self.events
        connect(m, miss.fault, flipped(self.faults.fault))
        m.d.comb += [
            events.first_hits.eq(first_exit.first_hit),
            events.second_hits.eq(miss.events.second_hits),
            events.missed.eq(miss.events.missed), events.waiting.eq(miss.events.waiting),
        ]
        m.d.sync += [
            events.walks.eq(walker.start.valid & walker.start.ready),
            events.table_reads.eq(walker.ar.valid & walker.ar.ready),
        ]
