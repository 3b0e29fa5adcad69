"""Memories: how many words they have, and one with a clock at each of its two ports."""

from amaranth import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .payload import Payload, payload_of

__all__ = ["ClockedRam", "words_for"]

LUT_RAM_WORDS = 32      #: two LUT RAMs and a choice between them; a block RAM is slow to answer


def words_for(depth):
    """The words of a memory for ``depth`` of them: a power of two, and two at least.

    An address that does not count may be any number, and reads a word then. Behind the last word
    a simulator would find an unknown, which spreads. A memory of a device has them anyway.
    """
    return 1 << max(ceil_log2(depth), 1)


class ClockedRam(wiring.Component):
    """``depth`` words of ``shape``, or more (:func:`words_for`): in LUT RAM if they are few, else
    in block RAM. What is ``registered`` is in block RAM even if they are few: it takes less, and a
    block RAM's late answer does no harm there.

    What is answered of a word that is written in the cycle of its address is not defined: with that
    promise a tool need not build a way around a block RAM.

    The read port is described as an asynchronous one with a register. Behind it, a tool merges
    that with a block RAM, and knows that collisions do not matter; Amaranth's own synchronous port
    would say that they do. Before it, at the address, it is small, and a LUT RAM answers soon.

    Parameters
    ----------
    shape : shape-like
    depth : int
    registered : bool
        Nothing but a choice stands between ``answer`` and a register.

    Attributes
    ----------
    in_luts : bool

    Members
    -------
    write : In(1), write_address : In, word : In(shape)
    address : In, stays : In(1)
        In cycle *n*; the answer stays as it is.
    answer : Out(shape)
        In cycle *n* + 1.
    """

    def __init__(self, shape, depth, *, registered=False):
        self.in_luts = depth <= LUT_RAM_WORDS and not registered
        # A device without LUT RAM needs a choice for the small ones.
        style = {} if self.in_luts else {"ram_style": "block"}
        self._ram = memory.Memory(shape=shape, depth=words_for(depth), init=[],
                                  attrs={"no_rw_check": 1, **style})
        bits = len(self._ram.read_port(domain="comb").addr)
        super().__init__({
            "write": In(1),
            "write_address": In(bits),
            "word": In(shape),
            "address": In(bits),
            "stays": In(1),
            "answer": Out(shape),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = ram = self._ram
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(self.write), write.addr.eq(self.write_address),
                     write.data.eq(self.word)]
        if self.in_luts:
            address = Payload(len(self.address), name="address_held")
            with m.If(~self.stays):
                m.d.sync += address.eq(self.address)
            m.d.comb += [read.addr.eq(address), self.answer.eq(read.data)]
        else:
            m.d.comb += read.addr.eq(self.address)
            answer = payload_of(m, self.answer)
            with m.If(~self.stays):
                m.d.sync += answer.eq(read.data)
        return m
