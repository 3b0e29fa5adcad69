"""How many bursts of each id are in memory, in one direction."""

from amaranth import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..lib.event import Event

__all__ = ["MOST", "InMemory", "group_bits"]

_GROUP_BITS = 4         #: ids that agree in so many low bits are counted together
_COUNT_BITS = 6
MOST = (1 << _COUNT_BITS) - 1       #: bursts of one group of ids that may be in memory


def group_bits(config):
    """Low bits of an id that name its group: all of them, up to four."""
    return min(config.id_width, _GROUP_BITS)


class InMemory(wiring.Component):
    """A counter for each group of ids: up when a burst goes to memory, down with its last answer.

    Wide ids are not told apart by all their bits: that would take a counter for each of 65536, or
    a comparator for each burst. Ids of one group then wait for each other where one would do, and
    only where a burst of the group was refused.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    starts, ends : In(Event(group))
        A burst goes to memory; it is answered. Seen in the outputs a cycle later.
    next : In, full : Out(1)
        Whether as many bursts of the group ``next`` as can be counted are in memory.
    refused : In, some : Out(1)
        Whether a burst of the group ``refused`` is in memory.
    """

    def __init__(self, config: BridgeConfig):
        self._bits = group_bits(config)
        super().__init__({
            "starts": In(Event(self._bits)), "ends": In(Event(self._bits)),
            "next": In(self._bits), "full": Out(1),
            "refused": In(self._bits), "some": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        counts = Array(Signal(_COUNT_BITS, name=f"count_{group}")
                       for group in range(1 << self._bits))
        for group, count in enumerate(counts):
            starts = self.starts.valid & (self.starts.payload == group)
            ends = self.ends.valid & (self.ends.payload == group)
            with m.If(starts & ~ends):
                m.d.sync += count.eq(count + 1)
            with m.Elif(ends & ~starts):
                m.d.sync += count.eq(count - 1)
        m.d.comb += [self.full.eq(counts[self.next] == MOST),
                     self.some.eq(counts[self.refused] != 0)]
        return m
