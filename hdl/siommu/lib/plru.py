"""Tree pseudo-LRU replacement."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .choose import one_hot_index

__all__ = ["TreePlru"]


class TreePlru(wiring.Component):
    """Names an entry that was not used lately, with one bit for every pair of subtrees.

    Parameters
    ----------
    entries : int
        A power of two, at least 2.

    Members
    -------
    touch : In(1), touched : In
        The entry ``touched`` is used in this cycle.
    victim : Out, victims : Out(entries)
        The entry to replace: following at each node of the tree the half that was not used last.
        Its index, and one-hot. Combinational from the state of the cycle.
    """

    def __init__(self, entries):
        self._entries, self._levels = entries, exact_log2(entries)
        super().__init__({
            "touch": In(1),
            "touched": In(self._levels),
            "victim": Out(self._levels),
            "victims": Out(entries),
        })

    def elaborate(self, platform):
        m = Module()
        # levels[k][i]: the upper half below node i of depth k is the older one
        levels = [Signal(1 << depth, name=f"older_{depth}") for depth in range(self._levels)]

        for entry in range(self._entries):
            turns = []      # whether each node on the way points to the entry
            for depth, nodes in enumerate(levels):
                half = entry >> self._levels - 1 - depth
                turns.append(nodes[half >> 1] if half & 1 else ~nodes[half >> 1])
            m.d.comb += self.victims[entry].eq(Cat(turns).all())
        m.d.comb += self.victim.eq(one_hot_index(self.victims))

        with m.If(self.touch):
            for depth, nodes in enumerate(levels):
                below = self.touched[self._levels - 1 - depth]
                if depth == 0:
                    m.d.sync += nodes[0].eq(~below)
                else:
                    node = self.touched[self._levels - depth:]
                    m.d.sync += nodes.bit_select(node, 1).eq(~below)
        return m
