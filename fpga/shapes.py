"""Shapes of the first-level TLB, and the bridge, each by itself: ``python -m fpga.shapes``.

The product's is fully associative, of any number of entries. The other is small sets of LUT RAM for
what lies in one line, and 16 fully associative entries for what is larger. It is here to be
measured, and not part of the core. Each is synthesised and routed in a frame of registers
(``harness``), as the core is: cells, and the frequency with seed 1 at speed grade 8.
"""

import argparse
from functools import reduce
from operator import xor

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, connect, flipped

from siommu.arch.config import BridgeConfig, Config
from siommu.arch.formats import Cause
from siommu.bridge.top import SiommuAxiBridge
from siommu.generate.export import component_verilog
from siommu.generate.files import command
from siommu.lib.choose import lowest, one_of
from siommu.lib.structs import assign
from siommu.pipeline.sizes import LINE_BITS, LINE_PAGES
from siommu.tlb.entry import (
    EntryRow,
    KeyFields,
    Tag,
    covered_by_drop,
    covered_by_fill,
    equal_fields,
    overlapping,
    spanned,
)
from siommu.tlb.fill_path import Drop, Fill
from siommu.tlb.first_level import FirstLevelTlb
from siommu.tlb.hit_path import FirstLookUp

from . import flow, tools
from .flow import SYNTH, Netlist, place
from .harness import harness_verilog
from .paths import fmax

__all__ = ["LineSets", "SetsAndEntries", "main"]

ROWS = 16                           #: as deep as LUT RAM is
INDEX = range(ROWS)
ENTRIES = 16                        #: beside the sets
#: What both parts of the second shape have.
MEMBERS = {"look_up": In(FirstLookUp()), "fill": In(Fill()), "drop": In(Drop()), "flush": In(1),
           "row": In(INDEX)}


def row_of(key):
    """The row of a line, folded from the page number and the PASID."""
    line, bits = key.vpn[LINE_BITS:], (ROWS - 1).bit_length()
    return reduce(xor, (line[:bits], line[bits:2 * bits], key.pasid[:bits][::-1]))


