"""The golden model against literal tables, and every cause at every level where it can arise."""

from dataclasses import replace

import pytest

from sim.memory import Memory
from sim.model.golden import Access, GoldenModel
from sim.tables import DeviceDirectory, FileTable, PageTable, PasidDirectory
from siommu.arch.formats import Cause, Disposition, Mode, Size

DEVICE, PASID, DEVID = 0x21, 0x34567, 0x155
VA = {4: 0x7F12_3456_7000, 5: 0x00AB_CDEF_1234_5000}
PA = 0x8_0009_8765_4000            # bit 51 is the highest
FTS = pytest.mark.parametrize("ft", [0, 1])
DEPTHS = pytest.mark.parametrize("depth", [4, 5])
DENY = Disposition.DENY


class World:
    """One device, one process, one mapped page for each FT."""

    def __init__(self, depth=4, pasid_levels=2):
        self.memory = Memory()
        self.devices = DeviceDirectory(self.memory, 8)
        self.pasids = PasidDirectory(self.memory, pasid_levels)
        self.tables = [PageTable(self.memory, depth), PageTable(self.memory, depth)]
        self.depth = depth
        self.va = VA[depth]
        self.tables[0].map(self.va, PA)
        self.tables[1].map(self.va, PA, devid=DEVID)
        self.set_context()
        self.devices.set(DEVICE, devid=DEVID, pasids=self.pasids)
        self.model = GoldenModel(self.memory, Mode.TRANSLATE, 0, self.devices.base, 8)

    def set_context(self, **fields):
        mem, sto = self.tables
        self.pasids.set(PASID, **{**dict(mem=mem, sto=sto), **fields})

    def ask(self, ft, write=0, **fields):
        access = Access(ft, write, DEVICE, PASID, self.va + 0x123, 0)
        return self.model.translate_page(replace(access, **fields), 0)

    def expect(self, answer, cause, level, entry, disposition=DENY):
        assert (answer.cause, answer.level, answer.entry_addr, answer.disposition) == \
            (cause, level, entry or 0, disposition)
        if cause is not Cause.OK:
            assert (answer.read, answer.write, answer.leaf) == (0, 0, None)

    def or_word(self, addr, bits):
        self.memory.write_u64(addr, self.memory.read_u64(addr) | bits)


# -- literal tables: §3, written out by hand ---------------------------------------------------

LITERAL = {
    # device directory at 0x1000, entry of device 2: V, MEM_EN, STO_EN, one PASID level, page 0x2
    0x1020: 0x0000_0000_0000_2047, 0x1028: 0x0000_0000_0000_0007,
    # PASID 0x85 = directory entry 1, context 5: page 0x3
    0x2008: 0x0000_0000_0000_3001,
    # context 5: memory table with 4 levels at 0x10000, storage table with 5 at 0x20000,
    # MEM_DENY = 1, STO_DENY = 2
    0x30A0: 0x0000_0000_0001_0001, 0x30A8: 0x0000_0000_0002_0003, 0x30B0: 0x9, 0x30B8: 0x0,
    # memory: 0x0000_7FC0_4020_1xxx = index 255, 257, 1, 1
    0x107F8: 0x0000_0000_0001_1007, 0x11808: 0x0000_0000_0001_2007,
    0x12008: 0x0000_0000_0001_3007, 0x13008: 0x8000_ABCD_E123_4067,
    # … index 2 of the last but one: a 2 MiB leaf at 0x40_0000 without W, bit 12 set (ignored)
    0x12010: 0x0000_0000_0040_1085,
    # storage: 0x0001_0000_0000_0xxx = index 1 at level 5, then 0; NR absent, DEVID 7
    0x20008: 0x0000_0000_0002_1007, 0x21000: 0x0000_0000_0002_2007,
    0x22000: 0x0000_0000_0002_3007, 0x23000: 0x0000_0000_0002_4007,
    0x24000: 0x0070_0005_5555_5407, 0x24008: 0x0070_0005_6666_6607,
    # … and a 1 GiB leaf: index 3 at level 3, at 0x1_4000_0000, W = 1
    0x22018: 0x0070_0001_4000_0487,
}


