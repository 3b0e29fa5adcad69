"""The golden model on RISC-V tables (§3.4): literal tables, and every cause at every level."""

from dataclasses import replace

import pytest

from sim.memory import Memory
from sim.model.golden import Access, GoldenModel, check_response, merge_runs
from sim.tables import DeviceDirectory, PageTable, PasidDirectory, RiscvTable, TableError
from siommu.arch.formats import Cause, Disposition, Mode, Size

DENY = Disposition.DENY
DEVICE, PASID = 0x21, 0x45
#: In the lower and the upper half of each address space.
VA = {3: (0x0000_0031_2345_6000, 0xFFFF_FFE7_6543_2000),
      4: (0x0000_6F12_3456_7000, 0xFFFF_9ABC_DEF0_1000),
      5: (0x00AB_CDEF_1234_5000, 0xFF12_3456_789A_B000)}
PA = 0x8_0009_8765_4000            # bit 51 is the highest
LEAVES = [(levels, level) for levels in (3, 4, 5) for level in range(1, levels + 1)]
EACH_LEAF = pytest.mark.parametrize("levels, level", LEAVES)

# -- literal tables, written out by hand ---------------------------------------------------------

LITERAL = {
    # device directory at 0x1000, entry of device 2: V, MEM_EN, STO_EN, no PASID level, page 0x2
    0x1020: 0x0000_0000_0000_2007, 0x1028: 0x0000_0000_0000_0007,
    # context 1: Sv39 at 0x10000, MEM_DENY = 1, MEM_ABSENT = 2; no storage table
    0x2020: 0x0000_0000_0001_0005, 0x2028: 0x0, 0x2030: 0x21, 0x2038: 0x0,
    # context 2: Sv48 at 0x20000; context 3: Sv57 at 0x30000
    0x2040: 0x0000_0000_0002_0009, 0x2048: 0x0, 0x2050: 0x0, 0x2058: 0x0,
    0x2060: 0x0000_0000_0003_000D, 0x2068: 0x0, 0x2070: 0x0, 0x2078: 0x0,
    # Sv39: 0x4020_1xxx = index 1, 1, 1. PPN 0x11 and 0x12; the leaf: PPN 0xABCDE1234, V R W U A D
    0x10008: 0x0000_0000_0000_4401, 0x11008: 0x0000_0000_0000_4801,
    0x12008: 0x0000_2AF3_7848_D0D7,
    # … index 2 at level 1: V R U, with G, software's bits 9:8 and PBMT = 1 (ignored), PPN 0x77
    0x12010: 0x2000_0000_0001_DF33,
    # … index 16 to 31: a NAPOT page at 0x5_6780_0000; of which index 16, 21 and 31
    0x12080: 0x8000_0001_59E0_2017, 0x120A8: 0x8000_0001_59E0_2017,
    0x120F8: 0x8000_0001_59E0_2017,
    # … X alone: index 3
    0x12018: 0x0000_0000_0000_2019,
    # … index 2 at level 2: a 2 MiB leaf without W at 0x40_0000; index 2 at level 3: 1 GiB
    # at 0x3_0000_0000
    0x11010: 0x0000_0000_0010_0013, 0x10010: 0x0000_0000_C000_0017,
    # … absent, with disposition OS, of which MEM_ABSENT makes REMAP: index 3 at level 3
    0x10018: 0xFFFF_FFFF_FFFF_FFF2,
    # Sv48: index 1 at level 4: a leaf of 512 GiB at 0x80_0000_0000
    0x20008: 0x0000_0020_0000_0017,
    # Sv57: index 256, the first of the upper half, at level 5: 256 TiB at 0x3_0000_0000_0000
    0x30800: 0x0000_C000_0000_0017,
}


@pytest.fixture
def literal():
    memory = Memory()
    for addr, word in LITERAL.items():
        memory.write_u64(addr, word)
    return GoldenModel(memory, 1, 0, ddt_base=0x1000, ddt_log2=2, riscv_tables=True)


