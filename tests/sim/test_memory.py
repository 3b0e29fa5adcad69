import pytest

from sim.memory import BusError, Memory, MemoryFull


def test_reads_zero_where_nothing_was_written():
    assert Memory().read(0xFFF0, 32) == bytes(32)


def test_write_crosses_pages_and_is_little_endian():
    memory = Memory()
    memory.write_u64(0x1FFC, 0x1122334455667788)
    assert memory.read(0x1FFC, 8) == bytes.fromhex("8877665544332211")
    assert memory.read(0x2000, 4) == bytes.fromhex("44332211")
    assert memory.read_u64(0x1FFC) == 0x1122334455667788


def test_addresses_wrap():
    memory = Memory()
    memory.write((1 << 64) - 2, b"abcd")
    assert memory.read(0, 2) == b"cd"


def test_poison():
    memory = Memory()
    memory.poison(0x1010, 8)
    assert memory.read(0x1008, 8) == bytes(8)
    assert memory.read(0x1018, 8) == bytes(8)
    for addr, n in ((0x1010, 8), (0x100F, 2), (0x1017, 1), (0x1000, 0x100)):
        with pytest.raises(BusError):
            memory.read(addr, n)
    memory.cure()
    assert memory.read(0x1010, 8) == bytes(8)


def test_a_write_that_fails_changes_nothing():
    memory = Memory()
    memory.poison(0x2000, 1)
    with pytest.raises(BusError) as error:
        memory.write(0x1FF0, b"x" * 32)
    assert error.value.addr == 0x2000
    assert memory.read(0x1FF0, 16) == bytes(16)


def test_limit():
    memory = Memory(base=0, size=0x4000, limit=0x4000)
    assert memory.read(0x3FF8, 8) == bytes(8)
    with pytest.raises(BusError):
        memory.read(0x3FFC, 8)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_allocator_gives_each_page_once(seed):
    memory = Memory(base=0x10000, size=64 * 4096, seed=seed)
    taken = set()
    with pytest.raises(MemoryFull):
        while True:
            page = memory.alloc_pages()
            assert page % 4096 == 0 and 0x10000 <= page < 0x10000 + 64 * 4096
            assert page not in taken
            taken.add(page)
    assert len(taken) > 56              # what random gaps leave is used too, but at the very end


def test_allocated_pages_are_zero_again_after_free():
    memory = Memory()
    page = memory.alloc_pages()
    memory.write(page, b"secret")
    memory.free(page)
    assert memory.alloc_pages() == page
    assert memory.read(page, 6) == bytes(6)


def test_alignment_and_scatter():
    memory = Memory()
    memory.alloc_pages()
    assert memory.alloc_pages(512, align=512) % (1 << 21) == 0
    pages = memory.alloc_pages(9, contiguous=False)
    assert len(set(pages)) == 9
    assert all(second != first + 4096 for first, second in zip(pages, pages[1:]))
    memory.free_all(pages)
    with pytest.raises(ValueError, match="is not allocated"):
        memory.free(pages[0])


def test_errors():
    with pytest.raises(ValueError, match="whole 4 KiB pages"):
        Memory(base=1)
    with pytest.raises(ValueError, match="0 pages cannot be allocated"):
        Memory().alloc_pages(0)
