"""What holds in every state of the fault queue: the invariants that make its proof an induction."""

from amaranth.hdl import Assert, C, Cat, Const, Signal

from siommu.pipeline.events import FaultInfo

__all__ = ["FaultInvariants"]


class FaultInvariants:
    """The invariants over the registers of a fault queue and what the proof knows of it."""

    def __init__(self, state, queue):
        self._state, self._queue = state, queue

    def add(self, m, known):
        """Adds them to the proof ``m``; ``known`` has its signals, by name."""
        signal = self._state.signal
        writing, began, addressing, turns, take = (signal(name) for name in (
            "writer.writing", "writer.began", "writer.addressing", "writer.turns", "take"))
        in_flight, responded, broken, seen = (signal(f"responses.{name}") for name in (
            "in_flight", "responded", "broken", "seen"))
        on, was_off, next_, ring_mask, behind_next = (signal(f"ring.{name}") for name in (
            "on", "was_off", "next", "mask", "behind_next"))
        error, tail = self._queue.registers.error, self._queue.registers.tail
        enable, rises, head, mask, records = (
            known.enable, known.rises, known.head, known.mask, known.records)

        # The writer, and how many records are on their way.
        m.d.sync += [
            Assert(~(began | addressing | turns.any()) | writing),
            Assert(~began | ~(addressing | turns.any())), Assert(~(writing & take)),
            Assert(in_flight + writing == records + responded), Assert(records <= 7),
            Assert(known.addresses == records - (began | addressing)),
            Assert(known.contents == records - (began | turns.any())),
            Assert(~known.old.any() | (known.old <= records)), Assert(on | ~records.any()),
        ]

        # The ring that is in use.
        in_use = on & enable & ~was_off

        def number(value):
            return (value & mask)[:len(mask)]

        used, room = number(next_ - tail), number(head - 1 - tail)
        m.d.sync += [
            Assert(~on | ~rises | was_off), Assert(ring_mask[len(mask):] == 0),
            Assert(behind_next[len(mask):] == 0), Assert(on | ~was_off),
            Assert(~(on & enable & was_off & ~rises) | (known.old == records)),
            Assert(in_use | ~enable | (head == 0)),
            Assert(in_use | ~enable | rises | ~(known.bad | error)),
        ]
        with m.If(in_use):
            m.d.sync += [
                Assert(~known.old.any()), Assert(ring_mask == mask), Assert(next_ == number(next_)),
                Assert(tail == number(tail)), Assert(head == number(head)), Assert(used <= room),
                Assert(broken | (used == records)), Assert(~(known.bad | error) | broken),
                Assert(~known.bad | ~seen | known.failed | known.was_failed),
                Assert(broken | ~seen),
            ]

        # The marked fault, and its record.
        m.d.sync += Assert(~known.flies | (on & ~was_off))
        with m.If(known.flies & enable):
            place = number(known.slot - tail)
            m.d.sync += [
                Assert(known.ahead < records), Assert(~known.doomed | broken),
                Assert(place < used), Assert(known.slot == number(known.slot)),
                Assert(known.doomed | ((place == known.ahead) & ~broken)),
            ]
        with m.If(known.flies & known.newest & writing & enable & ~self._queue.recorded):
            m.d.sync += Assert(known.address == Cat(C(0, 5), known.slot, C(0, 5), C(1, 52)))
        # Its record is written now.
        written = known.newest & writing & ~self._queue.recorded
        m.d.sync += [Assert(known.marked | ~(known.undecided | written | known.flies)),
                     Assert(~known.undecided | ~(written | known.flies))]
        self._wait(m, known, writing, take)

    def _wait(self, m, known, writing, take):
        """The faults that wait: how many, and where the marked one is."""
        state, recorded = self._state, self._queue.recorded
        came, left = state.signal("waiting.came"), state.signal("waiting.left")
        held, place = Signal(len(left)), Signal(len(left))
        m.d.comb += [held.eq(came - left),
                     place.eq(left + known.before + ((writing | take) & ~recorded))]
        m.d.sync += [Assert(held == known.waiting - recorded + writing + take), Assert(held <= 5),
                     Assert(~known.undecided | (known.before < known.waiting)),
                     Assert(~recorded | writing | take)]
        for row in range(1 << len(left)):
            fault = FaultInfo(state.row_now(m, "waiting.ram.words", Const(row, len(left))))
            behind = Signal(len(left), name=f"behind_{row}")
            m.d.comb += behind.eq(row - left)
            marked = (known.undecided & (place == row)) | (
                known.newest & writing & ~recorded & (behind == 0))
            with m.If((behind < held) & ~((behind == 0) & take & ~recorded)):
                m.d.sync += Assert(fault.addr[0] == marked)
            with m.If(known.undecided & (place == row)):
                m.d.sync += Assert(fault.quiet == known.quiet)