@pytest.fixture
def literal():
    memory = Memory()
    for addr, word in LITERAL.items():
        memory.write_u64(addr, word)
    return GoldenModel(memory, 1, 0, ddt_base=0x1000, ddt_log2=2)


@pytest.mark.parametrize("ft, write, addr, expected", [
    (0, 0, 0x7FC0_4020_1ABC, (Cause.OK, DENY, 0xABCD_E123_4ABC, 1, 1, Size.PAGE_4K, 1, 0x13008)),
    (0, 1, 0x7FC0_4020_1ABC, (Cause.OK, DENY, 0xABCD_E123_4ABC, 1, 1, Size.PAGE_4K, 1, 0x13008)),
    (0, 0, 0x7FC0_4041_2345, (Cause.OK, DENY, 0x41_2345, 1, 0, Size.PAGE_2M, 2, 0x12010)),
    (0, 1, 0x7FC0_4041_2345, (Cause.WRITE_DENIED, Disposition.OS, 0x7FC0_4041_2345, 0, 0,
                              Size.PAGE_4K, 2, 0x12010)),
    (1, 0, 0x0001_0000_0000_0200, (Cause.OK, DENY, 0x5_5555_5200, 1, 1, Size.PAGE_4K, 1,
                                   0x24000)),
    (1, 0, 0x0001_0000_0000_1000, (Cause.READ_DENIED, Disposition.REMAP, 0x0001_0000_0000_1000,
                                   0, 0, Size.PAGE_4K, 1, 0x24008)),
    (1, 1, 0x0001_0000_0000_1000, (Cause.OK, DENY, 0x5_6666_6000, 0, 1, Size.PAGE_4K, 1,
                                   0x24008)),
    (1, 1, 0x0001_0000_DEAD_BEEF, (Cause.OK, DENY, 0x1_5EAD_BEEF, 1, 1, Size.PAGE_1G, 3,
                                   0x22018)),
])
def test_literal_tables(literal, ft, write, addr, expected):
    answer = literal.translate_page(Access(ft, write, 2, 0x85, addr, 0), 0)
    assert (answer.cause, answer.disposition, answer.addr, answer.read, answer.write, answer.size,
            answer.level, answer.entry_addr) == expected


def test_literal_trace(literal):
    answer = literal.translate_page(Access(0, 0, 2, 0x85, 0x7FC0_4020_1ABC, 0), 0)
    assert answer.trace == (0x1020, 0x2008, 0x30A0, 0x107F8, 0x11808, 0x12008, 0x13008)


# -- §4, step 1 --------------------------------------------------------------------------------

@FTS
@pytest.mark.parametrize("mode", [Mode.ABORT, 0, 3])
def test_core_off(ft, mode):
    world = World()
    world.model.mode = mode
    answer = world.ask(ft)
    world.expect(answer, Cause.CORE_OFF, 0, 0)
    assert answer.trace == () and answer.addr == world.va + 0x123


@FTS
def test_mode_bypass(ft):
    world = World()
    world.model.mode = Mode.BYPASS
    answer = world.ask(ft, addr=0xFFFF_1234_5678_9ABC, device=0xFFFF)
    assert (answer.cause, answer.addr, answer.read, answer.write, answer.size, answer.leaf) == \
        (Cause.OK, 0xFFFF_1234_5678_9ABC, 1, 1, Size.BYPASS, "bypass")


# -- step 2 ------------------------------------------------------------------------------------

@FTS
def test_device_out_of_reach(ft):
    world = World()
    answer = world.ask(ft, device=0x100)
    world.expect(answer, Cause.DEVICE_INVALID, 0, 0)
    assert answer.trace == ()