class LineSets(wiring.Component):
    """Translations that lie in one line, in sets of LUT RAM.

    A row is read in the compare stage, and compared in the select stage: a stage later than
    registers are, and no later than the row of a fully associative entry is read. What concerns
    more lines than one comes as 16 operations, one for each row.

    Parameters
    ----------
    config : Config
    ways : int

    Members
    -------
    MEMBERS
        As those of ``SetsAndEntries``, but each operation takes one cycle.
    keeps : In(1)
        The fill is written here. Otherwise it only drops what overlaps.
    scan : In(1)
        The operation is for ``row``, and not for the row of its key.
    """

    def __init__(self, config, ways):
        self._config, self._ways = config, ways
        super().__init__({**MEMBERS, "keeps": In(1), "scan": In(1)})

    def elaborate(self, platform):
        m = Module()
        ways, look_up, filled = self._ways, self.look_up, self.fill.translation
        shape = data.StructLayout({"tag": Tag(self._config), "row": EntryRow})
        valid = [Signal(ROWS, name=f"valid_{way}") for way in range(ways)]
        turn = Signal(ways, init=1)                     # the way that a full set gives up next
        row = Signal(INDEX)
        m.d.comb += row.eq(Mux(self.scan, self.row, row_of(look_up.key)))

        # Compare: the row is read.
        found = [Signal(shape, name=f"found_{way}", reset_less=True) for way in range(ways)]
        live, key, at = Signal(ways), Signal.like(look_up.key), Signal(INDEX)
        written, writes, mask = Signal(shape), Signal(), Signal(LINE_PAGES)
        covered, changes, fills = Signal(KeyFields), Signal(), Signal()
        m.d.sync += [
            live.eq(Cat(bits.bit_select(row, 1) for bits in valid)), key.eq(look_up.key),
            at.eq(row), writes.eq(look_up.write), mask.eq(filled.mask | self.drop.valid.replicate(
                LINE_PAGES)),
            covered.eq(Mux(self.fill.valid, covered_by_fill(filled.rights.size),
                           covered_by_drop(self.drop.invalidation))),
            changes.eq(self.fill.valid | self.drop.valid),
            fills.eq(self.fill.valid & self.keeps),
        ]
        with m.If(self.fill.valid):
            m.d.sync += [
                written.tag.key.eq(look_up.key), written.tag.mask.eq(filled.mask),
                written.tag.rights.eq(filled.rights), written.tag.low.eq(filled.base[:LINE_BITS]),
                written.row.high.eq(filled.base[LINE_BITS:]),
                written.row.carried.eq(filled.base[LINE_BITS:] + 1),
                written.row.last.eq(filled.last), written.row.rights.eq(filled.rights),
            ]

        # Select: every way of the row is compared.
        place, places = Signal(ways), Signal(INDEX)     # of the last fill, in TAGS
        matches, overlaps, page = Signal(ways), Signal(ways), key.vpn[:LINE_BITS]
        numbers = []
        for way, (entry, bits) in enumerate(zip(found, valid)):
            tag, equal = entry.tag, Signal(KeyFields, name=f"equal_{way}")
            allows = Mux(writes, tag.rights.write & tag.rights.dirty, tag.rights.read)
            low = Signal(LINE_BITS + 1, name=f"low_{way}")
            m.d.comb += [
                *assign(equal, equal_fields(tag, key)), low.eq(tag.low + page),
                matches[way].eq(live[way] & allows & overlapping(
                    equal, KeyFields.const({}), tag.mask.bit_select(page, 1))),
                overlaps[way].eq(live[way] & overlapping(equal, covered, (tag.mask & mask).any())),
            ]
            numbers.append(Cat(low[:LINE_BITS], Mux(low[LINE_BITS], entry.row.carried,
                                                    entry.row.high)))
            ram = memory.Memory(shape=shape, depth=ROWS, init=[])
            m.submodules[f"ram_{way}"] = ram
            write, read = ram.write_port(), ram.read_port(domain="comb")
            m.d.comb += [read.addr.eq(row), write.en.eq(place[way]), write.addr.eq(places),
                         write.data.eq(written)]
            m.d.sync += found[way].eq(read.data)
            with m.If(overlaps[way] & changes):
                m.d.sync += bits.bit_select(at, 1).eq(0)
            with m.If(place[way] & self.fill.commit):
                m.d.sync += bits.bit_select(places, 1).eq(1)
            with m.If(self.flush):
                m.d.sync += bits.eq(0)
        free = lowest(~live | overlaps)
        victim = Mux(free.any(), free, turn)
        m.d.sync += [place.eq(victim & fills.replicate(ways)), places.eq(at)]
        with m.If(fills):
            m.d.sync += turn.eq(turn.rotate_left(1))
            for way, bits in enumerate(valid):          # until the new one is written
                with m.If(victim[way]):
                    m.d.sync += bits.bit_select(at, 1).eq(0)

        # Answer.
        outcome, chosen = look_up.outcome, Signal(shape)
        m.d.comb += [chosen.eq(one_of(matches, found)), outcome.cause.eq(Cause.OK)]
        number, rights = (Signal.like(value) for value in (outcome.pfn, outcome.rights))
        extent = Signal(LINE_BITS)
        m.d.sync += [
            look_up.hit.eq(matches.any() & ~changes), number.eq(one_of(matches, numbers)),
            rights.eq(chosen.row.rights), look_up.last.eq(chosen.row.last),
            extent.eq(chosen.row.last - page),
        ]
        m.d.comb += [outcome.pfn.eq(number), outcome.rights.eq(rights), outcome.extent.eq(extent)]
        return m


