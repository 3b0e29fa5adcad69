import pytest

from sim.memory import Memory
from sim.tables import (
    CHUNK,
    DeviceDirectory,
    FileTable,
    PageTable,
    PasidDirectory,
    TableError,
    span_bytes,
)
from siommu.arch.formats import Disposition, Size

VA = 0x40_0000_0000


@pytest.fixture
def memory():
    return Memory()


# -- words, literally --------------------------------------------------------------------------

def test_device_entry(memory):
    devices = DeviceDirectory(memory, 4)
    pasids = PasidDirectory(memory, 2)
    devices.set(3, devid=0x2A5, pasids=pasids, quiet=True)
    assert memory.read_u64(devices.base + 48) == pasids.base | 0xA7
    assert memory.read_u64(devices.base + 56) == 0x2A5
    devices.set(3, mem=False, sto_bypass=True)
    assert memory.read_u64(devices.base + 48) == 0x15
    devices.remove(3)
    assert memory.read(devices.base + 48, 16) == bytes(16)


def test_context(memory):
    pasids = PasidDirectory(memory, 1)
    mem, sto = PageTable(memory, 5), PageTable(memory, 4)
    pasids.set(0x1FF, mem=mem, sto=sto, mem_deny=Disposition.REMAP, sto_deny=Disposition.OS)
    entry = memory.read_u64(pasids.base + 8 * 3)
    assert entry & 0xFFF == 1
    context = (entry & ~0xFFF) + 32 * 0x7F
    assert pasids.context_address(0x1FF) == context
    assert [memory.read_u64(context + 8 * word) for word in range(4)] == \
        [mem.root | 3, sto.root | 1, 0b0110, 0]
    pasids.remove(0x1FF)
    assert memory.read(context, 32) == bytes(32)
    assert pasids.context_address(0x2000) is None
    pasids.remove(0x2000)


def test_leaves(memory):
    table = PageTable(memory)
    table.map(VA, 0x1234000)
    assert table.entry(VA) == 0x1234067
    table.map(VA + 0x1000, 0x5000, write=False, read=False, user=False, accessed=False,
              dirty=False, devid=0x3FF)
    assert table.entry(VA + 0x1000) == 0x3FF0_0000_0000_5601
    table.map(VA + 0x20_0000, 0x4000_0000, size=Size.PAGE_2M)
    assert table.entry(VA + 0x20_0000, 2) == 0x4000_00E7
    table.map(VA + (1 << 30), 0x4000_0000, 2, size=Size.PAGE_1G)
    assert table.entry(VA + (2 << 30), 3) == 0x8000_00E7
    assert table.entry(VA, 2) & 0xFFF == 0x027          # the levels above grant everything


# -- page tables -------------------------------------------------------------------------------

@pytest.mark.parametrize("levels", [4, 5])
def test_map_and_unmap(memory, levels):
    table = PageTable(memory, levels)
    top = -1 << 9 * levels + 11 & (1 << 64) - 1         # the lowest of the high half
    for vaddr in (0, VA, top, (1 << 64) - 3 * 4096):
        table.map(vaddr, 0x8000, 3)
        assert [table.entry(vaddr + index * 4096) >> 12 for index in range(3)] == [8, 9, 10]
        table.unmap(vaddr + 4096, disposition=Disposition.REMAP)
        assert table.entry(vaddr + 4096) == 4
        assert table.entry(vaddr) and table.entry(vaddr + 8192)


def test_map_is_all_or_nothing(memory):
    table = PageTable(memory)
    table.map(VA + 0x2000, 0x8000)
    with pytest.raises(TableError, match="0x4000002000 is already mapped"):
        table.map(VA, 0x10000, 3)
    assert table.entry(VA) == 0
    with pytest.raises(TableError, match="0x4000000000 is not mapped by a leaf at level 1"):
        table.unmap(VA, 3)
    assert table.entry(VA + 0x2000) & 1