@FTS
def test_device_invalid(ft):
    world = World()
    world.expect(world.ask(ft, device=0x22), Cause.DEVICE_INVALID, 7, world.devices.base + 0x220)
    # V = 0 comes before the reserved bits.
    world.or_word(world.devices.base + 0x228, 1 << 63)
    world.expect(world.ask(ft, device=0x22), Cause.DEVICE_INVALID, 7, world.devices.base + 0x220)


@FTS
@pytest.mark.parametrize("word, bit", [(0, b) for b in (*range(8, 12), *range(52, 64))]
                         + [(1, b) for b in range(10, 64)])
def test_device_reserved(ft, word, bit):
    world = World()
    entry = world.devices.entry_address(DEVICE)
    world.or_word(entry + 8 * word, 1 << bit)
    world.expect(world.ask(ft), Cause.ENTRY_RESERVED, 7, entry)


@FTS
def test_three_pasid_levels_are_reserved(ft):
    world = World()
    entry = world.devices.entry_address(DEVICE)
    world.or_word(entry, 0xC0)
    world.expect(world.ask(ft), Cause.ENTRY_RESERVED, 7, entry)


@FTS
def test_ft_disabled_comes_before_bypass(ft):
    world = World()
    world.devices.set(DEVICE, devid=DEVID, pasids=world.pasids, mem=ft == 1, sto=ft == 0,
                      mem_bypass=True, sto_bypass=True)
    world.expect(world.ask(ft), Cause.FT_DISABLED, 7, world.devices.entry_address(DEVICE))
    assert world.ask(1 - ft).size is Size.BYPASS


@FTS
def test_device_bypass_is_for_one_ft(ft):
    world = World()
    world.devices.set(DEVICE, devid=DEVID, pasids=world.pasids, mem_bypass=ft == 0,
                      sto_bypass=ft == 1)
    answer = world.ask(ft, write=1, addr=0x8000_0000_0000_0FFF)
    assert (answer.cause, answer.addr, answer.read, answer.write, answer.size) == \
        (Cause.OK, 0x8000_0000_0000_0FFF, 1, 1, Size.BYPASS)
    assert world.ask(1 - ft).size is Size.PAGE_4K


# -- step 3 ------------------------------------------------------------------------------------

@FTS
@pytest.mark.parametrize("levels, bits", [(0, 7), (1, 16)])
def test_pasid_out_of_reach(ft, levels, bits):
    world = World()
    pasids = PasidDirectory(world.memory, levels)
    last = (1 << bits) - 1
    pasids.set(last, mem=world.tables[0], sto=world.tables[1])
    world.devices.set(DEVICE, devid=DEVID, pasids=pasids)
    assert world.ask(ft, pasid=last).cause is Cause.OK
    world.expect(world.ask(ft, pasid=last + 1), Cause.PASID_INVALID, 0, 0)


@FTS
@pytest.mark.parametrize("level", [1, 2])
def test_pasid_directory_invalid_and_reserved(ft, level):
    world = World()
    entry = world.pasids.entry_address(PASID, level)
    for bit in (*range(1, 12), *range(52, 64)):
        old = world.memory.read_u64(entry)
        world.or_word(entry, 1 << bit)
        world.expect(world.ask(ft), Cause.ENTRY_RESERVED, 6, entry)
        world.memory.write_u64(entry, old)
    world.memory.write_u64(entry, world.memory.read_u64(entry) & ~1)
    world.expect(world.ask(ft), Cause.PASID_INVALID, 6, entry)


@FTS
@pytest.mark.parametrize("word, bits", [(0, (*range(4, 12), *range(52, 64))),
                                        (1, (*range(2, 12), *range(52, 64))),
                                        (2, range(6, 64)), (3, range(64))])
def test_context_reserved(ft, word, bits):
    world = World()
    context = world.pasids.context_address(PASID)
    for bit in bits:
        world.set_context()
        world.or_word(context + 8 * word, 1 << bit)
        world.expect(world.ask(ft), Cause.ENTRY_RESERVED, 6, context)