class SetsAndEntries(wiring.Component):
    """A first level of ``LineSets`` and ``ENTRIES`` fully associative entries: what lies in one
    line goes to the sets, and is dropped from the entries; what is larger goes to the entries, and
    the sets are scanned for what it overlaps. So at most one of all matches.

    Parameters
    ----------
    config : Config
    ways : int

    Members
    -------
    look_up : In(FirstLookUp)
    fill : In(Fill), drop : In(Drop), flush : In(1)
        As those of ``FirstLevelTlb``. A fill or a drop of more than a line stays for 16 cycles.
    row : In(INDEX)
        The number of the cycle among those.
    """

    def __init__(self, config, ways):
        self._config, self._ways = config.with_(tlb_entries=ENTRIES), ways
        super().__init__(MEMBERS)

    def elaborate(self, platform):
        m = Module()
        m.submodules.entries = entries = FirstLevelTlb(self._config)
        m.submodules.sets = sets = LineSets(self._config, self._ways)
        spans = spanned(self.fill.translation.rights.size)
        in_line = Signal()
        m.d.comb += in_line.eq(~(spans["device"] | spans["gib"] | spans["mib2"]))
        for level in (entries, sets):
            m.d.comb += [level.look_up.key.eq(self.look_up.key), level.flush.eq(self.flush),
                         level.look_up.write.eq(self.look_up.write)]
        connect(m, flipped(self.fill), sets.fill)
        connect(m, flipped(self.drop), sets.drop)
        first, wanted = self.row == 0, self.drop.invalidation
        m.d.comb += [
            entries.look_up.far_key.eq(self.look_up.far_key),
            entries.fill.valid.eq(self.fill.valid & ~in_line & first),
            entries.fill.translation.eq(self.fill.translation),
            entries.fill.commit.eq(self.fill.commit),
            entries.drop.valid.eq((self.drop.valid & first) | (self.fill.valid & in_line)),
            entries.drop.invalidation.eq(wanted),
            sets.keeps.eq(in_line), sets.row.eq(self.row),
            sets.scan.eq((self.fill.valid & ~in_line) | self.drop.valid),
        ]
        with m.If(self.fill.valid):     # of a line: all that overlaps it
            m.d.comb += [getattr(entries.drop.invalidation, name).eq(1)
                         for name in ("by_device", "by_pasid", "by_ft", "by_addr")]
            m.d.comb += entries.drop.invalidation.n.eq(LINE_BITS)
        one, other = entries.look_up, sets.look_up
        m.d.comb += [
            self.look_up.hit.eq(one.hit | other.hit),
            self.look_up.last.eq(Mux(other.hit, other.last, one.last)),
            self.look_up.outcome.eq(Mux(other.hit, other.outcome.as_value(),
                                        one.outcome.as_value())),
        ]
        return m


#: What is measured, by name.
SHAPES = {
    **{f"{entries} entries": lambda entries=entries: FirstLevelTlb(Config(tlb_entries=entries))
       for entries in (16, 32, 64)},
    **{f"{ROWS * ways} in sets, {ENTRIES} entries": lambda ways=ways: SetsAndEntries(Config(), ways)
       for ways in (1, 2, 4)},
    "bridge": lambda: SiommuAxiBridge(BridgeConfig())}


def measure(component):
    """Cells of a component, by the names of ``CELLS``, and its ``fmax`` in MHz."""
    text = component_verilog(component, "siommu")
    files = {"siommu.v": text, "harness.v": harness_verilog(text)}
    alone = tools.yosys(f"read_verilog siommu.v; {SYNTH} -top siommu; "
                        "tee -q -o stat.json stat -json", {"siommu.v": text}, ["stat.json"])
    framed = tools.yosys(f"read_verilog siommu.v harness.v; {SYNTH} -top top -json netlist.json",
                         files, ["netlist.json"])
    cells = flow._cells(alone)
    report = place(Netlist(framed / "netlist.json", cells, 0, ""), speed=8, seed=1, freq=200)
    return {**cells, "fmax": round(fmax(report), 1)}


@command
def main():
    """Measures every shape, or one; a table."""
    parser = argparse.ArgumentParser(prog="python -m fpga.shapes",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=SHAPES, help="this one alone")
    only = parser.parse_args().only
    print("| by itself | LUT4 | carry | FF | LUT RAM | MHz |\n|---|--:|--:|--:|--:|--:|")
    for name in [only] if only else SHAPES:
        found = measure(SHAPES[name]())
        print(f"| {name} | {found['LUT4']:,} | {found['carry']:,} | {found['FF']:,} "
              f"| {found['LUT RAM']:,} | {found['fmax']} |", flush=True)


if __name__ == "__main__":
    main()