@pytest.mark.parametrize("arguments, sentence", [
    (dict(vaddr=VA + 1, paddr=0), "not aligned to 0x1000"),
    (dict(vaddr=VA, paddr=0x800), "must be aligned to 0x1000"),
    (dict(vaddr=VA, paddr=1 << 52), "below 2\\^52"),
    (dict(vaddr=VA + 0x1000, paddr=0, size=Size.PAGE_2M), "not aligned to 0x200000"),
    (dict(vaddr=VA, paddr=0x1000, size=Size.PAGE_2M), "must be aligned to 0x200000"),
    (dict(vaddr=VA, paddr=0x20_0000, size=Size.PAGE_1G), "must be aligned to 0x40000000"),
    (dict(vaddr=1 << 47, paddr=0), "not canonical for 4 levels"),
    (dict(vaddr=(1 << 47) - 4096, paddr=0, n_pages=2), "not canonical for 4 levels"),
    (dict(vaddr=VA, paddr=0, n_pages=0), "give one or more"),
    (dict(vaddr=VA, paddr=0, size=Size.BYPASS), "no leaves of size"),
])
def test_map_refuses(memory, arguments, sentence):
    with pytest.raises(TableError, match=sentence):
        PageTable(memory).map(**arguments)


def test_sizes_do_not_overlap(memory):
    table = PageTable(memory)
    table.map(VA, 0x4000_0000, size=Size.PAGE_2M)
    with pytest.raises(TableError, match="already mapped by a leaf at level 2"):
        table.map(VA + 0x1000, 0)
    table.map(VA + 0x20_0000, 0)
    with pytest.raises(TableError, match="is already mapped"):
        table.map(VA + 0x20_0000, 0x4000_0000, size=Size.PAGE_2M)
    with pytest.raises(TableError, match="is not mapped by a leaf at level 2"):
        table.unmap(VA + 0x20_0000, size=Size.PAGE_2M)
    table.unmap(VA, size=Size.PAGE_2M, disposition=Disposition.OS)
    assert table.entry(VA, 2) == 2
    table.map(VA + 0x1000, 0x3000)                      # the disposition moves down
    assert table.entry(VA) == 2 and table.entry(VA + 0x1F_F000) == 2


def test_edit_and_dispositions(memory):
    table = PageTable(memory)
    table.set_disposition(VA, 2, Disposition.OS)
    assert [table.entry(VA + 4096 * index) for index in range(3)] == [2, 2, 0]
    table.map(VA, 0x1000)
    table.edit(VA, 4, w=0)
    assert table.entry(VA, 4) & 2 == 0
    with pytest.raises(TableError, match="unmap it first"):
        table.set_disposition(VA, 1, Disposition.DENY)
    with pytest.raises(TableError, match="has no entry at level 1"):
        table.edit(VA + (1 << 40), 1, w=0)


def test_bad_shapes(memory):
    for make, sentence in ((lambda: PageTable(memory, 3), "4 or 5 levels"),
                           (lambda: PasidDirectory(memory, 3), "0, 1 or 2 levels"),
                           (lambda: DeviceDirectory(memory, 17), "choose 0 to 16"),
                           (lambda: FileTable(memory, 1, 0), "at least 1"),
                           (lambda: DeviceDirectory(memory, 2).set(4), "outside"),
                           (lambda: PasidDirectory(memory, 0).set(128), "out of reach"),
                           (lambda: PasidDirectory(memory, 1).set(1 << 16), "out of reach"),
                           (lambda: PasidDirectory(memory, 0).entry_address(1, 1), "no level 1")):
        with pytest.raises(TableError, match=sentence):
            make()


def test_destroy_frees_every_page(memory):
    table = PageTable(memory)
    table.map(VA, 0, 3)
    pages = set(table._own)
    table.destroy()
    assert {memory.alloc_pages() for _ in pages} == pages


# -- file tables -------------------------------------------------------------------------------

def test_file_table_is_shared(memory):
    file = FileTable(memory, devid=9, reserve=2)
    file.map(0, 0x10000, 2)
    reader, writer = PageTable(memory), PageTable(memory, 5)
    reader.attach(VA, file, read=True, write=False)
    writer.attach(2 * VA, file, read=False, write=True)
    assert file.attachments == 2
    assert reader.entry(VA + 0x1000) == writer.entry(2 * VA + 0x1000) == 0x0090_0000_0001_1467
    assert reader.entry_address(VA) == writer.entry_address(2 * VA) == file.entry_address(0)
    assert reader.entry(VA, 2) & 0xFFF == 0x025
    assert writer.entry(2 * VA, 2) & 0xFFF == 0x227
    file.map(2, 0x99000)                                # seen by both
    assert reader.entry(VA + 0x2000) == writer.entry(2 * VA + 0x2000) != 0
    file.map(CHUNK, 0x77000)                            # a new level-1 page: too
    assert reader.entry(VA + span_bytes(2)) == writer.entry(2 * VA + span_bytes(2)) != 0
    reader.detach(VA, file)
    assert reader.entry(VA, 2) == 0 and writer.entry(2 * VA) != 0
    with pytest.raises(TableError, match="still attached"):
        file.destroy()
    writer.detach(2 * VA, file, disposition=Disposition.OS)
    assert writer.entry(2 * VA, 2) == 2
    file.destroy()