@FTS
def test_context_absent(ft):
    world = World()
    context = world.pasids.context_address(PASID)
    world.set_context(mem=None, sto=None)
    world.expect(world.ask(ft), Cause.PASID_INVALID, 6, context)
    world.set_context(**{("mem", "sto")[ft]: None})
    world.expect(world.ask(ft), Cause.TABLE_ABSENT, 6, context)
    assert world.ask(1 - ft).cause is Cause.OK
    # A reserved bit is found first.
    world.or_word(context + 24, 1)
    world.expect(world.ask(ft), Cause.ENTRY_RESERVED, 6, context)


@FTS
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_pasid_levels(ft, levels):
    world = World()
    pasids = PasidDirectory(world.memory, levels)
    pasid = (0x55, 0xABCD, 0xFEDCB)[levels]
    pasids.set(pasid, mem=world.tables[0], sto=world.tables[1])
    world.devices.set(DEVICE, devid=DEVID, pasids=pasids)
    answer = world.ask(ft, pasid=pasid)
    assert answer.cause is Cause.OK and len(answer.trace) == 1 + levels + 1 + 4
    assert world.ask(ft, pasid=pasid ^ 1).cause is Cause.PASID_INVALID


# -- step 4 ------------------------------------------------------------------------------------

@FTS
@DEPTHS
def test_non_canonical(ft, depth):
    world = World(depth)
    top = 9 * depth + 11
    for bit in range(top, 64):
        world.expect(world.ask(ft, addr=1 << bit), Cause.NON_CANONICAL, 0, 0)
        world.expect(world.ask(ft, addr=((1 << 64) - 1) ^ 1 << bit), Cause.NON_CANONICAL, 0, 0)
    for addr in ((1 << top) - 1, ((1 << 64) - 1) << top & ((1 << 64) - 1)):
        assert world.ask(ft, addr=addr).cause is Cause.NOT_PRESENT


# -- step 5: every level -----------------------------------------------------------------------

LEVELS = pytest.mark.parametrize("depth, level", [(depth, level) for depth in (4, 5)
                                                  for level in range(1, depth + 1)])


@FTS
@LEVELS
@pytest.mark.parametrize("code", range(4))
def test_not_present(ft, depth, level, code):
    world = World(depth)
    entry = world.tables[ft].entry_address(world.va, level)
    # Every other bit is software's.
    world.memory.write_u64(entry, code << 1 | 0xFFFF_FFFF_FFFF_FFF8)
    world.expect(world.ask(ft), Cause.NOT_PRESENT, level, entry,
                 (DENY, Disposition.OS, Disposition.REMAP, DENY)[code])


@FTS
@LEVELS
def test_supervisor(ft, depth, level):
    world = World(depth)
    world.tables[ft].edit(world.va, level, u=0)
    world.expect(world.ask(ft), Cause.SUPERVISOR, level,
                 world.tables[ft].entry_address(world.va, level))


@FTS
@LEVELS
def test_access_flag(ft, depth, level):
    world = World(depth)
    world.tables[ft].edit(world.va, level, a=0)
    assert world.ask(ft).cause is Cause.OK
    world.model.check_ad = 1
    world.expect(world.ask(ft), Cause.ACCESS_FLAG, level,
                 world.tables[ft].entry_address(world.va, level), Disposition.REMAP)


@FTS
@pytest.mark.parametrize("depth, level", [(4, 4), (5, 4), (5, 5)])
def test_large_leaf_is_reserved_at_the_top(ft, depth, level):
    world = World(depth)
    # Nothing else is wrong with the address; U = 0 comes later.
    world.tables[ft].edit(world.va, level, ps=1, u=0, pfn=0)
    world.expect(world.ask(ft), Cause.ENTRY_RESERVED, level,
                 world.tables[ft].entry_address(world.va, level))


