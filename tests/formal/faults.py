"""The fault queue (§5.1), whatever software, memory and faults do: no record that software has not
read is overwritten, FQ_TAIL advances only behind the response to its record, and every fault is
either recorded or counted as lost.

One fault is chosen, any one: it bears a mark, by which its record is known. What is proven of it
holds for each. Software turns the queue on and off when it likes, and moves FQ_HEAD no further than
FQ_TAIL; memory takes a record when it likes, and answers late, with errors now and then.
"""

from types import SimpleNamespace

from amaranth.hdl import Assert, Assume, C, Cat, Cover, Module, Mux, Signal
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.arch.formats import RECORD_BYTES
from siommu.control.fault_queue import FaultQueue
from siommu.control.fault_ring import IN_FLIGHT

from .faults_state import FaultInvariants
from .state import State
from .temporal import delayed

__all__ = ["FaultQueueProof"]

#: One port; a record is one beat.
TINY = Config(device_ports=1, cpu_port=False, port_depth=4, axi_data_width=8 * RECORD_BYTES)
LOG2_MAX = 2        #: the ring has 2 or 4 slots


class FaultQueueProof(Component):
    """The fault queue of one port, with a ring of 2 or 4 slots."""

    enable: In(1)
    log2: In(2)
    head_written: In(1)
    advance: In(LOG2_MAX)
    clear: In(1)
    quota: In(2)
    fault: In(1)
    quiet: In(1)
    mark: In(1)
    aw_ready: In(1)
    w_ready: In(1)
    b: In(1)
    b_failed: In(1)

    def elaborate(self, platform):
        m = Module()
        queue = FaultQueue(TINY)
        state = State(queue)
        m.submodules.queue = state.fragment
        adds = state.signal("begins")       # a record is added
        mask, head, failed = Signal(LOG2_MAX), Signal(LOG2_MAX), Signal()
        registers, tail = queue.registers, queue.registers.tail[:LOG2_MAX]
        m.d.comb += [
            mask.eq(Mux(self.log2 == 1, 1, 3)),
            registers.enable.eq(self.enable), registers.base.eq(1), registers.log2.eq(self.log2),
            registers.head.eq(head), registers.quota.eq(self.quota), registers.failed.eq(failed),
            queue.fault.valid.eq(self.fault), queue.fault.payload.quiet.eq(self.quiet),
            queue.fault.payload.addr.eq(self.mark),
            queue.aw.ready.eq(self.aw_ready), queue.w.ready.eq(self.w_ready),
            queue.b.valid.eq(self.b), queue.b.payload.eq(self.b_failed),
        ]
        self._software(m, registers, head, tail, mask, failed)
        waiting, marked = self._faults(m, queue)
        addresses, contents = self._memory(m, queue)

        # Records that are written, of those the ones to a ring of before.
        records, old, bad = Signal(range(IN_FLIGHT + 2)), Signal(range(IN_FLIGHT + 2)), Signal()
        rises = self.enable & ~delayed(m, self.enable, 1)
        m.d.sync += records.eq(records + adds - self.b)
        with m.If(rises):
            m.d.sync += old.eq(records - self.b)
        with m.Elif(self.b & old.any()):
            m.d.sync += old.eq(old - 1)
        m.d.sync += Assert(~adds | ((records < IN_FLIGHT) & ~rises & ~(self.enable & old.any())))

        # The tail: it moves behind a response that tells of no error, while FQ_ERROR is clear or
        # was cleared since.
        ours = Signal()
        m.d.comb += ours.eq(self.enable & ~rises & ~old.any())
        was_failed = delayed(m, failed, 1)
        with m.If(rises | (was_failed & ~failed)):
            m.d.sync += bad.eq(0)
        with m.Elif(registers.error):
            m.d.sync += bad.eq(1)
        before, follows, moves = delayed(m, tail, 1), Signal(), Signal()
        steady = self.enable & delayed(m, ours, 1)
        m.d.comb += [moves.eq(tail != before),
                     follows.eq(delayed(m, self.b & ~self.b_failed & ~bad & ~registers.error, 1))]
        with m.If(self.enable & moves & ~rises):
            m.d.sync += [Assert(follows & steady), Assert(tail == (before + 1) & mask),
                         Assert(tail != head)]
        with m.If(rises):
            m.d.sync += Assert(tail == 0)
        known = SimpleNamespace(
            enable=self.enable, rises=rises, head=head, tail=tail, mask=mask, failed=failed,
            was_failed=was_failed, adds=adds, records=records, old=old, bad=bad, ours=ours,
            moves=moves, steady=steady, waiting=waiting, marked=marked, addresses=addresses,
            contents=contents)
        self._watch(m, queue, known)
        FaultInvariants(state, queue).add(m, known)
        return m

    def _software(self, m, registers, head, tail, mask, failed):
        """The registers: the ring stays while the queue is on, which begins with FQ_HEAD = 0; it
        is advanced to FQ_TAIL at most; FQ_ERROR is cleared at any time."""
        was_on = delayed(m, self.enable, 1)
        m.d.sync += [
            Assume((self.log2 == 1) | (self.log2 == 2)),
            Assume(~was_on | ~self.enable | (self.log2 == delayed(m, self.log2, 1))),
        ]
        advances, written = Signal(), Signal()
        m.d.comb += [
            advances.eq(self.head_written & self.enable),
            registers.head_written.eq(written),
        ]
        m.d.sync += [
            Assume(self.advance <= ((tail - head) & mask)),
            written.eq(advances), failed.eq((failed & ~self.clear) | registers.error),
        ]
        with m.If(~self.enable):
            m.d.sync += head.eq(0)
        with m.Elif(advances):
            m.d.sync += head.eq((head + self.advance) & mask)

    def _faults(self, m, queue):
        """As many faults wait for the decision about their records as the port may have requests
        outstanding. One of them, at most, bears the mark."""
        waiting, marked = Signal(range(TINY.port_depth + 1)), Signal()
        m.d.sync += [
            waiting.eq(waiting + self.fault - queue.recorded),
            Assume(~self.fault | (waiting < TINY.port_depth)),
            Assert(~queue.recorded | waiting.any()),
            marked.eq(marked | (self.fault & self.mark)), Assume(~self.mark | ~marked),
        ]
        return waiting, marked

    def _memory(self, m, queue):
        """A response comes behind the address and the data of its record."""
        addresses, contents = (Signal(range(IN_FLIGHT + 2), name=name)
                               for name in ("addresses", "contents"))
        m.d.sync += [
            addresses.eq(addresses + (queue.aw.valid & queue.aw.ready) - self.b),
            contents.eq(contents + (queue.w.valid & queue.w.ready) - self.b),
            Assume(~self.b | (addresses.any() & contents.any())),
        ]
        return addresses, contents

    def _watch(self, m, queue, known):
        """The marked fault: undecided, then its record on the way, until the response. ``known``
        are the signals of the proof, by name; those of the marked fault come to them."""
        waiting, records, tail, head, mask, moves, steady = (getattr(known, name) for name in (
            "waiting", "records", "tail", "head", "mask", "moves", "steady"))
        undecided, quiet, decided, flies, doomed, newest = (Signal(name=name) for name in (
            "undecided", "quiet_one", "decided", "flies", "doomed", "newest"))
        before, ahead, slot = Signal.like(waiting), Signal.like(records), Signal(LOG2_MAX)
        m.d.comb += decided.eq(undecided & queue.recorded & ~before.any())
        with m.If(self.fault & self.mark):
            m.d.sync += [undecided.eq(1), before.eq(waiting - queue.recorded),
                         quiet.eq(self.quiet)]
        with m.Elif(decided):
            m.d.sync += undecided.eq(0)
        with m.Elif(queue.recorded):
            m.d.sync += before.eq(before - 1)

        # One cycle behind the decision it is known: a record is added, or else it is lost.
        added, responded = delayed(m, known.adds, 1), delayed(m, self.b, 1)
        gone = Signal()         # a record that came to its response, and did not move the tail
        m.d.comb += gone.eq(responded & ~moves)
        with m.If(steady & decided):
            m.d.sync += [Assert(queue.lost == gone + ~(quiet | added)), Assert(~added | ~quiet)]
        with m.If(steady & ~queue.recorded):
            m.d.sync += Assert(queue.lost == gone)
        m.d.sync += Assert(~known.adds | delayed(m, self.enable, 1))    # off: nothing is recorded
        # FQ_OVERFLOW says what it is to: head, as it was compared; the slots that were taken.
        compared, taken = delayed(m, head, 2), delayed(m, tail + records, 1)
        m.d.sync += Assert(~(steady & queue.registers.overflow)
                           | (((taken + 1 - compared)[:LOG2_MAX] & mask) == 0))

        # Its record: where it goes, and how many responses come before its own.
        fails = self.b & self.b_failed
        failed_before = delayed(m, fails, 1)
        with m.If(added):
            m.d.sync += newest.eq(decided)
        with m.If(decided & added & steady):
            m.d.sync += [flies.eq(1), doomed.eq(fails | failed_before),
                         ahead.eq(records - 1 - self.b), slot.eq(taken[:LOG2_MAX] & mask)]
        with m.Elif(~self.enable | (self.b & ~ahead.any())):
            m.d.sync += flies.eq(0)
        with m.Elif(self.b):
            m.d.sync += [ahead.eq(ahead - 1), doomed.eq(doomed | fails)]
        lands = flies & self.enable & self.b & ~ahead.any()
        landed, is_good = delayed(m, lands, 1), delayed(m, lands & ~doomed & ~self.b_failed, 1)
        fails_then, doomed_then = delayed(m, fails, 1), delayed(m, doomed, 1)
        tail_before, address, content = delayed(m, tail, 1), queue.aw.payload.addr, queue.w.payload
        with m.If(flies & self.enable):
            m.d.sync += Assert(((slot - head) & mask) >= ((tail - head) & mask))
            with m.If(newest & queue.aw.valid):
                m.d.sync += Assert(address == Cat(C(0, 5), slot, C(0, 5), C(1, 52)))
        with m.If(queue.w.valid):
            m.d.sync += Assert(content.data[64] == newest)
        with m.If(landed & self.enable):
            m.d.sync += [
                Assert(moves == is_good),
                Assert(queue.registers.error == (fails_then & ~doomed_then)),
                Assert(~is_good | ((tail_before == slot) & (tail == (slot + 1) & mask)))]

        wrapped, broke = Signal(), Signal()
        m.d.sync += [
            wrapped.eq(wrapped | (moves & (tail == 0) & self.enable)),
            broke.eq(broke | (fails & known.ours)),
            Cover(wrapped & landed & is_good & self.enable),
            Cover(broke & landed & is_good & self.enable),
            Cover(queue.registers.overflow & steady & decided),
            Cover(queue.registers.limited & steady & decided),
        ]
        vars(known).update(undecided=undecided, quiet=quiet, before=before, newest=newest,
                           flies=flies, doomed=doomed, ahead=ahead, slot=slot, address=address)
