"""The one place where an entry of a page table is decoded.

The walk and the neighbours of a leaf ask a :class:`PageEntry` and know no bit of a format. A
format is a module of two functions: ``reserved_by_level(word)`` and
``decode(word, *, level, ft, page)``. It stands in :data:`FORMATS` under the number by which
:mod:`siommu.pipeline.paging` asks for it. A core without RISC-V tables has the first one alone, and
there is nothing to choose.

What a field means is the same in every format, so that the walk's steps need not know which one
it reads:

* ``write`` and ``no_read`` are combined with those of the levels above. A format in which a leaf
  alone has rights says 1 and 0 of its pointers;
* ``user`` and ``accessed`` are 1 where the format does not look at them;
* ``ft`` is 0 where the format has no such bit: then an entry serves memory alone;
* ``size`` is never BYPASS: a mapping of more than 1 GiB counts as one of 1 GiB, and its ``pfn``
  tells more (:class:`siommu.pipeline.grants.GibNumber`).
"""

from amaranth import Cat, Const, Mux, Signal, Value
from amaranth.lib import data
from amaranth.utils import bits_for

from ..arch.config import Config
from ..arch.formats import DEVID_BITS, PFN_BITS, Disposition, Size
from ..pipeline.paging import LEVELS, format_bits
from . import entry_riscv, entry_x86

__all__ = ["FORMATS", "PageEntry", "decode", "formats_of", "reported", "reserved_by_level"]

#: By the number that :func:`siommu.pipeline.paging.page_format` gives.
FORMATS = (entry_x86, entry_riscv)


class PageEntry(data.Struct):
    """What an entry of a page table says at its level, whatever its format (§3.3, §4).

    ``disposition`` is that of an absent entry, as it is to be reported. ``reserved``: a reserved
    bit is set. ``pfn`` is the next table, or the page of a leaf, whose ``size`` has a meaning in a
    leaf only. ``ft`` and ``devid`` have one in leaves only.

    Of the fields, those up to ``leaf`` and ``reserved`` depend on what is late in the first cycle
    of a decision; ``disposition``, ``dirty``, ``pfn`` and ``size`` are wires, or nearly, and are
    asked in the second cycle.
    """

    present: 1
    user: 1
    accessed: 1
    write: 1
    no_read: 1
    leaf: 1
    reserved: 1
    ft: 1
    devid: DEVID_BITS
    dirty: 1
    disposition: Disposition
    pfn: PFN_BITS
    size: Size

    def is_of(self, *, ft, devid):
        """Whether this leaf serves requests of this FT, of the device ``devid``."""
        return (self.ft == ft) & (~ft | (self.devid == devid))


def formats_of(config: Config):
    """Those of :data:`FORMATS` that a core of this configuration has."""
    return FORMATS[:1 << format_bits(config)]


def reserved_by_level(word, formats):
    """Whether ``word``, an entry, has a reserved bit set: for each of ``formats`` a bit for each
    level, level 1 first. It does not depend on the walk, and so may be asked before it is known
    whose word it is."""
    return Cat(each.reserved_by_level(word) for each in formats)


def decode(m, word, *, level, ft, page, entry_format, reserved=None):
    """The :class:`PageEntry` that ``word`` is at ``level`` (1 to 5, a value of 3 bits or a number)
    of a table of ``entry_format``, on the way to the page number ``page``, for a request of ``ft``.

    ``reserved``: what :func:`reserved_by_level` said of the word, if it was asked before.
    Combinational; a field that is not asked costs nothing. With several formats it is a signal of
    the module ``m``, so that the choice is made once, and not wherever a field is asked.
    """
    formats = FORMATS[:1 << len(entry_format)]
    if isinstance(level, int):
        level = Const(level, bits_for(LEVELS))
    if reserved is None:
        reserved = reserved_by_level(word, formats)
    if len(formats) > 1:
        held = Signal(len(reserved), name="reserved_by_level")
        m.d.comb += held.eq(reserved)
        reserved = held
    decoded = [each.decode(word, level=level, ft=ft, page=page) for each in formats]
    fields = {name: _of_format([each[name] for each in decoded], entry_format)
              for name in decoded[0]}
    reserved = _of_format([reserved.word_select(number, LEVELS)
                           for number in range(len(formats))], entry_format)
    decoded = _struct(PageEntry, {**fields, "reserved": _at_level(reserved, level),
                                  "disposition": reported(fields["disposition"])})
    if len(formats) == 1:
        return decoded
    entry = Signal(PageEntry, name="page_entry")
    m.d.comb += entry.eq(decoded)
    return entry


def reported(disposition):
    """The field ``disposition`` of a table as it is reported: 3 counts as DENY (§5)."""
    return Mux(disposition.all(), Disposition.DENY.value, disposition)


def _of_format(values, entry_format):
    """The one of ``values``, one for each format, that is for ``entry_format``."""
    if len(values) == 1:
        return values[0]
    first, second = (Value.cast(value) for value in values)
    if len(first) != len(second):
        raise ValueError(f"formats disagree about a field's width: {values}")
    return Mux(entry_format, second, first)


def _at_level(bits, level):
    """The one of ``bits``, one for each level, that is for ``level``."""
    upper = Mux(level[0], bits[4], bits[3])
    return Mux(level[2], upper,
               Mux(level[1], Mux(level[0], bits[2], bits[1]), level[0] & bits[0]))


def _struct(shape, fields):
    layout = data.Layout.cast(shape)
    values = [Value.cast(fields[name]) for name, _ in layout]
    widths = [len(value) for value in values]
    assert widths == [field.width for _, field in layout], (shape, widths)
    return shape(Cat(*values))
