"""What a set-associative store may know of one fixed key: for the proofs of the store itself and of
what is built of it, with the invariants over its memories that make them inductions.

A scan drops what it covers: behind it nothing is there any more that was written two cycles before
it, or earlier. (A row that is written while a scan reads it stays.)
"""

from amaranth.hdl import Assert, Assume, Cover, Signal, Value
from amaranth.lib import data

from siommu.lib.parity import parity_sums, sound, unguarded
from siommu.store.set_way import row_layout

from .temporal import delayed

__all__ = ["KeyInStore", "assume_scan"]


def assume_scan(m, scan, ignored, busy):
    """The environment's part of a scan's contract: one after the other, and what is ignored
    stays."""
    ignored = Value.cast(ignored)
    before, went_on = delayed(m, ignored, 1), delayed(m, scan | busy, 1)
    m.d.sync += [Assume(~(scan & busy)), Assume(~(went_on & busy) | (ignored == before))]


class KeyInStore:
    """The ways that may hold the key ``fixed``.

    Parameters
    ----------
    m : Module
        The proof.
    state : State
        Of the component that has the store at ``path`` (``"store."``).
    fixed : Struct
    ways : int
    index : callable
        The set of a key, a signal of one bit or more.

    Attributes
    ----------
    alive : list of Signal
        By way: the newest write of the key's row in this way was one of the key, and nothing
        dropped it since.
    content : list of Signal
        What it wrote.
    """

    def __init__(self, m, state, path, fixed, *, value, ways, index):
        self._m, self._state, self._path = m, state, path
        self._fixed, self._value, self._ways, self._index = fixed, value, ways, index
        self.set = Signal(len(state.signal(f"{path}writer.swept")), name="fixed_set")
        m.d.comb += self.set.eq(index(fixed))
        self.alive, self.content, self._dying = [], [], []

    def follow(self, *, enable, way, key, content, valid, flush, scan, covers):
        """Follows the inputs of the store: a write, a flush, and a ``scan`` that ``covers`` the
        key."""
        m, signal = self._m, self._state.signal
        sweeping, busy = signal(f"{self._path}writer.sweeping"), signal(f"{self._path}scanner.busy")
        same = Value.cast(key) == Value.cast(self._fixed)
        for number in range(self._ways):
            present, written = Signal(name=f"present_{number}"), Signal(
                Value.cast(content).shape(), name=f"content_{number}")
            dying, alive = Signal(name=f"dying_{number}"), Signal(name=f"alive_{number}")
            writes = enable & ~sweeping & (way == number) & (self._index(key) == self.set)
            wrote = delayed(m, writes, 1)
            m.d.comb += alive.eq(present & ~(dying & ~busy))
            m.d.sync += present.eq(alive)
            with m.If(scan & covers):
                m.d.sync += dying.eq(alive & ~wrote)
            with m.Elif(~busy):
                m.d.sync += dying.eq(0)
            with m.If(writes):
                m.d.sync += [present.eq(same & valid), written.eq(content), dying.eq(0)]
            with m.If(flush):
                m.d.sync += [present.eq(0), dying.eq(0)]
            self.alive.append(alive)
            self.content.append(written)
            self._dying.append(dying)
            m.d.sync += Cover(alive & delayed(m, dying, 3))     # a scan that reads a new row
        self._invariants()

    def _invariants(self):
        m, signal, path = self._m, self._state.signal, self._path
        pending, way, at, sweeping, swept = (signal(f"{path}writer.{name}") for name in (
            "pending", "way", "at", "sweeping", "swept"))
        under_way, drops, drop_set = (signal(f"{path}scanner.{name}") for name in (
            "under_way", "drop__rows", "drop__set"))
        layout = row_layout(self._fixed.shape(), self._value)
        for number in range(self._ways):
            word = self._state.row(f"{path}way_{number}.ram.words", self.set)
            row = data.View(layout, unguarded(word))
            changes = (pending & (way == number) & (at == self.set)) | (
                sweeping & (self.set >= swept))
            held = ~changes & row.valid & sound(parity_sums(word)) & (
                Value.cast(row.key) == Value.cast(self._fixed))
            with m.If(held):
                m.d.sync += [
                    Assert(self.alive[number]),
                    Assert(Value.cast(row.value) == self.content[number]),
                    Assert(~self._dying[number] | under_way.any()
                           | (drops[number] & (drop_set == self.set))),
                ]

    def assert_sound(self, sets):
        """Every row of the store has the right parity, unless it is to be swept."""
        m, path = self._m, self._path
        sweeping, swept = (self._state.signal(f"{path}writer.{name}") for name in (
            "sweeping", "swept"))
        for number in range(self._ways):
            for set_ in range(sets):
                word = self._state.row(f"{path}way_{number}.ram.words", set_)
                m.d.sync += Assert(sound(parity_sums(word)) | (sweeping & (swept <= set_)))
