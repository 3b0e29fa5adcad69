"""The core: the stages of the translation pipeline, wired together.

An operation passes one stage a cycle; stage 0 is the cycle of the request's handshake::

    1  arbitrate   fills first; then the ports in turn, a port's retry before its next request;
                   look-aheads; promotions when nothing else was there
    2  compare     first-level TLB tags │ index of the second-level TLB and of the walk cache
    3  select      entry                │ (block RAM)
    4  resolve     entry -> response    │ second-level tags, walk cache, slots, contexts compared
    5  act         what is not answered: second level, join or take a walk slot, wait (see ``miss``)
    8  resolve     second-level hits and walked operations -> response

A first-level hit's response is valid in cycle 5, a second-level hit's in cycle 9. No stage ever
waits: an operation enters only with a credit for its response and with room to wait if it misses.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from .arch.config import Config
from .arch.formats import (
    DEVICE_BITS,
    PAGE_SHIFT,
    PFN_BITS,
    VPN_BITS,
    Cause,
    Mode,
    Request,
    Response,
    Size,
)
from .bus.axi import ReadAddress, ReadData
from .control.invalidate import Invalidator
from .lib.choose import RoundRobinAhead, one_of
from .lib.payload import Payload
from .lib.structs import assign
from .miss.unit import MissUnit, waited
from .pipeline.events import FaultInfo, Invalidation, Prefetch
from .pipeline.grants import FillRequest, Outcome
from .pipeline.keys import ContextKey, WalkKey, line_key, region_key, tlb_key, walk_key
from .pipeline.operation import Operation
from .pipeline.sizes import LINE_BITS, SLOT_BITS
from .pipeline.tables import ContextInfo, DeviceInfo
from .request.ingress import PortIngress, SoftwareIngress
from .response.egress import PortEgress, SoftwareEgress
from .response.resolve import Resolver, ends_by, lengths, mapped
from .tlb.entry import BANK
from .tlb.first_level import FirstLevelTlb
from .tlb.line_fill import pages_between
from .tlb.lines import TableLines
from .tlb.second_level import SecondLevelTlb
from .walk.context_cache import ContextCache
from .walk.walk_cache import WalkCache
from .walk.walker import TableWalker

__all__ = ["Core"]

FILL_SPACING = 3        #: cycles between two fills of the first level
COMPARE = 2             #: stage in which the first level's tags are compared, those of a fill too
RESOLVE = 4             #: stage in which the first level answers
SECOND_EXIT = 8         #: stage in which the second level answers, which compares in RESOLVE
FILL_VISIBLE = 7        #: stage behind which no look-up of before a fill's compare is left


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
    mode, check_ad, ddt_base, ddt_log2, port_enable, flush : In
        From the registers (§7).
    active : Out(requesters)
        Ports that have requests outstanding; the last bit: software.
    walking : Out(1)
        Walks are in flight.
    invalidate : In(1), invalidation : In(Invalidation), invalidated : Out(1)
        Begins an invalidation, which stays until it is ``invalidated``. See ``Invalidator``.
    outdated : Out(1)
        Walks are in flight, or being answered, that began before the last invalidation.
    prefetch : In(stream.Signature(Prefetch)), prefetched : Out(1)
        What is to be cached; for one cycle, when that is done. One at a time.
    mark : In(1), marked : Out(1)
        Response beats that were held at the last ``mark`` wait for their ports to take them.
    fault : Out(stream.Signature(FaultInfo)), recorded : In(ports)
        A fault is answered, by ports in this order; one-hot: the first such of the port that has
        no record yet has it, or needs none. The port is not told of the fault before.
    first_hits, second_hits, missed : Out(1), waiting : Out
        For the counters: runs found in the first level, in the second level, not at all; requests
        that wait for a walk.
    walks, table_reads : Out(1)
        A walk begins; a read is handed to the memory.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "requests": In(stream.Signature(Request)).array(config.requesters),
            "responses": Out(stream.Signature(Response)).array(config.requesters),
            "ar": Out(stream.Signature(ReadAddress(config.axi_id_width))),
            "r": In(stream.Signature(ReadData(config.axi_id_width, config.axi_data_width))),
            "mode": In(2),
            "check_ad": In(1),
            "ddt_base": In(PFN_BITS),
            "ddt_log2": In(5),
            "port_enable": In(config.ports),
            "flush": In(1),
            "active": Out(config.requesters),
            "walking": Out(1),
            "invalidate": In(1),
            "invalidation": In(Invalidation),
            "invalidated": Out(1),
            "outdated": Out(1),
            "prefetch": In(stream.Signature(Prefetch)),
            "prefetched": Out(1),
            "mark": In(1),
            "marked": Out(1),
            "fault": Out(stream.Signature(FaultInfo, always_ready=True)),
            "recorded": In(config.ports),
            "first_hits": Out(1),
            "second_hits": Out(1),
            "missed": Out(1),
            "waiting": Out(range(config.ports * config.port_depth + 1)),
            "walks": Out(1),
            "table_reads": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.tlb = self._tlb = tlb = FirstLevelTlb(config)
        m.submodules.miss = self._miss = miss = MissUnit(config)
        m.submodules.walker = walker = TableWalker(config)
        m.submodules.lines = self._lines = TableLines(config)
        m.submodules.walk_cache = self._regions = regions = WalkCache(config)
        m.submodules.devices = devices = ContextCache(
            key=DEVICE_BITS, value=DeviceInfo, entries=config.device_entries)
        m.submodules.contexts = contexts = ContextCache(
            key=ContextKey, value=ContextInfo, entries=config.context_entries)
        m.submodules.invalidator = self._invalidator = invalidator = Invalidator(config)
        caches = [tlb, regions, devices, contexts]
        # Those that know walks in flight, or what a look-up said a while ago, forget them at the
        # beginning of an invalidation, too.
        self._forget, self._enable = Signal(), Signal(config.requesters)
        m.d.comb += [
            self._forget.eq(self.flush | invalidator.begins),
            miss.flush.eq(self._forget), walker.flush.eq(self._forget),
            self._enable.eq(Cat(self.port_enable, 1)),      # software's is always open
            miss.port_enable.eq(self._enable),
        ]
        self._second = None
        if config.l2_entries:
            m.submodules.second_level = self._second = SecondLevelTlb(config)
            caches.append(self._second)
        m.d.comb += [cache.flush.eq(self.flush) for cache in caches]

        self._ports(m)
        operations, fills = self._arbitrate(m)
        self._look_up(m, operations, fills)
        self._walk(m, walker, devices, contexts)
        self._fill(m, walker)
        self._invalidate(m, devices, contexts)
        self._tell(m, walker)
        return m

    def _ports(self, m):
        """Both ends of every port."""
        config, miss = self._config, self._miss
        self._ingresses, self._egresses = [], []
        marked = []
        for index, name in enumerate((*config.port_names, "software")):
            software = index == config.ports
            ingress = SoftwareIngress() if software else PortIngress(config.port_depth)
            egress = SoftwareEgress() if software else PortEgress(config.port_depth)
            m.submodules[f"{name}_ingress"], m.submodules[f"{name}_egress"] = ingress, egress
            connect(m, wiring.flipped(self.requests[index]), ingress.port)
            connect(m, egress.port, wiring.flipped(self.responses[index]))
            m.d.comb += [
                ingress.enable.eq(self._enable[index]),
                egress.enable.eq(self._enable[index]),
                egress.mark.set.eq(self.mark),
                egress.recorded.eq(0 if software else self.recorded[index]),
                ingress.retired.eq(egress.retired),
                self.active[index].eq(ingress.active),
                egress.miss.payload.eq(miss.beat.payload),
                egress.miss.valid.eq(miss.beat.valid & (miss.beat_port == index)),
            ]
            self._ingresses.append(ingress)
            self._egresses.append(egress)
            marked.append(egress.mark.remains)
        m.d.comb += self.marked.eq(Cat(marked).any())

    def _arbitrate(self, m):
        """Stage 1: a fill, or the next port's retry or request, with a credit for its beat."""
        config, miss = self._config, self._miss
        ports = config.requesters
        m.submodules.turns = turns = RoundRobinAhead(ports + 1)    # the last one: the core itself
        # Who does not come: the complement, for synthesis would make one of two equal registers.
        # It moves the operations, the grant moves all else.
        others = Signal(ports + 1, init=-1)

        # Fills keep a distance; a promotion takes the cycle after one that nobody wanted. Both
        # are decided on one cycle ahead.
        fill = self._lines.fill
        promotion = Payload(FillRequest)    # of no walk
        offered, internal, recent = Signal(), Signal(), Signal(FILL_SPACING - 2)
        idle, spaced = Signal(init=1), Signal(init=1)     # nobody wants the cycle; not too recent
        then = Signal(ports + 1)        # by whom the next cycle is wanted
        fills, promotes, drops, begins, blocks = (Signal() for _ in range(5))
        promoted, dropped, forgot, spoilt = (Signal() for _ in range(4))    # in the cycle before
        invalidator, dropping = self._invalidator, Signal(WalkKey)
        page = invalidator.request.page
        sign = VPN_BITS - 1     # nothing is cached for an address that is not canonical
        m.d.comb += [
            dropping.ft.eq(invalidator.request.ft),
            dropping.device.eq(invalidator.request.device),
            dropping.pasid.eq(invalidator.request.pasid),
            dropping.page.eq(Cat(page[:sign], page[sign].replicate(len(page) - sign))),
            invalidator.taken.eq(drops),
        ]
        m.d.comb += [
            fill.ready.eq(spaced),
            fills.eq(fill.valid & fill.ready),
            drops.eq(invalidator.asks & ~fill.valid & spaced),
            promotes.eq(offered & idle & ~fill.valid & spaced & ~invalidator.asks),
            begins.eq(spaced & (fill.valid | invalidator.asks | (offered & idle))),
            blocks.eq(begins | miss.pause),
            turns.requests.eq(then), turns.blocked.eq(blocks),
        ]
        m.d.sync += [
            others.eq(~turns.next),
            idle.eq(~begins & (miss.pause | ~then.any())),
            recent.eq(Cat(begins, recent)), spaced.eq(~Cat(begins, recent).any()),
            internal.eq(begins),
            promoted.eq(promotes), dropped.eq(drops), forgot.eq(self._forget),
        ]
        # Whether it is one comes late: another one's place is taken anyway.
        taken = self._promoted(m, promotion)
        m.d.sync += spoilt.eq(miss.promotes & ~taken)
        with m.If(miss.promotes):
            m.d.sync += offered.eq(taken)
        with m.Elif(promotes):
            m.d.sync += offered.eq(0)
        with m.If(self._forget):
            m.d.sync += offered.eq(0)

        heads = []
        for index, (ingress, egress) in enumerate(zip(self._ingresses, self._egresses)):
            head, granted = Signal(Operation, name=f"head_{index}"), Signal(name=f"granted_{index}")
            request, credits = ingress.requests.payload, egress.credits
            m.d.comb += [
                head.port.eq(index),
                *assign(head, {name: request[name] for name, _ in data.Layout.cast(Request)}),
                granted.eq(turns.grant[index] & ~miss.retry_port[index]),
                ingress.requests.ready.eq(granted),
                credits.begins.eq(granted), credits.continues.eq(miss.credit_taken[index]),
                credits.rests.eq(miss.rests[index]), miss.credits[index].eq(credits.some),
            ]
            may_begin = Mux(granted, ingress.stays & credits.admits_another,
                            (ingress.stays | ingress.requests.valid) & credits.admits)
            m.d.comb += then[index].eq(miss.retry_port_next[index] | may_begin)
            heads.append(head)
        m.d.comb += [
            miss.retry.ready.eq((turns.grant & miss.retry_port).any()),
            miss.silent.ready.eq(turns.grant[ports]),
            then[ports].eq(miss.silent.valid & ~miss.silent.ready),
        ]

        # What the core itself sends: its payload stays for another cycle, that of a promotion
        # until a later one takes its place.
        inward = Signal(FillRequest)
        m.d.comb += [
            inward.eq(Mux(promoted, promotion.as_value(), fill.payload.as_value())),
            inward.walked.eq(~promoted & ~dropped), inward.drops.eq(dropped),
        ]
        with m.If(dropped):
            m.d.comb += inward.key.eq(dropping)
        entering = Signal(Operation)        # has but what is looked up
        m.d.comb += [
            entering.ft.eq(inward.key.ft), entering.device.eq(inward.key.device),
            entering.pasid.eq(inward.key.pasid), entering.addr.eq(inward.key.page << PAGE_SHIFT),
        ]
        chosen = ~others
        retries = (chosen[:ports] & miss.retry_port).any()

        def passing(fields):        # a retry goes before its port's next request
            ways = [*chosen, internal]
            sources = [*heads, miss.silent.payload, entering]
            if fields is _not_looked_up:
                sources.pop()
            return Mux(retries, fields(miss.retry.payload),
                       one_of(ways, [fields(source) for source in sources]))
        operations = {"valid": Signal(), "operation": Payload(Operation)}
        coming = {"valid": Signal(), "writes": Signal(), "request": Payload(FillRequest)}
        comes = Signal()
        m.d.comb += comes.eq(internal & ~(promoted & (forgot | spoilt | self._forget)))
        m.d.sync += [
            operations["valid"].eq(turns.grant[:ports].any()
                                   | (turns.grant[ports] & miss.silent.valid)),
            *(fields(operations["operation"]).eq(passing(fields))
              for fields in (_looked_up, _not_looked_up)),
            coming["valid"].eq(comes),
            coming["writes"].eq(comes & ~dropped & (inward.translation.rights.read
                                                    | inward.translation.rights.write)),
            coming["request"].eq(inward),
        ]
        if self._config.tlb_entries > BANK:     # the complement, as above
            far, complement = Signal(Operation), Payload(len(_looked_up(entering)))
            m.d.sync += complement.eq(~passing(_looked_up))
            m.d.comb += [
                _looked_up(far).eq(~complement),
                *assign(self._tlb.look_up.far_key, tlb_key(far, far.addr[PAGE_SHIFT:])),
            ]
        return operations, coming

    def _promoted(self, m, promotion):
        """What the second level answered, for the first; returns "now"."""
        miss = self._miss
        operation, outcome = miss.promoted_operation, miss.promoted_outcome
        # What was looked up before a flush must not come back after it.
        flushes, taken = Signal(SECOND_EXIT - RESOLVE + 1), Signal()
        forgets = self._forget | self._invalidator.active
        m.d.sync += flushes.eq(Cat(forgets, flushes))
        m.d.comb += taken.eq(miss.promoted & ~forgets & ~flushes.any())
        page = operation.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS]
        last = Signal(LINE_BITS)
        m.d.comb += last.eq(page + outcome.extent)
        with m.If(miss.promotes):
            m.d.sync += assign(promotion.key, walk_key(operation))
            target = promotion.translation
            m.d.sync += [
                target.rights.eq(outcome.rights),
                target.base.eq(outcome.pfn - page),
                target.last.eq(last),
                target.mask.eq(pages_between(page, last)),
            ]
        return taken

    def _look_up(self, m, compared, fills):
        """Stages 2 to 4: the TLBs, and the response or what is left over."""
        tlb, miss, second, regions = self._tlb, self._miss, self._second, self._regions
        operation, page = compared["operation"], compared["operation"].addr[PAGE_SHIFT:]
        m.d.comb += assign(tlb.look_up.key, tlb_key(operation, page))
        m.d.comb += assign(regions.key, region_key(operation, page))
        if second is not None:
            m.d.comb += assign(second.look_up.key, line_key(operation, page))
        m.d.comb += [
            tlb.look_up.write.eq(operation.write),
            tlb.fill.valid.eq(fills["writes"]),
            tlb.drop.valid.eq(fills["valid"] & fills["request"].drops),
            tlb.fill.translation.eq(fills["request"].translation),
        ]
        self._follow_fill(m, fills)

        # The operation beside the caches' stages.
        selected, resolved = ({"valid": Signal(name=f"valid_{stage}"),
                               "operation": Payload(Operation, name=f"operation_{stage}")}
                              for stage in (COMPARE + 1, RESOLVE))
        for stage, before in ((selected, compared), (resolved, selected)):
            m.d.sync += [stage[name].eq(before[name]) for name in stage]
        valid, operation = resolved["valid"], resolved["operation"]

        # Step 1 of §4, known before the TLB's answer. What is left of a disabled port's requests
        # ends here, unheard: its egress drops the beat.
        before, off, bypasses = selected["operation"], Signal(), Signal()
        translates = (self.mode == Mode.TRANSLATE) & (self._enable >> before.port)[0]
        listens = Signal(self._config.requesters)   # one-hot: the port of an answer
        m.d.sync += [
            off.eq(~translates & ((self.mode != Mode.BYPASS)
                                  | ~(self._enable >> before.port)[0])),
            bypasses.eq(~translates),
            listens.eq((selected["valid"] & ~before.silent) << before.port),
        ]
        # Then the TLB.
        outcome, answered = Signal(Outcome), Signal()
        m.d.comb += [outcome.eq(tlb.look_up.outcome), answered.eq(tlb.look_up.hit | bypasses)]
        with m.If(off):
            m.d.comb += outcome.cause.eq(Cause.CORE_OFF)
        with m.If(bypasses):
            m.d.comb += [outcome.rights.size.eq(Size.BYPASS), outcome.rights.read.eq(1),
                         outcome.rights.write.eq(1)]

        m.submodules.resolver = resolver = Resolver()
        m.d.comb += [resolver.operation.eq(operation), resolver.outcome.eq(outcome),
                     *assign(resolver.mapped, mapped(outcome)),
                     resolver.short.eq(ends_by(resolver.lengths, tlb.look_up.last))]
        m.d.sync += assign(resolver.lengths, lengths(before))
        for index, egress in enumerate(self._egresses):
            m.d.comb += [
                egress.hit.valid.eq(answered & listens[index]),
                egress.hit.payload.eq(resolver.beat),
            ]
        m.d.comb += miss.ahead.eq(selected["operation"])
        m.d.sync += self.first_hits.eq(
            listens[:self._config.ports].any() & tlb.look_up.hit & ~bypasses & ~waited(operation))
        found = miss.look_up
        m.d.comb += [
            found.valid.eq(valid),
            found.answered.eq(answered),
            found.more.eq(resolver.more),
            found.run.eq(resolver.beat.pages),
            found.operation.eq(operation),
        ]
        if second is not None:
            look_up = second.look_up
            m.d.comb += assign(look_up.compared, line_key(operation, operation.addr[PAGE_SHIFT:]))
            m.d.comb += [
                look_up.page.eq(operation.addr[PAGE_SHIFT:PAGE_SHIFT + LINE_BITS]),
                look_up.write.eq(operation.write), look_up.skip.eq(operation.distrusts),
                miss.second_hit.eq(look_up.hit), miss.second_way.eq(look_up.place),
                miss.second.eq(look_up.outcome), miss.second_damaged.eq(look_up.damaged),
            ]

    def _follow_fill(self, m, fills):
        """The fill beside the operations: whether it is written, and when everybody sees it."""
        miss = self._miss
        slot, walked, valid = fills["request"].slot, fills["request"].walked, fills["valid"]
        live = valid        # of a promotion: no flush since
        for stage in range(COMPARE + 1, FILL_VISIBLE + 1):
            names = {name: f"fill_{name}_{stage}" for name in ("slot", "walked", "valid", "live")}
            slot_, walked_ = Signal(SLOT_BITS, name=names["slot"]), Signal(name=names["walked"])
            valid_, live_ = Signal(name=names["valid"]), Signal(name=names["live"])
            m.d.sync += [slot_.eq(slot), walked_.eq(walked), valid_.eq(valid),
                         live_.eq(live & ~self._forget)]
            if stage == RESOLVE:
                stale, commits = (miss.stale >> slot)[0], Signal()
                m.d.sync += commits.eq(Mux(walked, ~stale, live) & ~self._forget)
                m.d.comb += self._tlb.fill.commit.eq(commits)
            slot, walked, valid, live = slot_, walked_, valid_, live_
        m.d.comb += [miss.filled.eq(valid & walked), miss.filled_slot.eq(slot)]

    def _walk(self, m, walker, devices, contexts):
        """Misses to memory and back."""
        miss, regions = self._miss, self._regions
        operation = miss.look_up.operation
        connect(m, wiring.flipped(self.prefetch), miss.prefetch)
        m.d.comb += self.prefetched.eq(miss.prefetched)
        connect(m, miss.start, walker.start)
        connect(m, walker.ar, wiring.flipped(self.ar))
        connect(m, wiring.flipped(self.r), walker.r)
        m.d.comb += [
            walker.ddt_base.eq(self.ddt_base),
            walker.ddt_log2.eq(self.ddt_log2),
            walker.check_ad.eq(self.check_ad),
            walker.stale.eq(miss.stale),
            miss.stepping.eq(walker.stepping), miss.stepping_slot.eq(walker.stepping_slot),
            miss.anew.eq(walker.anew), miss.anew_slot.eq(walker.anew_slot),
            miss.finished.eq(walker.finished), miss.finished_slot.eq(walker.finished_slot),
            miss.outcome.eq(walker.outcome),
            miss.reading.eq(walker.reading),
            self.walking.eq(miss.walking),

            devices.key.eq(operation.device),
            miss.device_hit.eq(devices.hit), miss.device.eq(devices.value),
            devices.fill.eq(walker.device_fill), devices.fill_key.eq(walker.device_key),
            devices.fill_value.eq(walker.device),

            contexts.key.ft.eq(operation.ft),
            contexts.key.device.eq(operation.device),
            contexts.key.pasid.eq(operation.pasid),
            miss.context_hit.eq(contexts.hit), miss.context.eq(contexts.value),
            contexts.fill.eq(walker.context_fill), contexts.fill_key.eq(walker.context_key),
            contexts.fill_value.eq(walker.context),

            miss.region_hit.eq(regions.hit), miss.region.eq(regions.info),
            miss.region_way.eq(regions.place),
            regions.fill.eq(walker.region_fill), regions.fill_way.eq(walker.region_way),
            regions.fill_key.eq(walker.region_key), regions.fill_info.eq(walker.region),
        ]

    def _invalidate(self, m, devices, contexts):
        """An invalidation: its steps, beside the look-ups."""
        invalidator, request = self._invalidator, self.invalidation
        stores = [self._regions] if self._second is None else [self._regions, self._second]
        m.d.comb += [
            invalidator.start.eq(self.invalidate), invalidator.request.eq(request),
            self.invalidated.eq(invalidator.done),
            invalidator.arrives.eq(self._tlb.drop.valid),
            invalidator.scanning.eq(Cat(store.scan.busy for store in stores).any()),
            self._tlb.drop.invalidation.eq(request),
            self._miss.distrust.eq(invalidator.active), self._miss.distrusted.eq(request),
            self.outdated.eq(self._miss.outdated),
            # A device's entry has no PASID, so that a selected one does not matter.
            devices.drop.eq(invalidator.drop), devices.drop_key.eq(request.device),
            devices.drop_by.eq(request.by_device),
            contexts.drop.eq(invalidator.drop),
            contexts.drop_key.device.eq(request.device),
            contexts.drop_key.pasid.eq(request.pasid),
            contexts.drop_by.eq(Cat(0, request.by_device, request.by_pasid)),
        ]
        for store in stores:
            m.d.comb += [
                store.scan.valid.eq(self._tlb.drop.valid), store.scan.set.eq(invalidator.step),
                store.scan.natural.eq(invalidator.exact), store.invalidation.eq(request),
            ]

    def _tell(self, m, walker):
        """What the fault queue and the counters hear."""
        miss = self._miss
        m.d.comb += [
            self.fault.valid.eq(miss.fault.valid), self.fault.payload.eq(miss.fault.payload),
            self.second_hits.eq(miss.second_hits), self.missed.eq(miss.missed),
            self.waiting.eq(miss.waiting),
        ]
        m.d.sync += [
            self.walks.eq(walker.start.valid & walker.start.ready),
            self.table_reads.eq(walker.ar.valid & walker.ar.ready),
        ]

    def _fill(self, m, walker):
        """What walks found, on its way to the TLBs. Of larger mappings as soon as they are found,
        of 4 KiB leaves when the burst of their line is over."""
        miss, lines, second = self._miss, self._lines, self._second
        ended = lines.granted.payload
        m.d.comb += [
            lines.words.eq(walker.words),
            miss.slot.eq(lines.walk.slot), lines.walk.key.eq(miss.key),
            lines.walk.way.eq(miss.way), lines.walk.outcome.eq(miss.kept),
            lines.stale.eq(miss.stale),
            miss.measured.eq(lines.measured.valid),
            miss.measured_slot.eq(lines.measured.payload.slot),
            miss.extent.eq(lines.measured.payload.extent),
        ]
        m.d.sync += [
            lines.granted.valid.eq(walker.over & (miss.granted >> walker.over_slot)[0]),
            ended.slot.eq(walker.over_slot), ended.line.eq(walker.over_line),
        ]
        if second is not None:
            connect(m, lines.second_fill, second.fill)


def _looked_up(operation):
    """The fields of an operation that the caches compare."""
    return Cat(operation.ft, operation.device, operation.pasid, operation.addr[PAGE_SHIFT:])


def _not_looked_up(operation):
    """All others."""
    looked_up = "ft", "device", "pasid", "addr"
    return Cat(operation.addr[:PAGE_SHIFT], *(
        operation[name] for name, _ in data.Layout.cast(Operation) if name not in looked_up))
