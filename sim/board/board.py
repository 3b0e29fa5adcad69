"""A board behind a link: its memory, its registers, its ports."""

import time
from dataclasses import dataclass

from siommu.arch.formats import Mode
from siommu.arch.register_map import COUNTERS, REGISTERS

from ..host.control.fault_queue import FaultRecord
from ..host.control.offsets import COUNTER_BASE, Reg, bit
from ..model.responses import Beat
from .protocol import RESET_MAGIC, VERSION, Reply

__all__ = ["Board", "BoardError", "Info"]

RECORD = 32             #: bytes
WORD = 8


class BoardError(Exception):
    """The board refuses something. The message is a sentence."""


@dataclass(frozen=True)
class Info:
    """What a board says of itself.

    Parameters
    ----------
    version : int
        Of the protocol.
    memory : int
        Bytes, from address 0 on.
    ports : int
    depth : int
        Requests that a port may have outstanding.
    khz : int
        The clock.
    """

    version: int
    memory: int
    ports: int
    depth: int
    khz: int


def _reply(answer, what):
    """Raises what a Reply other than OKAY means."""
    reply = answer[0]
    if reply != Reply.OKAY:
        known = Reply(reply).name if reply in list(Reply) else f"reply {reply}"
        raise BoardError(f"the board refuses {what}: {known}")
    return answer[1:]


