import random

import pytest

from sim.host.control import Command, fence, inval_context, inval_tlb, prefetch
from sim.host.control.commands import aligned_pieces

PAGE = 4096


@pytest.mark.parametrize("commands, words", [
    # Worked out by hand from §6.
    (inval_tlb(), [(0x0000_0000_0000_0001, 0)]),
    (inval_tlb(device=0x1234), [(0x0000_0000_1234_0101, 0)]),
    (inval_tlb(pasid=0xABCDE), [(0x000A_BCDE_0000_0201, 0)]),
    (inval_tlb(ft=0), [(0x0000_0000_0000_0401, 0)]),
    (inval_tlb(ft=1), [(0x0000_0000_0000_1401, 0)]),
    (inval_tlb(addr=0x7000_0000_5000), [(0x0000_0000_0000_0801, 0x7000_0000_5000)]),
    (inval_tlb(0x1234, 0xABCDE, 1, 1 << 63, 512), [(0x009A_BCDE_1234_1F01, 1 << 63)]),
    (inval_tlb(addr=0x3000, pages=6), [(0x0000_0000_0000_0801, 0x3000),
                                       (0x0020_0000_0000_0801, 0x4000),
                                       (0x0000_0000_0000_0801, 0x8000)]),
    (inval_context(), [(0x0000_0000_0000_0002, 0)]),
    (inval_context(device=0xFFFF), [(0x0000_0000_FFFF_0102, 0)]),
    (inval_context(1, 2), [(0x0000_0002_0001_0302, 0)]),
    (fence(), [(0x0000_0000_0000_0003, 0)]),
    (fence(0x1_2345_6784, 0xDEADBEEF), [(0xDEAD_BEEF_0000_0103, 0x1_2345_6784)]),
    (fence(signal=True), [(0x0000_0000_0000_0203, 0)]),
    (prefetch(0x42, 7, 1, 0x100_0000_0000, 256), [(0x0080_0007_0042_1004, 0x100_0000_0000)]),
    (prefetch(1, 2, 0, 0x20_0000, 300), [(0x0080_0002_0001_0004, 0x20_0000),
                                         (0x0050_0002_0001_0004, 0x30_0000),
                                         (0x0030_0002_0001_0004, 0x32_0000),
                                         (0x0020_0002_0001_0004, 0x32_8000)]),
])
def test_words(commands, words):
    assert [(command.word0, command.word1) for command in commands] == words
    for command in commands:
        data = command.pack()
        assert data == command.word0.to_bytes(8, "little") + command.word1.to_bytes(8, "little")
        assert Command.unpack(data) == command


def test_pieces_cover_the_range_exactly():
    rng = random.Random(0)
    for _ in range(500):
        first, pages = rng.randrange(1 << rng.randrange(1, 40)), rng.randrange(1, 5000)
        expected = first
        for addr, n in aligned_pieces(first * PAGE, pages, 8):
            assert addr == expected * PAGE and n <= 8 and addr % (PAGE << n) == 0
            expected += 1 << n
        assert expected == first + pages


def test_a_ragged_range_is_enlarged_to_one_command():
    (command,) = inval_tlb(addr=0x1000, pages=0x5554)
    assert (command.word0, command.word1) == (0x00F0_0000_0000_0801, 0)
    (command,) = inval_tlb(addr=0x7FFF_FFFF_1000, pages=0xFFF)
    assert command.word1 % (PAGE << (command.word0 >> 52)) == 0
    assert command.word1 <= 0x7FFF_FFFF_1000


def test_whole_address_space():
    (command,) = inval_tlb(addr=0, pages=1 << 51)
    assert command.word0 >> 52 == 51


@pytest.mark.parametrize("arguments, sentence", [
    (dict(device=1 << 16), "device has 16 bits"), (dict(pasid=1 << 20), "pasid has 20 bits"),
    (dict(addr=0, pages=0), "0 pages cannot be invalidated"), (dict(addr=-4096), "page has 52")])
def test_what_does_not_fit(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        inval_tlb(**arguments)


def test_names():
    assert str(inval_context(pasid=1)[0]) == "INVAL_CONTEXT 0x0000000100000202 0x0000000000000000"
    assert str(fence(0x1000, 7, True)[0]) == "FENCE store 0x7 at 0x1000 signal"
    assert str(fence()[0]) == "FENCE"
    assert Command(0x99).name == "opcode 0x99"
