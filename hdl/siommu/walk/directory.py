"""The tables above the page tables: where the device directory and the PASID directory have their
entries, and what is read after which (§3.1, §3.2)."""

from amaranth import Cat, Const, Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.formats import (
    CONTEXT_BYTES,
    DDT_ENTRY_BYTES,
    DEVICE_BITS,
    ENTRY_BYTES,
    INDEX_BITS,
    PAGE_SHIFT,
    PFN_BITS,
)
from .state import Table

__all__ = ["DirectoryBounds", "DirectoryRange", "context_index", "device_entry",
           "index_below_device", "low_index", "out_of_range", "table_below_device", "unreachable"]

#: Device entries of a page, as bits of DEVICE.
DEVICE_INDEX_BITS = PAGE_SHIFT - exact_log2(DDT_ENTRY_BYTES)


class PasidIndexes(data.Struct):
    """How a PASID is looked up (§3.2): the context in its page, and the index of each directory
    level."""

    context: 7
    low: INDEX_BITS
    high: 4


class DirectoryBounds(data.Struct):
    """Where the device directory is, and which bits of a DEVICE are beyond it."""

    base: PFN_BITS
    outside: DEVICE_BITS


class DirectoryRange(wiring.Component):
    """The device directory's registers, prepared for use.

    Members
    -------
    ddt_base, ddt_log2 : In
        Registers (§7).
    bounds : Out(DirectoryBounds)
        Both of the cycle before.
    """

    ddt_base: In(PFN_BITS)
    ddt_log2: In(5)
    bounds: Out(DirectoryBounds)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.bounds.base.eq(self.ddt_base)
        for bit in range(DEVICE_BITS):
            m.d.sync += self.bounds.outside[bit].eq(self.ddt_log2 <= bit)
        return m


def out_of_range(key, outside):
    """Whether the device of ``key`` is beyond the device directory: has any of the bits
    ``outside`` (step 2 of §4)."""
    return (key.device & outside).any()


def device_entry(key, base):
    """Address of the device directory's entry of ``key``; ``base`` is the directory's page."""
    page = (base + key.device[DEVICE_INDEX_BITS:])[:PFN_BITS + 1]
    return Cat(Const(0, exact_log2(DDT_ENTRY_BYTES)), key.device[:DEVICE_INDEX_BITS], page)


def table_below_device(levels):
    """The :class:`Table` that is read after the device entry, by its PDT_LEVELS."""
    return Mux(levels[1], Table.DIRECTORY_HIGH.value,
               Mux(levels[0], Table.DIRECTORY_LOW.value, Table.CONTEXT.value))


def index_below_device(levels, pasid):
    """Index, in units of 8 bytes, of the entry that is read after the device entry."""
    return Mux(levels[1], data.View(PasidIndexes, pasid).high,
               Mux(levels[0], low_index(pasid), context_index(pasid)))


def low_index(pasid):
    """Index of an entry of the PASID directory's lower level."""
    return data.View(PasidIndexes, pasid).low


def context_index(pasid):
    """Index of a context, in units of 8 bytes."""
    return Cat(Const(0, exact_log2(CONTEXT_BYTES // ENTRY_BYTES)),
               data.View(PasidIndexes, pasid).context)


def unreachable(levels, reach):
    """The PASID has bits beyond those that ``levels`` of directory look at (step 3 of §4).
    ``reach`` is the :class:`siommu.pipeline.tables.Reach` of the walk's key."""
    return ~levels[1] & Mux(levels[0], reach.beyond_16, reach.beyond_7)
