"""The protocol between host and board image, declared once: the RTL in ``fpga/image/`` and the host
read it from here.

A frame is ``SYNC, length, sequence, operation, payload, CRC``. The payload has ``length`` bytes and
is a row of *items*, all of the size that the operation has. The answer has another SYNC, the status
where the operation was, and for each item what the operation answers. Numbers are little-endian,
but for the CRC. A board executes a frame once: if the same sequence number comes again, because an
answer was lost, it sends the same answer again. Sequence 0 is always executed.
"""

import binascii
import enum
from dataclasses import dataclass

__all__ = ["ANSWER_SYNC", "BEAT_BYTES", "CRC_BYTES", "HEAD_BYTES", "MAX_PAYLOAD", "Operation",
           "OPERATIONS", "Port", "REQUEST_SYNC", "RESET_MAGIC", "Reply", "SILENCE", "Status",
           "VERSION", "crc", "frame"]

VERSION = 1
REQUEST_SYNC = 0xA5         #: first byte of a frame from the host
ANSWER_SYNC = 0x5A          #: first byte of a frame from the board
HEAD_BYTES = 4
CRC_BYTES = 2
MAX_PAYLOAD = 255
#: Bits on the line after which a frame that stopped in its middle is given up.
SILENCE = 64
RESET_MAGIC = 0x52          #: the item of ``RESET``
BEAT_BYTES = 14


class Status(enum.IntEnum):
    """How a frame ended. Only of ``OK`` were all items executed."""

    OK = 0
    BAD_CRC = 1             #: nothing was executed
    CUT = 2                 #: the frame stopped in its middle; nothing was executed
    BAD_OPERATION = 3       #: there is no such operation
    BAD_LENGTH = 4          #: the payload is no row of whole items, or its answers are too long


class Reply(enum.IntEnum):
    """How an item ended: AXI's responses, and what the board has to say itself."""

    OKAY = 0
    SLVERR = 2              #: a poisoned word; a register that does not exist or is locked
    DECERR = 3              #: no memory is there
    FULL = 4                #: the request was not taken; take answers first
    NO_PORT = 5             #: there is no such port
    HUNG = 6                #: the core's registers do not answer


@dataclass(frozen=True)
class Operation:
    """What an operation's items look like.

    Parameters
    ----------
    code : int
    item : int
        Bytes of an item.
    answer : int
        Bytes that an item is answered with.
    """

    code: int
    item: int
    answer: int

    @property
    def most(self):
        """Items of one frame at most."""
        return min(MAX_PAYLOAD // self.item, MAX_PAYLOAD // self.answer)


class Port(enum.IntEnum):
    """Which unit of the image an operation goes to."""

    BOARD = 0
    MEMORY = 1
    REGISTERS = 2
    REQUESTS = 3


#: By name: the unit, and the operation. Bits 3:2 of the code are the unit, bits 1:0 count.
OPERATIONS = {
    # any byte -> version, log2 of the RAM's bytes, ports, depth of a port, kHz of the clock (4)
    "INFO": Operation(0b0000, 1, 8),
    # RESET_MAGIC -> Reply; resets the core, not the memory
    "RESET": Operation(0b0001, 1, 1),
    # address (4) -> Reply, word (8)
    "READ": Operation(0b0100, 4, 9),
    # address (4), word (8) -> Reply; ends the word's poisoning
    "WRITE": Operation(0b0101, 12, 1),
    # address (4), words minus one (3), 1 if poisoned (1), word (8) -> Reply
    "FILL": Operation(0b0110, 16, 1),
    # offset (2) -> Reply, value (4)
    "REGISTER_READ": Operation(0b1000, 2, 5),
    # offset (2), strobe (1), value (4) -> Reply
    "REGISTER_WRITE": Operation(0b1001, 7, 1),
    # port (1), ft | write << 1 (1), device (2), pasid (3), address (8), pages (1), tag (1) -> Reply
    "SUBMIT": Operation(0b1100, 17, 1),
    # any byte -> 1 if there was a beat (1), port (1), tag (1), cause (1),
    #   last | read << 1 | write << 2 | disposition << 3 | size << 5 (1), pages (1), address (8)
    "COLLECT": Operation(0b1101, 1, BEAT_BYTES),
}


def crc(data):
    """The CRC of a frame's bytes behind SYNC: CRC-16/IBM-3740, sent high byte first."""
    return binascii.crc_hqx(data, 0xFFFF)


def frame(sync, sequence, code, payload):
    """The bytes of a frame."""
    body = bytes((len(payload), sequence, code)) + payload
    return bytes((sync,)) + body + crc(body).to_bytes(CRC_BYTES, "big")
