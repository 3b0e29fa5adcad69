"""Decodes entries of page tables in simulation, for the tests of both formats."""

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data

from siommu.walk.entry import PageEntry, decode

from ...support.simulate import simulate

__all__ = ["NOTHING", "decode_all"]

FIELDS = [name for name, _ in data.Layout.cast(PageEntry)]
#: What an entry says of which every field is 0.
NOTHING = dict.fromkeys(FIELDS, 0)


def decode_all(cases, entry_format):
    """Decodes each of ``cases``, dictionaries with ``word``, ``level``, and ``ft`` or ``page``, as
    entries of ``entry_format``; for each, the fields of ``PageEntry`` as a dictionary."""
    m = Module()
    given = {"word": Signal(64), "level": Signal(3), "ft": Signal(), "page": Signal(52)}
    entry = Signal(PageEntry)
    m.d.comb += entry.eq(decode(m, given["word"], level=given["level"], ft=given["ft"],
                                page=given["page"], entry_format=Const(entry_format, 1)))
    m.d.sync += Signal().eq(0)
    found = []

    async def bench(ctx):
        for case in cases:
            for name, signal in given.items():
                ctx.set(signal, case.get(name, 0))
            await ctx.delay(1e-9)
            value = ctx.get(entry)
            found.append({name: int(getattr(getattr(value, name), "value", getattr(value, name)))
                          for name in FIELDS})
    simulate(m, bench)
    return found
