"""Frames over a serial port. What is lost on the line is sent again; what stays lost is one
sentence."""

import time

from .protocol import (
    ANSWER_SYNC,
    CRC_BYTES,
    HEAD_BYTES,
    OPERATIONS,
    REQUEST_SYNC,
    Status,
    crc,
    frame,
)

__all__ = ["Link", "LinkError"]

_AGAIN = (Status.BAD_CRC, Status.CUT)


class LinkError(Exception):
    """The board does not answer, or not as it should. The message is a sentence."""


class Link:
    """Executes items on a board.

    Parameters
    ----------
    port : object
        With ``read(n)``, which gives fewer bytes when a time of its own is over, and
        ``write(data)``: a ``serial.Serial`` with a short timeout, for instance.
    name : str
        Of the port, for errors.
    timeout : float
        Seconds to wait for an answer.
    tries : int
        How often a frame is sent.

    Attributes
    ----------
    again : int
        Frames that were sent once more.
    """

    def __init__(self, port, name="the port", timeout=2.0, tries=4):
        self._port, self._name, self._timeout, self._tries = port, name, timeout, tries
        self._sequence = 0              # the first frame is executed whatever came before
        self.again = 0

    def execute(self, name, items):
        """The answers to ``items``, bytes each, of the operation called ``name``.

        Raises
        ------
        LinkError
            No answer came, or one that does not fit.
        """
        operation, answers = OPERATIONS[name], []
        for first in range(0, len(items), operation.most):
            some = items[first:first + operation.most]
            payload = self._exchange(name, operation.code, b"".join(some))
            if len(payload) != operation.answer * len(some):
                raise LinkError(f"{self._name}: the board answered {len(payload)} bytes to "
                                f"{name}, not {operation.answer * len(some)}; its image is of "
                                f"another version")
            answers += [payload[index:index + operation.answer]
                        for index in range(0, len(payload), operation.answer)]
        return answers

    def _exchange(self, name, code, payload):
        sent = frame(REQUEST_SYNC, self._sequence, code, payload)
        wrong = "does not answer"
        for attempt in range(self._tries):
            if attempt:
                self.again += 1
                self._drain()
            self._write(sent)
            found = self._answer()
            if found is None:
                continue
            status, answer = found
            if status in _AGAIN:
                wrong = "receives damaged bytes only"
                continue
            if status != Status.OK:
                known = Status(status).name if status in list(Status) else status
                raise LinkError(f"{self._name}: the board refuses {name} ({known}); its image is "
                                f"of another version")
            self._sequence = self._sequence % 255 + 1
            return answer
        raise LinkError(f"{self._name}: the board {wrong}; is the image loaded, and is the speed "
                        f"right?")

    def _answer(self):
        """(status, payload) of the frame's answer; ``None`` if none came in time."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            if self._read(1, deadline) != bytes((ANSWER_SYNC,)):
                continue
            head = self._read(HEAD_BYTES - 1, deadline)
            rest = self._read(head[0] + CRC_BYTES, deadline) if len(head) == HEAD_BYTES - 1 else b""
            body = head + rest[:-CRC_BYTES]
            if len(rest) < CRC_BYTES or len(rest) != head[0] + CRC_BYTES \
                    or crc(body).to_bytes(CRC_BYTES, "big") != rest[-CRC_BYTES:]:
                return None                         # damaged: the frame is sent again
            _, sequence, status = head
            if sequence == self._sequence or status in _AGAIN:
                return status, rest[:-CRC_BYTES]    # else it is of a frame before
        return None

    def _read(self, count, deadline):
        data = b""
        while len(data) < count and time.monotonic() < deadline:
            try:
                data += self._port.read(count - len(data))
            except OSError as error:
                raise LinkError(f"{self._name}: cannot read: {error}") from None
        return data

    def _write(self, data):
        try:
            self._port.write(data)
        except OSError as error:
            raise LinkError(f"{self._name}: cannot write: {error}") from None

    def _drain(self):
        """Drops what still comes, until the line rests."""
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            try:
                if not self._port.read(256):
                    return
            except OSError as error:
                raise LinkError(f"{self._name}: cannot read: {error}") from None
