"""What is known of the lines that are gone through: two at a time, because the next one begins
before the one before is over."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import PFN_BITS, Size
from ..lib.payload import Payload, payload_of
from ..lib.structs import assign
from ..pipeline.grants import Rights
from ..pipeline.keys import LineKey, WalkKey, line_key
from ..pipeline.lines import GrantedWalk
from ..pipeline.sizes import LINE_BITS, SET_BITS, SLOT_BITS, WAY_BITS
from ..pipeline.timetable import LINE_CYCLES, LINE_TAGS_MEET, Line
from .line_schedule import at
from .second_level import line_index, line_sets

__all__ = ["FirstHalf", "LineRecords", "SecondHalf"]


class FirstHalf(data.Struct):
    """A line in its first ``Line.PITCH`` cycles. ``line``: it is complete; ``keep``: it is to be
    kept in the second level."""

    slot: SLOT_BITS
    line: 1
    keep: 1
    key: WalkKey
    way: WAY_BITS
    rights: Rights
    pfn: PFN_BITS


class SecondHalf(data.Struct):
    """A line in the cycles behind. ``base``: the number of its first page, or the leaf's."""

    slot: SLOT_BITS
    line: 1
    keep: 1
    key: WalkKey
    way: WAY_BITS
    rights: Rights
    base: PFN_BITS


class LineRecords(wiring.Component):
    """Follows the schedule with what is known of each line.

    Of two lines that follow each other closely into the same set and way of the second level, the
    first one stays: the rows of the other one would replace those of a tag that is not yet on.

    Parameters
    ----------
    config : Config

    Members
    -------
    since : In(LINE_CYCLES), next : In(GrantedWalk)
        From ``LineSchedule``.
    key : In(WalkKey), way : In(WAY_BITS), rights : In(Rights), pfn : In(PFN_BITS)
        Of ``next``, when it begins.
    stale : In(walk_slots)
        Slots whose lines must not be kept any more.
    first : Out(FirstHalf)
        In cycles ``BEGIN`` + 1 to ``PITCH``.
    second : Out(SecondHalf)
        In cycles ``PITCH`` + 1 to ``TAG_ON``. ``keep`` is up to date.
    first_set : Out(SET_BITS)
        The set of ``first`` in the second level, from ``BEGIN`` + 1 on.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "since": In(LINE_CYCLES),
            "next": In(GrantedWalk),
            "key": In(WalkKey),
            "way": In(WAY_BITS),
            "rights": In(Rights),
            "pfn": In(PFN_BITS),
            "stale": In(config.walk_slots),
            "first": Out(FirstHalf),
            "second": Out(SecondHalf),
            "first_set": Out(SET_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        since = self.since
        first, second = payload_of(m, self.first), Payload(SecondHalf, name="second_held")
        with m.If(at(since, Line.BEGIN)):
            m.d.sync += [
                first.slot.eq(self.next.slot), first.line.eq(self.next.line),
                first.keep.eq(self.next.line & ~self._is_stale(self.next.slot)),
                first.key.eq(self.key), first.way.eq(self.way),
                first.rights.eq(self.rights), first.pfn.eq(self.pfn),
            ]
        with m.If(at(since, Line.PITCH)):
            m.d.sync += [
                *assign(second, {name: first[name]
                                 for name in ("slot", "line", "keep", "key", "way", "rights")}),
                second.base.eq(first.pfn - Mux(first.rights.size == Size.PAGE_4K,
                                               first.key.page[:LINE_BITS], 0)),
            ]
        m.d.comb += [self.second.eq(second),
                     self.second.keep.eq(second.keep & ~self._is_stale(second.slot))]
        self._yield_to_the_one_before(m, first, second)
        return m

    def _is_stale(self, slot):
        return (self.stale >> slot)[0]

    def _yield_to_the_one_before(self, m, first, second):
        """A line is not kept whose tag goes off before the tag of another one in the same place
        goes on."""
        since, line = self.since, Signal(LineKey)
        index = Payload(max(exact_log2(line_sets(self._config)), 1), name="set")
        second_index, collides = Payload(len(index), name="second_set"), Payload(name="collides")
        # In TAG_OFF of this one, the other one has begun at least a pitch before, and less than
        # what would let the tags meet.
        nearest, furthest = Line.TAG_OFF + Line.PITCH, Line.TAG_OFF + LINE_TAGS_MEET - 1
        m.d.comb += [*assign(line, line_key(self.key, self.key.page)), self.first_set.eq(index)]
        with m.If(at(since, Line.BEGIN)):
            m.d.sync += index.eq(line_index(line, len(index)))
        m.d.sync += [
            collides.eq(at(since, nearest, furthest - nearest + 1) & second.keep
                        & (second.way == first.way) & (second_index == index)),
        ]
        with m.If(at(since, Line.TAG_OFF + 1) & collides):
            m.d.sync += first.keep.eq(0)
        with m.If(at(since, Line.PITCH)):
            m.d.sync += second_index.eq(index)