@FTS
@pytest.mark.parametrize("level", [2, 3])
def test_large_leaf(ft, level):
    world = World()
    span = 4096 << 9 * (level - 1)
    table = PageTable(world.memory)
    base = 0x12_4000_0000
    table.map(world.va // span * span, base, size=Size(level - 1), devid=DEVID if ft else None)
    world.set_context(**{("mem", "sto")[ft]: table})
    entry = table.entry_address(world.va, level)
    answer = world.ask(ft)
    world.expect(answer, Cause.OK, level, entry)
    assert answer.addr == base + (world.va + 0x123) % span
    assert answer.size is Size(level - 1) and answer.leaf == entry
    world.or_word(entry, 1 << 12)
    assert world.ask(ft).addr == answer.addr            # bit 12 is ignored
    for bit in range(13, 21 if level == 2 else 30):
        old = world.memory.read_u64(entry)
        world.or_word(entry, 1 << bit)
        world.expect(world.ask(ft), Cause.ENTRY_RESERVED, level, entry)
        world.memory.write_u64(entry, old)


@FTS
def test_ignored_bits(ft):
    world = World()
    reference = world.ask(ft)
    ignored = {1: (3, 4, 5, 6, 7, 8, 11, 62, 63), 2: (3, 4, 5, 6, 8, 10, 11, *range(52, 64))}
    for level, bits in ignored.items():
        for bit in bits + (() if ft else (*range(52, 62),)):
            entry = world.tables[ft].entry_address(world.va, level)
            old = world.memory.read_u64(entry)
            world.memory.write_u64(entry, old ^ 1 << bit)
            assert world.ask(ft) == reference, (level, bit)
            world.memory.write_u64(entry, old)


# -- step 6 ------------------------------------------------------------------------------------

@FTS
@pytest.mark.parametrize("level", [1, 2, 3])
def test_leaf_of_the_other_ft(ft, level):
    world = World()
    span = 4096 << 9 * (level - 1)
    table = PageTable(world.memory)
    table.map(world.va // span * span, 0x12_4000_0000, size=Size(level - 1), write=False,
              devid=None if ft else DEVID)
    world.set_context(**{("mem", "sto")[ft]: table})
    # The permission, which is missing too, comes later.
    world.expect(world.ask(ft, write=1), Cause.FT_MISMATCH, level,
                 table.entry_address(world.va, level))


@pytest.mark.parametrize("bit", range(10))
def test_device_mismatch(bit):
    world = World()
    world.tables[1].edit(world.va, 1, devid=DEVID ^ 1 << bit, nr=1)
    world.expect(world.ask(1), Cause.DEVICE_MISMATCH, 1, world.tables[1].entry_address(world.va))


@LEVELS
@pytest.mark.parametrize("code", range(4))
def test_read_denied(depth, level, code):
    world = World(depth)
    world.set_context(sto_deny=code, mem_deny=code ^ 3)
    world.tables[1].edit(world.va, level, nr=1)
    world.expect(world.ask(1), Cause.READ_DENIED, 1, world.tables[1].entry_address(world.va),
                 Disposition(code % 3))
    answer = world.ask(1, write=1)
    assert (answer.cause, answer.read, answer.write) == (Cause.OK, 0, 1)
    # NR does not exist for memory.
    world.tables[0].edit(world.va, level, nr=1)
    assert (world.ask(0).cause, world.ask(0).read) == (Cause.OK, 1)


@FTS
@LEVELS
@pytest.mark.parametrize("code", range(4))
def test_write_denied(ft, depth, level, code):
    world = World(depth)
    mine, other = ("mem_deny", "sto_deny")[::-1 if ft else 1]
    world.set_context(**{mine: code, other: code ^ 3})
    world.tables[ft].edit(world.va, level, w=0)
    world.expect(world.ask(ft, write=1), Cause.WRITE_DENIED, 1,
                 world.tables[ft].entry_address(world.va), Disposition(code % 3))
    answer = world.ask(ft)
    assert (answer.cause, answer.read, answer.write) == (Cause.OK, 1, 0)


@FTS
@LEVELS
@pytest.mark.parametrize("own", range(4))
@pytest.mark.parametrize("absent", range(4))
def test_absent_from_a_cpu_table(ft, depth, level, own, absent):
    """§3.2: MEM_ABSENT; the storage table's entries speak for themselves."""
    world = World(depth)
    world.set_context(mem_absent=absent)
    entry = world.tables[ft].entry_address(world.va, level)
    world.memory.write_u64(entry, 0xFFFF_0000_0000_0000 | own << 1)
    world.expect(world.ask(ft), Cause.NOT_PRESENT, level, entry,
                 Disposition((absent if absent and not ft else own) % 3))


@FTS
def test_dirty_flag(ft):
    world = World()
    world.model.check_ad = 1
    world.tables[ft].edit(world.va, 1, d=0)
    assert world.ask(ft).cause is Cause.OK
    world.expect(world.ask(ft, write=1), Cause.ACCESS_FLAG, 1,
                 world.tables[ft].entry_address(world.va), Disposition.REMAP)
    world.tables[ft].edit(world.va, 1, w=0)             # the permission comes first
    assert world.ask(ft, write=1).cause is Cause.WRITE_DENIED


# -- bus errors --------------------------------------------------------------------------------

@FTS
@DEPTHS
def test_table_error_at_every_entry(ft, depth):
    world = World(depth)
    trace = world.ask(ft).trace
    levels = [7, 6, 6, 6, *range(depth, 0, -1)]
    words = [2, 1, 1, 4] + [1] * depth
    for entry, level, count in zip(trace, levels, words, strict=True):
        for word in range(count):
            world.memory.poison(entry + 8 * word, 8)
            world.expect(world.ask(ft), Cause.TABLE_ERROR, level, entry)
            world.memory.cure()
        for neighbour in (entry - 8, entry + 8 * count):
            world.memory.poison(neighbour, 8)
            assert world.ask(ft).cause is Cause.OK
            world.memory.cure()


@FTS
def test_table_error_comes_before_the_content(ft):
    world = World()
    entry = world.devices.entry_address(DEVICE)
    world.memory.write_u64(entry, 0)
    world.memory.poison(entry + 8, 8)
    world.expect(world.ask(ft), Cause.TABLE_ERROR, 7, entry)


# -- requests ----------------------------------------------------------------------------------

def test_request_of_several_pages():
    world = World()
    world.tables[0].map(world.va + 0x1000, 0xABC000)
    answers = world.model.translate(Access(0, 0, DEVICE, PASID, world.va + 0xFFF, 7))
    assert [answer.cause for answer in answers] == [Cause.OK, Cause.OK, Cause.NOT_PRESENT]
    assert [answer.addr for answer in answers] == [PA + 0xFFF, 0xABC000, world.va + 0x2000]


def test_request_wraps_at_the_end_of_the_address_space():
    world = World()
    world.tables[0].map((1 << 64) - 4096, 0xABC000)
    world.tables[0].map(0, 0xDEF000)
    answers = world.model.translate(Access(0, 0, DEVICE, PASID, (1 << 64) - 1, 1))
    assert [answer.addr for answer in answers] == [0xABCFFF, 0xDEF000]


def test_file_table_has_the_permission_of_each_process():
    memory = Memory()
    devices, pasids = DeviceDirectory(memory), PasidDirectory(memory)
    devices.set(1, devid=3, pasids=pasids)
    file = FileTable(memory, devid=3)
    file.map(0, 0x4000)
    rights = {1: (True, False), 2: (True, True), 3: (False, True)}
    for pasid, (read, write) in rights.items():
        table = PageTable(memory)
        table.attach(0x4000_0000, file, read=read, write=write)
        pasids.set(pasid, sto=table)
    model = GoldenModel(memory, 1, 0, devices.base, devices.log2)
    for pasid, expected in rights.items():
        granted = tuple(model.translate_page(Access(1, write, 1, pasid, 0x4000_0000, 0), 0).granted
                        for write in (0, 1))
        assert granted == expected
