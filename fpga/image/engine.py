"""Executes frames: item by item, each by the unit that its operation belongs to."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.board.protocol import OPERATIONS, Port, Status

from .unit import ANSWER_BYTES, ITEM_BYTES, Job

__all__ = ["Engine", "frames_of"]

#: Bytes of an item and of its answer by the operation's code; 0 where there is no operation.
_CODES = {operation.code: operation for operation in OPERATIONS.values()}
ITEMS = [_CODES[code].item if code in _CODES else 0 for code in range(16)]
ANSWERS = [_CODES[code].answer if code in _CODES else 0 for code in range(16)]


class Engine(wiring.Component):
    """Takes frames from a ``FrameReceiver``, and gives answers to a ``FrameSender``.

    A frame whose sequence number is that of the last one is answered with the last answer. Frames
    that were damaged, or cannot be executed, are answered with a status and nothing else.

    Members
    -------
    frame, status, sequence, operation, payload, payload_valid : In, payload_ready, done : Out
        Of the receiver.
    answer, answer_valid, fresh, send, empty, answer_sequence, answer_status : Out, sent, room : In
        Of the sender.
    jobs : Out(Job) of each unit, in the order of ``Port``
    failed : Out(1)
        A frame is answered with another status than OK.
    """

    def __init__(self):
        super().__init__({
            "frame": In(1), "status": In(8), "sequence": In(8), "operation": In(8),
            "payload": In(8), "payload_valid": In(1), "payload_ready": Out(1), "done": Out(1),
            "answer": Out(8), "answer_valid": Out(1), "fresh": Out(1), "send": Out(1),
            "empty": Out(1), "answer_sequence": Out(8), "answer_status": Out(8), "sent": In(1),
            "room": In(8), "jobs": Out(Job()).array(len(Port)), "failed": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        last, status, bad = Signal(8), Signal(8), Signal(8)     # bad: of this frame, if it is one
        item, size = Signal(8 * ITEM_BYTES), Signal(range(ITEM_BYTES + 1))
        answer, length = Signal(8 * ANSWER_BYTES), Signal(range(ANSWER_BYTES + 1))
        count = Signal(range(max(ITEM_BYTES, ANSWER_BYTES) + 1))
        runs, done = Signal(), Signal()
        code = self.operation[:4]
        m.d.comb += [
            self.empty.eq(bad != 0), self.answer_status.eq(Mux(bad != 0, bad, status)),
            self.answer_sequence.eq(Mux(bad != 0, 0, self.sequence)),
            self.answer.eq(answer[:8]), self.failed.eq(self.done & (self.answer_status != 0)),
        ]
        found = self._units(m, runs, code, item, done)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [bad.eq(self.status), count.eq(0), size.eq(Array(ITEMS)[code]),
                             length.eq(Array(ANSWERS)[code])]
                with m.If(self.frame & (self.status != Status.OK)):
                    m.next = "SEND"
                with m.Elif(self.frame & (self.sequence == last) & (last != 0)):
                    m.next = "SEND"
                with m.Elif(self.frame):
                    m.d.comb += self.fresh.eq(1)
                    m.d.sync += [last.eq(self.sequence), status.eq(Status.OK)]
                    m.next = "KNOWN"
            with m.State("KNOWN"):
                m.next = "ITEM"
                with m.If((size == 0) | self.operation[4:].any()):
                    m.d.sync += status.eq(Status.BAD_OPERATION)
                    m.next = "SEND"
            with m.State("ITEM"):
                self._collect(m, item, count, size, length, status)
            with m.State("RUN"):
                m.d.comb += runs.eq(1)
                m.d.sync += answer.eq(found)
                with m.If(done):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.answer_valid.eq(1)
                m.d.sync += [answer.eq(answer >> 8), count.eq(count + 1)]
                with m.If(count == length - 1):
                    m.d.sync += count.eq(0)
                    m.next = "ITEM"
            with m.State("SEND"):
                m.d.comb += self.send.eq(1)
                m.next = "SENDING"
            with m.State("SENDING"):
                with m.If(self.sent):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m

    def _collect(self, m, item, count, size, length, status):
        """Puts an item together from the payload, if there is one and room for its answer."""
        with m.If(count == size):
            m.d.sync += count.eq(0)
            m.next = "RUN"
        with m.Elif(self.payload_valid):
            m.d.comb += self.payload_ready.eq(1)
            m.d.sync += [item.word_select(count, 8).eq(self.payload), count.eq(count + 1)]
            with m.If((count == 0) & (self.room < length)):
                m.d.sync += status.eq(Status.BAD_LENGTH)
                m.next = "SEND"
        with m.Else():
            with m.If(count != 0):
                m.d.sync += status.eq(Status.BAD_LENGTH)
            m.next = "SEND"

    def _units(self, m, runs, code, item, done):
        """Gives the item to its unit; what that answers when ``done``."""
        found = Signal(8 * ANSWER_BYTES)
        for unit, job in enumerate(self.jobs):
            m.d.comb += [job.item.eq(item), job.kind.eq(code[:2])]
            with m.If(code[2:] == unit):
                m.d.comb += [job.valid.eq(runs), done.eq(job.done), found.eq(job.answer)]
        return found


def frames_of(receive, engine, answer):
    """Statements that join an ``Engine`` to its ``FrameReceiver`` and its ``FrameSender``."""
    return [
        engine.frame.eq(receive.frame), engine.status.eq(receive.status),
        engine.sequence.eq(receive.sequence), engine.operation.eq(receive.operation),
        engine.payload.eq(receive.payload.payload),
        engine.payload_valid.eq(receive.payload.valid),
        receive.payload.ready.eq(engine.payload_ready), receive.done.eq(engine.done),
        answer.payload.payload.eq(engine.answer), answer.payload.valid.eq(engine.answer_valid),
        answer.fresh.eq(engine.fresh), answer.send.eq(engine.send),
        answer.empty.eq(engine.empty), answer.sequence.eq(engine.answer_sequence),
        answer.status.eq(engine.answer_status), engine.sent.eq(answer.sent),
        engine.room.eq(answer.room),
    ]
