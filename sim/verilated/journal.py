"""A record of all that went into a core, and the replay of it, cycle by cycle.

The core is a function of its inputs: calls, and the words that memory answered. Both are kept since
the last reset, where every cache is empty. A replay needs no machine: it gives the same calls, and
memory the words that were read, and so leads to the same answers in the same cycles, with waves.
"""

import ctypes
import json
from dataclasses import asdict

from siommu.generate.files import write_whole

from ..model.responses import Access
from .core import Core, Region

__all__ = ["Journal", "JournalCore", "ReplayError", "replay"]

PAGE = 4096
LIMIT = 3_000_000                       #: calls and words kept; more is too long for a replay
FORMAT = 1


class ReplayError(RuntimeError):
    """A journal cannot be replayed, or the replay went another way. The message says why."""


class Journal:
    """Calls and words, as lists that JSON can hold.

    ``["words", [[address, value, response, write], ...]]`` stands behind the calls during which
    these words crossed the bus.
    """

    def __init__(self):
        self.clear()

    def clear(self, latency=1):
        """Forgets all; the core has just been reset."""
        self.entries = [["set_latency", latency]]
        self.latency = latency
        self._size = 0
        self.overlong = False

    def add(self, name, *arguments, size=1):
        """Adds a call, or words."""
        self._size += size
        self.overlong = self.overlong or self._size > LIMIT
        if not self.overlong:
            self.entries.append([name, *arguments])

    def write(self, path, answer):
        """Writes the journal to the file ``path``; ``answer`` is what it leads to: a port, an
        ``Access`` and every ``Beat`` of it.

        Raises
        ------
        WriteError
        ReplayError
            The run was too long.
        """
        if self.overlong:
            raise ReplayError(f"more than {LIMIT} calls and words since the last reset: the run is "
                              f"too long for a replay")
        port, access, beats = answer
        write_whole(path, json.dumps({
            "format": FORMAT, "port": port, "request": asdict(access),
            "beats": [asdict(beat) for beat in beats], "entries": self.entries}))


class JournalCore(Core):
    """A ``Core`` that keeps a journal. Its words are recorded from the start; ``accesses`` must be
    called now and then."""

    def __init__(self, library):
        super().__init__(library)
        self.journal = Journal()
        self.record()

    def reset(self):
        """As ``Core.reset``; the journal begins anew."""
        super().reset()
        super().accesses()
        self.journal.clear(self.journal.latency)

    def set_latency(self, cycles):
        """As ``Core.set_latency``."""
        super().set_latency(cycles)
        self.journal.latency = cycles
        self.journal.add("set_latency", cycles)

    def read(self, offset):
        """As ``Core.read``."""
        self.journal.add("read", offset)
        return super().read(offset)

    def write(self, offset, value, strobe=0xF):
        """As ``Core.write``."""
        self.journal.add("write", offset, value, strobe)
        return super().write(offset, value, strobe)

    def submit(self, port, access):
        """As ``Core.submit``."""
        self.journal.add("submit", port, asdict(access))
        super().submit(port, access)

    def forget(self, port):
        """As ``Core.forget``."""
        self.journal.add("forget", port)
        super().forget(port)

    def clock(self, cycles):
        """As ``Core.clock``."""
        self.journal.add("clock", cycles)
        super().clock(cycles)

    def run(self, limit):
        """As ``Core.run``."""
        cycles = super().run(limit)
        if cycles:                      # a call that clocks nothing changes nothing
            self.journal.add("run", limit)
        return cycles

    def accesses(self):
        """As ``Core.accesses``."""
        words = super().accesses()
        if words:
            self.journal.add("words", [[word.address, word.value, word.response, int(word.write)]
                                       for word in words], size=len(words))
        return words


class _Memory:
    """Pages for all words that memory had; the words come group by group."""

    def __init__(self, entries):
        self._pages = {}
        for name, *arguments in entries:
            for address, _, response, _ in arguments[0] if name == "words" else ():
                if not response:
                    self._pages.setdefault(address & -PAGE, (ctypes.c_char * PAGE)())

    def regions(self):
        return [Region(page, PAGE, ctypes.addressof(content))
                for page, content in self._pages.items()]

    def prepare(self, words):
        """What is read next stands in memory: of a word that is read twice, the first value."""
        for address, value, response, write in reversed(words):
            if not response and not write:
                page, offset = self._pages[address & -PAGE], address % PAGE
                page[offset:offset + 8] = value.to_bytes(8, "little")


def replay(path, library, waves=None):
    """Replays the journal in the file ``path``; returns its port, ``Access`` and beats, which the
    core has given again.

    Parameters
    ----------
    path : Path
    library : Path
        Of ``build_library``; made with waves if ``waves`` is given.
    waves : Path or None
        A VCD file to write.

    Raises
    ------
    ReplayError
        The file is no journal, or the core answers otherwise than it did.
    """
    try:
        content = json.loads(path.read_text())
        entries, port = content["entries"], content["port"]
        access = Access(**content["request"])
        known = content["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{path} is no journal: {error}") from None
    if not known:
        raise ReplayError(f"{path} is a journal of another format")
    beats = []
    with Core(library) as core:
        memory = _Memory(entries)
        core.map(memory.regions())
        core.record()
        if waves is not None:
            core.trace(waves)
        group = []
        for entry in [*entries, ["words", []]]:
            if entry[0] != "words":
                group.append(entry)
                continue
            memory.prepare(entry[1])
            for name, *arguments in group:
                _call(core, name, arguments)
            group = []
            _compare(core, entry[1])
            beats += [asdict(beat) for _, beat in core.collect(port)]
    wanted = content["beats"]
    if beats[len(beats) - len(wanted):] != wanted:
        raise ReplayError(f"the core answers {access} otherwise than it did")
    return port, access, wanted


def _call(core, name, arguments):
    if name == "submit":
        arguments = [arguments[0], Access(**arguments[1])]
    getattr(core, name)(*arguments)


def _compare(core, words):
    found = [[word.address, word.value, word.response, int(word.write)]
             for word in core.accesses()]
    for index, (new, old) in enumerate(zip(found, words)):
        if new != old:
            raise ReplayError(f"the replay went another way: word {index} of a group of "
                              f"{len(words)} is {new}, and was {old}. A word that the guest "
                              f"changed within one group cannot be replayed")
    if len(found) != len(words):
        raise ReplayError(f"the replay went another way: {len(found)} words crossed the bus in a "
                          f"group, and {len(words)} did")