class Board:
    """A board.

    Parameters
    ----------
    link : Link
    patience : float
        Seconds to wait for beats.

    Attributes
    ----------
    info : Info
    """

    def __init__(self, link, patience=5.0):
        self._link, self._patience = link, patience
        (answer,) = link.execute("INFO", [b"\0"])
        version, log2, ports, depth = answer[:4]
        self.info = Info(version, 1 << log2, ports, depth, int.from_bytes(answer[4:], "little"))
        if version != VERSION:
            raise BoardError(f"the board speaks version {version} of the protocol, this tool "
                             f"version {VERSION}; load an image of this release")

    def reset(self):
        """Resets the core; the memory stays."""
        _reply(self._link.execute("RESET", [bytes((RESET_MAGIC,))])[0], "a reset")

    # -- memory --------------------------------------------------------------------------------

    def read_words(self, addresses):
        """The 64-bit words at these addresses."""
        answers = self._link.execute("READ", [self._address(addr) for addr in addresses])
        return [int.from_bytes(_reply(answer, f"a read at {addr:#x}"), "little")
                for addr, answer in zip(addresses, answers)]

    def write_words(self, words):
        """Writes words, a dictionary by address."""
        answers = self._link.execute("WRITE", [self._address(addr) + value.to_bytes(WORD, "little")
                                               for addr, value in words.items()])
        for addr, answer in zip(words, answers):
            _reply(answer, f"a write at {addr:#x}")

    def fill(self, addr, n, value=0, poison=False):
        """Writes ``n`` bytes with the same word; with ``poison``, reads of them fail."""
        item = (self._address(addr) + (n // WORD - 1).to_bytes(3, "little")
                + bytes((int(poison),)) + value.to_bytes(WORD, "little"))
        _reply(self._link.execute("FILL", [item])[0], f"a fill of {n} bytes at {addr:#x}")

    def _address(self, addr):
        if addr % WORD or not 0 <= addr < self.info.memory:
            raise BoardError(f"there is no word at {addr:#x}: the board has {self.info.memory} "
                             f"bytes, and words are aligned to {WORD}")
        return addr.to_bytes(4, "little")

    # -- registers -----------------------------------------------------------------------------

    def get(self, name):
        """The value of a register by its name in §7, such as ``DDT_BASE_LOW``."""
        return self.registers([name])[name]

    def registers(self, names=None):
        """Values of registers by name; without names, of all."""
        names = [entry.name for entry in REGISTERS] if names is None else names
        items = [self._offset(name) for name in names]
        return {name: int.from_bytes(_reply(answer, f"a read of {name}"), "little")
                for name, answer in zip(names, self._link.execute("REGISTER_READ", items))}

    def set(self, name, value):
        """Writes a register."""
        if not 0 <= value < 1 << 32:
            raise BoardError(f"{value:#x} does not fit into {name}, which has 32 bits")
        item = self._offset(name) + b"\x0F" + value.to_bytes(4, "little")
        _reply(self._link.execute("REGISTER_WRITE", [item])[0], f"a write of {value:#x} to {name}")

    @staticmethod
    def _offset(name):
        if name not in Reg.__members__:
            raise BoardError(f"there is no register {name}; `siommu-host registers` lists them")
        return Reg[name].to_bytes(2, "little")

    def set_pair(self, name, value):
        """Writes a register of 64 bits, ``DDT_BASE`` for instance."""
        self.set(f"{name}_LOW", value & 0xFFFF_FFFF)
        self.set(f"{name}_HIGH", value >> 32)

    def get_pair(self, name):
        """The value of a register of 64 bits; the low word is read first."""
        pair = self.registers([f"{name}_LOW", f"{name}_HIGH"])
        return pair[f"{name}_LOW"] | pair[f"{name}_HIGH"] << 32

    def counters(self):
        """All counters by name."""
        offsets = [COUNTER_BASE + 4 * index for index in range(2 * len(COUNTERS))]
        names = {offset: Reg(offset).name for offset in offsets}
        found = self.registers([names[offset] for offset in offsets])
        words = [found[names[offset]] for offset in offsets]
        return {name: words[2 * index] | words[2 * index + 1] << 32
                for index, name in enumerate(COUNTERS)}

    def stop(self):
        """MODE = ABORT, which empties every cache, and waits until nothing is in flight."""
        self.set("CTRL", Mode.ABORT.value)
        self._wait(lambda: not self.get("STATUS") & 3, "requests in flight do not end")

    def start(self, base, log2, check_ad=0):
        """MODE = TRANSLATE with the device directory at ``base``. The mode must be ABORT."""
        self.set_pair("DDT_BASE", base)
        self.set("DDT_LOG2", log2)
        self.set("CTRL", Mode.TRANSLATE.value | (bit("CTRL", "CHECK_AD") if check_ad else 0))

    def _wait(self, condition, wrong):
        deadline = time.monotonic() + self._patience
        while not condition():
            if time.monotonic() > deadline:
                raise BoardError(f"the core hangs: {wrong} in {self._patience:g} s")

    # -- faults --------------------------------------------------------------------------------

    def open_faults(self, addr, log2=6):
        """Lets the core write fault records to a ring of 2^``log2`` at ``addr``."""
        self.set("FQ_CTRL", 0)
        self.set_pair("FQ_BASE", addr)
        self.set("FQ_LOG2", log2)
        self.set("FQ_CTRL", 1)

    def faults(self):
        """Takes the fault records that wait: a list of ``FaultRecord``, oldest first.

        Raises
        ------
        BoardError
            The fault queue is off.
        """
        state = self.registers(["FQ_CTRL", "FQ_HEAD", "FQ_TAIL", "FQ_LOG2"])
        if not state["FQ_CTRL"] & 1:
            raise BoardError("the fault queue is off; `siommu-host load` turns it on")
        base, head, records = self.get_pair("FQ_BASE"), state["FQ_HEAD"], []
        while head != state["FQ_TAIL"]:
            place = base + RECORD * head
            words = self.read_words([place + WORD * index for index in range(RECORD // WORD)])
            records.append(FaultRecord.unpack(b"".join(word.to_bytes(WORD, "little")
                                                       for word in words)))
            head = (head + 1) % (1 << state["FQ_LOG2"])
        self.set("FQ_HEAD", head)
        return records

    # -- requests ------------------------------------------------------------------------------

    def submit(self, requests):
        """Queues (port, ``Access``) pairs, in their order."""
        items = [bytes((port, access.ft | access.write << 1)) + access.device.to_bytes(2, "little")
                 + access.pasid.to_bytes(3, "little") + access.addr.to_bytes(8, "little")
                 + bytes((access.pages, access.tag)) for port, access in requests]
        for (port, _), answer in zip(requests, self._link.execute("SUBMIT", items)):
            _reply(answer, f"a request at port {port}")

    def collect(self, count):
        """At most ``count`` beats that have come: (port, ``Beat``) pairs."""
        return [self._beat(answer) for answer in self._link.execute("COLLECT", [b"\0"] * count)
                if answer[0]]

    @staticmethod
    def _beat(answer):
        _, port, tag, cause, flags, pages = answer[:6]
        return port, Beat(tag, flags & 1, cause, flags >> 3 & 3,
                          int.from_bytes(answer[6:], "little"), pages, flags >> 1 & 1,
                          flags >> 2 & 1, flags >> 5 & 3)

    def ask(self, requests):
        """The beats of each of some (port, ``Access``) pairs, whose tags differ: a list of lists.

        No more than the depth of a port, so that none need wait for the queues.
        """
        beats = {(port, access.tag): [] for port, access in requests}
        if len(beats) != len(requests) or len(requests) > self.info.depth:
            raise BoardError(f"{len(requests)} requests cannot be asked at once: at most "
                             f"{self.info.depth}, with tags of their own")
        self.submit(requests)
        open_, deadline = set(beats), time.monotonic() + self._patience
        while open_:
            for port, beat in self.collect(max(2, len(open_))):
                if (port, beat.tag) not in beats:
                    raise BoardError(f"a beat came for nobody at port {port}: {beat}; reset the "
                                     f"board")
                beats[port, beat.tag].append(beat)
                if beat.last:
                    open_.discard((port, beat.tag))
                deadline = time.monotonic() + self._patience
            if time.monotonic() > deadline:
                raise BoardError(f"no answer to {len(open_)} of {len(requests)} requests in "
                                 f"{self._patience:g} s")
        return [beats[port, access.tag] for port, access in requests]