def test_an_attachment_leaves_nothing_of_the_one_before(memory):
    file = FileTable(memory, devid=9, reserve=2)
    file.map(0, 0x10000)
    table = PageTable(memory)
    table.attach(VA, file)
    table.detach(VA, file, disposition=Disposition.OS)
    assert [table.entry(VA + index * span_bytes(2), 2) for index in (0, 1)] == [2, 2]
    table.attach(VA, file)
    assert table.entry(VA, 2) & 1 and table.entry(VA + span_bytes(2), 2) == 0


def test_large_chunks(memory):
    file = FileTable(memory, devid=1, reserve=3)
    file.map_large(CHUNK, 0x4020_0000)
    table = PageTable(memory)
    table.attach(VA, file, read=True, write=False)
    assert table.entry(VA + span_bytes(2), 2) == 0x0010_0000_4020_04E5
    file.map_large(0, 0x4060_0000)
    assert table.entry(VA, 2) == 0x0010_0000_4060_04E5
    with pytest.raises(TableError, match="already mapped by a 2 MiB leaf"):
        file.map(3, 0x1000)
    with pytest.raises(TableError, match="already in use"):
        file.map_large(0, 0)
    with pytest.raises(TableError, match="aligned to 2 MiB"):
        file.map_large(1, 0)


def test_holes(memory):
    file = FileTable(memory, devid=1, reserve=4)
    table = PageTable(memory)
    table.attach(VA, file)
    file.set_disposition(10, 2 * CHUNK, Disposition.OS)
    assert table.entry(VA + 9 * 4096) == 0 and table.entry(VA + 10 * 4096) == 2
    # The middle is a whole 2 MiB: no table for it.
    assert not file.has_chunk(1) and table.entry(VA + span_bytes(2), 2) == 2
    assert table.entry(VA + 2 * span_bytes(2) + 9 * 4096) == 2
    assert table.entry(VA + 2 * span_bytes(2) + 10 * 4096) == 0
    file.map(CHUNK + 7, 0x5000)                         # the rest of that 2 MiB keeps it
    assert table.entry(VA + span_bytes(2) + 7 * 4096) & 1
    assert table.entry(VA + span_bytes(2) + 8 * 4096) == 2
    with pytest.raises(TableError, match="are mapped; unmap them first"):
        file.set_disposition(CHUNK, CHUNK, Disposition.OS)
    file.unmap(CHUNK + 7, disposition=Disposition.OS)
    assert table.entry(VA + span_bytes(2) + 7 * 4096) == 2


def test_file_table_refuses(memory):
    file = FileTable(memory, devid=1)
    file.map(3, 0x1000)
    table = PageTable(memory)
    for work, sentence in (
            (lambda: file.map(2, 0x5000, 2), "page 3 is already mapped"),
            (lambda: file.map(CHUNK, 0x5000), "beyond the 512 pages"),
            (lambda: file.map_large(CHUNK, 0), "beyond the 512 pages"),
            (lambda: file.set_disposition(CHUNK - 1, 2, 0), "beyond the"),
            (lambda: file.map(0, 0x5001), "page-aligned"),
            (lambda: file.unmap(2), "page 2 is not mapped"),
            (lambda: table.attach(VA + 0x1000, file), "not aligned to 0x200000"),
            (lambda: table.detach(VA, file), "not attached at")):
        with pytest.raises(TableError, match=sentence):
            work()
    assert file.entry_address(2) and memory.read_u64(file.entry_address(2)) == 0
    table.attach(VA, file)
    with pytest.raises(TableError, match="already in use"):
        table.attach(VA, FileTable(memory, 1))          # over a chunk that exists
    with pytest.raises(TableError, match="change the file table instead"):
        table.map(VA + 0x1000, 0)