@pytest.mark.parametrize("pasid, write, addr, expected", [
    (1, 0, 0x4020_1ABC, (Cause.OK, DENY, 0xAB_CDE1_234A_BC, 1, 1, Size.PAGE_4K, 1, 0x12008)),
    (1, 1, 0x4020_1ABC, (Cause.OK, DENY, 0xAB_CDE1_234A_BC, 1, 1, Size.PAGE_4K, 1, 0x12008)),
    (1, 0, 0x4020_2004, (Cause.OK, DENY, 0x7_7004, 1, 0, Size.PAGE_4K, 1, 0x12010)),
    (1, 1, 0x4020_2004, (Cause.WRITE_DENIED, Disposition.OS, 0x4020_2004, 0, 0, Size.PAGE_4K, 1,
                         0x12010)),
    (1, 0, 0x4020_3000, (Cause.READ_DENIED, Disposition.OS, 0x4020_3000, 0, 0, Size.PAGE_4K, 1,
                         0x12018)),
    (1, 0, 0x4021_0123, (Cause.OK, DENY, 0x5_6780_0123, 1, 1, Size.PAGE_4K, 1, 0x12080)),
    (1, 0, 0x4021_5000, (Cause.OK, DENY, 0x5_6780_5000, 1, 1, Size.PAGE_4K, 1, 0x120A8)),
    (1, 1, 0x4021_FFFF, (Cause.OK, DENY, 0x5_6780_FFFF, 1, 1, Size.PAGE_4K, 1, 0x120F8)),
    (1, 0, 0x4041_2345, (Cause.OK, DENY, 0x41_2345, 1, 0, Size.PAGE_2M, 2, 0x11010)),
    (1, 1, 0x8765_4321, (Cause.OK, DENY, 0x3_0765_4321, 1, 1, Size.PAGE_1G, 3, 0x10010)),
    (1, 0, 0xC000_0000, (Cause.NOT_PRESENT, Disposition.REMAP, 0xC000_0000, 0, 0, Size.PAGE_4K,
                         3, 0x10018)),
    (1, 0, 0x40_0000_0000, (Cause.NON_CANONICAL, DENY, 0x40_0000_0000, 0, 0, Size.PAGE_4K, 0,
                            0)),
    (2, 1, 0xFE_DCBA_9876, (Cause.OK, DENY, 0xFE_DCBA_9876, 1, 1, Size.PAGE_1G, 4, 0x20008)),
    (3, 0, 0xFF00_1234_5678_9ABC, (Cause.OK, DENY, 0x0003_1234_5678_9ABC, 1, 1, Size.PAGE_1G, 5,
                                   0x30800)),
])
def test_literal_tables(literal, pasid, write, addr, expected):
    answer = literal.translate_page(Access(0, write, 2, pasid, addr, 0), 0)
    assert (answer.cause, answer.disposition, answer.addr, answer.read, answer.write, answer.size,
            answer.level, answer.entry_addr) == expected


def test_literal_trace(literal):
    answer = literal.translate_page(Access(0, 0, 2, 1, 0x4020_1ABC, 0), 0)
    assert answer.trace == (0x1020, 0x2020, 0x10008, 0x11008, 0x12008)


# -- one broken thing at a time ------------------------------------------------------------------

