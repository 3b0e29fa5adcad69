"""A memory in block RAM: one port writes, one reads with a clock."""

from amaranth import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .payload import payload_of

__all__ = ["BlockRam"]


class BlockRam(wiring.Component):
    """``depth`` words of ``shape``, at least two.

    The answer to a read of the word that is written in the same cycle is not defined: with that
    promise a tool need not build a way around the memory. It is made with block RAM however small
    it is, for a LUT RAM takes six LUTs for each four bits, and block RAMs lie idle in every FPGA
    that has room for this core.

    The read port is described as an asynchronous one with a register behind it. A tool merges the
    two, and then knows that collisions do not matter; Amaranth's own synchronous port would say
    that they do.

    Parameters
    ----------
    shape : shape-like
    depth : int

    Members
    -------
    write : In(1), write_address : In, word : In(shape)
    address : In
        In cycle *n*.
    answer : Out(shape)
        In cycle *n* + 1.
    """

    def __init__(self, shape, depth):
        self._ram = memory.Memory(shape=shape, depth=max(depth, 2), init=[],
                                  attrs={"no_rw_check": 1, "ram_style": "block"})
        bits = len(self._ram.read_port(domain="comb").addr)
        super().__init__({
            "write": In(1),
            "write_address": In(bits),
            "word": In(shape),
            "address": In(bits),
            "answer": Out(shape),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = ram = self._ram
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.write), write.addr.eq(self.write_address), write.data.eq(self.word),
            read.addr.eq(self.address),
        ]
        m.d.sync += payload_of(m, self.answer).eq(read.data)
        return m
