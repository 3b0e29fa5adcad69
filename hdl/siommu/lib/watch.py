"""Parity beside a memory: what is read is compared with what was written there (``fail_stop``).

::

    written ──> sums ──> a bit for each word ──┐
    read    ──> sums ──────────────────────────┴──> differ? ──> ``damaged``

All of it is a cycle behind the memory, behind registers of its own: nothing of it stands in a path
of the memory. Whoever has a memory that answers depend on says so with :func:`watch`, which does
nothing unless somebody listens (:func:`watching`).
"""

from contextlib import contextmanager
from contextvars import ContextVar

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import fifo, memory, wiring
from amaranth.lib.wiring import In, Out

from .clocked_ram import ClockedRam, words_for
from .parity import parity_sums
from .payload import Payload

__all__ = ["STOP_CYCLES", "WATCH_CYCLES", "WordWatch", "watch", "watch_clocked", "watch_queue",
           "watching"]

WATCH_CYCLES = 2        #: from a word that is read to ``damaged``
STOP_CYCLES = 4         #: from a word that is read to the core's stop (``control/fail_stop.py``)

_DAMAGED = ContextVar("siommu_damaged", default=None)


class WordWatch(wiring.Component):
    """Watches the words of one memory.

    Parameters
    ----------
    width, depth : int
        Of the memory.
    clocked : bool
        Its answer comes in the cycle after the address, as that of a :class:`ClockedRam`.
    in_luts : bool
        Of a clocked one: it reads at the end of that cycle, as those in LUT RAM do.
    written : bool
        Words that were not written since the reset may be read, and are not compared.

    Members
    -------
    write : In(1), write_address : In, word : In(width)
    address : In, stays : In(1)
        The word that is read. ``stays`` as of :class:`ClockedRam`; 0 without a clock.
    answer : In(width), counts : In(1)
        In the cycle in which it is there: what was read, and whether anybody uses it.
    damaged : Out(1)
        ``WATCH_CYCLES`` later: it is used, and has an odd number of wrong bits.
    """

    def __init__(self, width, depth, *, clocked=False, in_luts=True, written=False):
        self._width, self._depth, self._clocked = width, words_for(depth), clocked
        self._in_luts, self._written = in_luts, written
        bits = (self._depth - 1).bit_length()
        super().__init__({
            "write": In(1),
            "write_address": In(bits),
            "word": In(width),
            "address": In(bits),
            "stays": In(1),
            "answer": In(width),
            "counts": In(1),
            "damaged": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # What a memory is told in a reset counts there, and so it does here.
        writes, stays = Payload(name="writes"), Payload(name="stays_held")
        write_address, address = (Payload(len(self.address), name=name)
                                  for name in ("write_address_held", "address_held"))
        word, answer, counts = (Payload(len(parity_sums(self.word)), name="word_sums"),
                                Payload(len(parity_sums(self.word)), name="answer_sums"),
                                Signal())
        m.d.sync += [
            writes.eq(self.write), write_address.eq(self.write_address), stays.eq(self.stays),
            address.eq(self.address), word.eq(parity_sums(self.word)),
            answer.eq(parity_sums(self.answer)), counts.eq(self.counts),
        ]
        expected, known = Signal(), Signal()
        if self._clocked:
            m.submodules.parities = ram = ClockedRam(1, self._depth, registered=not self._in_luts)
            m.d.comb += [
                ram.write.eq(writes), ram.write_address.eq(write_address), ram.word.eq(word.xor()),
                ram.address.eq(address), ram.stays.eq(stays), expected.eq(ram.answer),
            ]
        else:
            m.submodules.parities = ram = memory.Memory(shape=1, depth=self._depth, init=[])
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [write.en.eq(writes), write.addr.eq(write_address),
                         write.data.eq(word.xor()), read.addr.eq(address), expected.eq(read.data)]
        m.d.comb += known.eq(self._is_known(m, writes, write_address, address, stays))
        m.d.sync += self.damaged.eq(counts & known & (expected != answer.xor()))
        return m

    def _is_known(self, m, writes, write_address, address, stays):
        """Whether the word whose parity is ``expected`` says anything: not if it was not written
        since the reset, nor if a block RAM got it in the cycle of its address."""
        found = 1
        if self._written:
            written = Signal(self._depth)
            m.d.sync += written.eq(written | (writes << write_address))
            found = (written >> address)[0]
        if not self._clocked:
            return found
        if not self._in_luts:
            found &= ~(writes & (write_address == address))
        known = Signal(name="known_held")
        with m.If(~stays):
            m.d.sync += known.eq(found)
        return known


@contextmanager
def watching():
    """While it is entered, memories that are elaborated are watched. Gives the list of the
    ``damaged`` of them all, which is complete behind the elaboration."""
    token = _DAMAGED.set([])
    try:
        yield _DAMAGED.get()
    finally:
        _DAMAGED.reset(token)


def watch(m, name, write, read, *, counts=1, written=False):
    """Watches a memory of Amaranth by its ports, if somebody listens.

    Parameters
    ----------
    m : Module
        It gets the submodule ``name``.
    write, read : WritePort, ReadPort
        The read port is combinational, or answers one cycle later.
    counts : Value
        What is read is used. In the cycle in which it is there.
    written : bool
        As of :class:`WordWatch`.
    """
    if _DAMAGED.get() is not None:
        late = read.domain != "comb"
        _add(m, name, WordWatch(len(Value.cast(read.data)), 1 << len(read.addr), clocked=late,
                                in_luts=False, written=written),
             write=write.en, write_address=write.addr, word=write.data, address=read.addr,
             answer=read.data, counts=counts)


def watch_clocked(m, name, ram, *, counts=1, written=False):
    """The same of a :class:`ClockedRam`."""
    if _DAMAGED.get() is not None:
        _add(m, name, WordWatch(len(Value.cast(ram.word)), 1 << len(ram.address), clocked=True,
                                in_luts=ram.in_luts, written=written),
             **{member: getattr(ram, member) for member in (
                 "write", "write_address", "word", "address", "stays", "answer")}, counts=counts)


def watch_queue(m, name, queue):
    """The same of a ``SyncFIFO`` of Amaranth: beside it, another one of parities."""
    if _DAMAGED.get() is not None:
        m.submodules[name] = parities = fifo.SyncFIFO(width=1, depth=queue.depth)
        damaged = Signal(name=f"{name}_damaged")
        m.d.comb += [parities.w_en.eq(queue.w_en), parities.w_data.eq(queue.w_data.xor()),
                     parities.r_en.eq(queue.r_en)]
        m.d.sync += damaged.eq(queue.r_rdy & (parities.r_data != queue.r_data.xor()))
        _DAMAGED.get().append(damaged)


def _add(m, name, words, **members):
    m.submodules[name] = words
    damaged = Signal(name=f"{name}_damaged")
    m.d.comb += [getattr(words, member).eq(Cat(value)) for member, value in members.items()]
    m.d.comb += damaged.eq(words.damaged)
    _DAMAGED.get().append(damaged)
