"""Scans of a set-associative store: one set is read, and what an invalidation asks for is dropped
from it."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..lib.contract import require
from ..pipeline.timetable import STORE_MATCH
from .set_write import RowDrop

__all__ = ["Scan", "StoreScan", "set_number_bits"]


def set_number_bits(sets):
    """Width of a set's number."""
    return max((sets - 1).bit_length(), 1)


class Scan(wiring.Signature):
    """A step of an invalidation in a set-associative store.

    Parameters
    ----------
    sets : int

    Members
    -------
    valid : Out(1)
        It takes the place of the look-up of this cycle, which finds nothing.
    set : Out, natural : Out(1)
        The set that is looked at; ``natural``: it is that of the looked-up key instead.
    busy : In(1)
        A scan of before is under way. Until it is over no other one begins.
    """

    def __init__(self, sets):
        super().__init__({"valid": Out(1), "set": Out(set_number_bits(sets)), "natural": Out(1),
                          "busy": In(1)})


class StoreScan(wiring.Component):
    """Drops what a scan has found.

    Parameters
    ----------
    ways, set_bits : int

    Members
    -------
    begins : In(1)
        In cycle *n*: a scan.
    second : Out(1)
        In cycle *n* + 1: it is in the RAM.
    trusted : In(1), set : In(set_bits)
        In cycle *n* + 1: no sweep makes the rows undefined; which set that is.
    to_drop : In(ways)
        In cycle *n* + 2: rows that the scan drops.
    drop : Out(RowDrop)
        From cycle *n* + 3 on.
    sweeping : In(1)
        Every row becomes empty anyway.
    busy : Out(1)
        From cycle *n* + 1 until the rows are dropped.
    """

    def __init__(self, ways, set_bits):
        super().__init__({
            "begins": In(1),
            "second": Out(1),
            "trusted": In(1),
            "set": In(set_bits),
            "to_drop": In(ways),
            "drop": Out(RowDrop(ways, set_bits)),
            "sweeping": In(1),
            "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        under_way, compared = Signal(STORE_MATCH), Signal()
        set_ = Signal.like(self.set, name="compared_set")
        drop = self.drop
        m.d.comb += [self.second.eq(under_way[0]), self.busy.eq(under_way.any() | drop.rows.any())]
        m.d.sync += [
            under_way.eq(Cat(self.begins, under_way)),
            compared.eq(self.trusted & under_way[0]), set_.eq(self.set),
        ]
        with m.If(drop.taken | self.sweeping):
            m.d.sync += drop.rows.eq(0)
        with m.If(compared):
            m.d.sync += [drop.rows.eq(self.to_drop), drop.set.eq(set_)]
        require(m, ~(self.begins & self.busy),
                "a scan of a store begins when no other is under way")
        return m