class World:
    """A process whose memory table is a RISC-V one, with a leaf of ``level`` in either half."""

    def __init__(self, levels, level=1):
        self.memory = memory = Memory()
        self.devices, self.pasids = DeviceDirectory(memory, 8), PasidDirectory(memory, 1)
        self.table, self.storage = RiscvTable(memory, levels), PageTable(memory)
        span = 4096 << 9 * (level - 1)
        self.span, self.level = span, level
        self.places = [va // span * span for va in VA[levels]]
        self.pa = PA // span * span
        for place in self.places:
            self.table.map(place, self.pa, size=level - 1)
        self.set_context()
        self.devices.set(DEVICE, pasids=self.pasids)
        self.model = GoldenModel(memory, Mode.TRANSLATE, 0, self.devices.base, 8,
                                 riscv_tables=True)
        self.context = self.pasids.context_address(PASID)

    def set_context(self, **fields):
        self.pasids.set(PASID, **{"mem": self.table, "sto": self.storage, **fields})

    def ask(self, write=0, half=0, **fields):
        access = Access(0, write, DEVICE, PASID, self.places[half] + 0xABC, 0)
        return self.model.translate_page(replace(access, **fields), 0)

    def word(self, level, half=0):
        return self.table.entry_address(self.places[half], level)

    def change(self, level, change):
        at = self.word(level)
        self.memory.write_u64(at, change(self.memory.read_u64(at)))
        return at

    def expect(self, cause, level, entry, disposition=DENY, write=0):
        answer = self.ask(write)
        assert (answer.cause, answer.level, answer.entry_addr, answer.disposition) == \
            (cause, level, entry, disposition)


@EACH_LEAF
def test_leaves_at_every_level(levels, level):
    world = World(levels, level)
    for half in (0, 1):
        for offset in {0, 0xABC, world.span - 1, world.span // 2}:
            answer = world.ask(half=half, addr=world.places[half] + offset)
            assert (answer.cause, answer.addr) == (Cause.OK, world.pa + offset)
            assert (answer.read, answer.write) == (1, 1)
            assert answer.size == Size(min(level, 3) - 1)
            assert len(answer.trace) == 3 + levels - level + 1
            assert answer.leaf == world.word(level, half)


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_depth_and_canonical_addresses(levels):
    world = World(levels)
    lowest = 9 * levels + 11
    for bit in range(lowest, 64):
        for addr in (1 << bit, ((1 << 64) - 1) ^ 1 << bit):
            answer = world.ask(addr=addr)
            assert (answer.cause, answer.level, answer.entry_addr) == (Cause.NON_CANONICAL, 0, 0)
    for addr in ((1 << lowest) - 1, (1 << 64) - (1 << lowest)):
        assert world.ask(addr=addr).cause is Cause.NOT_PRESENT


@EACH_LEAF
@pytest.mark.parametrize("own", range(4))
@pytest.mark.parametrize("absent", range(4))
def test_not_present(levels, level, own, absent):
    world = World(levels, level)
    world.set_context(mem_absent=absent)
    for at in range(level, levels + 1):
        world.expect(Cause.NOT_PRESENT, at, world.change(
            at, lambda word: 0xFFFF_FFFF_FFFF_FFF8 | own << 1), Disposition((absent or own) % 3))


@EACH_LEAF
def test_what_is_looked_at_in_leaves(levels, level):
    """U, A and D; the rights; and in which order."""
    world = World(levels, level)
    world.set_context(mem_deny=1)
    leaf = world.change(level, lambda word: word & ~0xD0)        # no U, A, D
    world.expect(Cause.SUPERVISOR, level, leaf)
    world.change(level, lambda word: word | 0x10)
    assert world.ask().cause is world.ask(1).cause is Cause.OK
    world.model.check_ad = 1
    world.expect(Cause.ACCESS_FLAG, level, leaf, Disposition.REMAP)
    world.change(level, lambda word: word | 0x40)
    assert world.ask().cause is Cause.OK
    world.expect(Cause.ACCESS_FLAG, level, leaf, Disposition.REMAP, write=1)
    world.change(level, lambda word: word & ~4)
    world.expect(Cause.WRITE_DENIED, level, leaf, Disposition.OS, write=1)
    answer = world.ask()
    assert (answer.cause, answer.read, answer.write) == (Cause.OK, 1, 0)
    world.change(level, lambda word: word & ~2 | 8)             # X alone
    world.expect(Cause.READ_DENIED, level, leaf, Disposition.OS)
    world.expect(Cause.WRITE_DENIED, level, leaf, Disposition.OS, write=1)


@EACH_LEAF
def test_reserved_bits(levels, level):
    """Each bit of each entry on the way: what §3.4 calls reserved is, and nothing else."""
    world = World(levels, level)
    for at in range(level, levels + 1):
        leaf, whole = at == level, world.memory.read_u64(world.word(at))
        for bit in range(64):
            entry = world.change(at, lambda word, bit=bit: whole | 1 << bit)
            low = range(10, 10 + 9 * (at - 1)) if leaf else ()
            reserved = bit in (*range(50, 61), 63, *low) or \
                not leaf and bit in (4, 6, 7, 61, 62)
            if reserved:
                world.expect(Cause.ENTRY_RESERVED, at, entry)
            elif leaf and not 10 <= bit < 50:
                assert world.ask().cause is world.ask(1).cause is Cause.OK, bit
        world.memory.write_u64(entry, whole)


@EACH_LEAF
def test_reserved_combinations(levels, level):
    world = World(levels, level)
    whole = world.memory.read_u64(world.word(level))
    for low in range(16):
        leaf = world.change(level, lambda word, low=low: whole & ~0xE | low & 0xE | 1)
        r, w, x = low >> 1 & 1, low >> 2 & 1, low >> 3 & 1
        if w and not r or not (r or w or x):        # W alone, WX; a pointer with A, D and U
            world.expect(Cause.ENTRY_RESERVED, level, leaf)
        else:
            assert world.ask().cause is (Cause.OK if r else Cause.READ_DENIED)
    if level == 1:
        world.change(1, lambda word: whole & ~0xDE)     # a pointer with nothing else set
        world.expect(Cause.ENTRY_RESERVED, 1, leaf)
    for pbmt in range(4):
        world.change(level, lambda word, pbmt=pbmt: whole | pbmt << 61)
        assert world.ask().cause is (Cause.ENTRY_RESERVED if pbmt == 3 else Cause.OK)
    for low in range(16):
        world.change(level, lambda word, low=low: whole & ~0x3C00 | 1 << 63 | low << 10)
        answer = world.ask()
        if level == 1 and low == 8:
            assert answer.addr == PA & ~0xFFFF | (world.places[0] & 0xFFFF) + 0xABC
        else:
            assert answer.cause is Cause.ENTRY_RESERVED


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_table_error_at_every_entry(levels):
    world = World(levels)
    for entry, level in zip(world.ask().trace, (7, 6, 6, *range(levels, 0, -1)), strict=True):
        world.memory.poison(entry, 8)
        world.expect(Cause.TABLE_ERROR, level, entry)
        world.memory.cure()


# -- the context ---------------------------------------------------------------------------------

@pytest.mark.parametrize("fmt", range(4))
def test_contexts(fmt):
    """MEM_FMT, for requests of either FT, beside L5 and without V."""
    world = World(3)
    world.storage.map(0x1000, 0x8000, devid=0)

    def storage():
        return world.ask(ft=1, addr=0x1000).cause

    for l5 in (0, 1):
        world.memory.write_u64(world.context, world.table.root | fmt << 2 | l5 << 1 | 1)
        causes = world.ask().cause, storage()
        if fmt and l5:
            assert causes == (Cause.ENTRY_RESERVED,) * 2
        else:
            assert causes[1] is Cause.OK
            assert (causes[0] is Cause.OK) == (fmt == 1)
        world.memory.write_u64(world.context, world.table.root | fmt << 2 | l5 << 1)
        assert (world.ask().cause, storage()) == (Cause.TABLE_ABSENT, Cause.OK)
        world.model.riscv_tables = False
        assert (storage() is Cause.OK) == (not fmt)
        assert (world.ask().cause is Cause.ENTRY_RESERVED) == bool(fmt)
        world.model.riscv_tables = True
    # The storage root has no format.
    world.set_context()
    world.memory.write_u64(world.context + 8, world.storage.root | fmt << 2 | 1)
    assert (storage() is Cause.OK) == (not fmt)
    assert world.ask().cause is (Cause.ENTRY_RESERVED if fmt else Cause.OK)


# -- requests, and what the builder makes --------------------------------------------------------

def test_runs_over_a_gibibyte_of_one_leaf():
    """The pages that one leaf maps are one run, however large it is (§2.1)."""
    for levels, level in ((4, 4), (5, 4), (5, 5)):
        world = World(levels, level)
        access = Access(0, 0, DEVICE, PASID, world.places[0] + (5 << 30) - 0x3000, 7)
        answers = world.model.translate(access)
        (beat,) = merge_runs(access, answers, merge=False)
        assert (beat.pages, beat.addr) == (7, world.pa + (5 << 30) - 0x3000)
        check_response(access, answers, [beat])


def test_napot_pages_of_the_builder():
    world = World(4)
    base = 0x10_0000_0000
    world.table.map(base + 0xE000, 0x7_000E_000, 40, napot=True)
    napot = [bool(world.table.entry(base + 0xE000 + 4096 * page) >> 63) for page in range(40)]
    assert napot == [False] * 2 + [True] * 32 + [False] * 6
    for page in range(40):
        answer = world.ask(addr=base + 0xE000 + 4096 * page)
        assert answer.addr == 0x7_000E_000 + 4096 * page and answer.size is Size.PAGE_4K
    # Not congruent to each other: no NAPOT page is possible.
    world.table.map(base + 0x20_0000, 0x7_0000_1000, 32, napot=True)
    assert not any(world.table.entry(base + 0x20_0000 + 4096 * page) >> 63 for page in range(32))


def test_the_builder_keeps_a_disposition_of_above():
    world = World(3)
    world.table.set_disposition(1 << 30, 1, Disposition.OS, level=3)
    world.table.map(1 << 30, 0x5000)
    assert world.ask(addr=(1 << 30) + 0x1000).disposition is Disposition.OS
    world.table.unmap(1 << 30, disposition=Disposition.REMAP)
    assert world.ask(addr=1 << 30).disposition is Disposition.REMAP


def test_what_the_builder_refuses():
    table = RiscvTable(Memory(), 3)
    for call, sentence in (
            (lambda: RiscvTable(Memory(), 2), "3, 4 or 5 levels"),
            (lambda: table.map(0, 0, size=3), "no leaves of level 4"),
            (lambda: table.map(0, 0, devid=1), "no leaves for storage"),
            (lambda: table.map(0, 0x1000, size=Size.PAGE_2M), "aligned"),
            (lambda: table.map(1 << 38, 0), "not canonical"),
            (lambda: table.attach(0, None), "no leaves for storage"),
            (lambda: PasidDirectory(Memory()).set(0, sto=table), "storage table")):
        with pytest.raises(TableError, match=sentence):
            call()
    table.map(0, 0, size=Size.PAGE_1G)
    with pytest.raises(TableError, match="already mapped by a leaf at level 3"):
        table.map(0x1000, 0)
