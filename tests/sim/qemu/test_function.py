"""A PCI function: configuration space, BARs, MSI-X."""

import pytest

from sim.qemu.function import Function

BASE, TABLE = 0xFEB0_0000, 0xFEC0_0000


class Toy(Function):
    """A BAR of which every byte is memory."""

    def __init__(self, vectors=3):
        self.sent = []
        super().__init__(0x1D1D, 0x1234, 0x010802, {0: 8192}, vectors,
                         lambda address, data: self.sent.append((address, data)))
        self.content = bytearray(8192)

    def bar_read(self, number, offset, size):
        return int.from_bytes(self.content[offset:offset + size], "little")

    def bar_write(self, number, offset, size, value):
        self.content[offset:offset + size] = value.to_bytes(size, "little")


@pytest.fixture
def toy():
    made = Toy()
    made.config_write(0x10, BASE, 4)
    made.config_write(0x20, TABLE, 4)
    made.config_write(0x04, 6, 2)
    return made


def enable(toy, vector, address=0xFEE0_0000, data=0x41, mask=0):
    entry = TABLE + 16 * vector
    for offset, value in ((0, address), (4, 0), (8, data), (12, mask)):
        toy.access(entry + offset, 4, value)
    toy.config_write(0x42, 0x8000, 2)


def test_identity():
    toy = Toy()
    assert toy.config_read(0, 4) == 0x1234_1D1D and toy.config_read(0x2C, 4) == 0x1234_1D1D
    assert toy.config_read(8, 4) >> 8 == 0x010802 and toy.config_read(0x0E, 1) == 0
    assert toy.config_read(6, 2) & 0x10 and toy.config_read(0x34, 1) == 0x40
    assert toy.config_read(0x40, 2) == 0x11 and toy.config_read(0x42, 2) == 2
    assert toy.config_read(0x44, 4) == 4 and toy.config_read(0x48, 4) == 0x804
    assert toy.config_read(0x100, 4) == 0xFFFFFFFF
    toy.config_write(0, 0, 4)
    toy.config_write(0xFE, 0xFFFFFFFF, 4)
    assert toy.config_read(0, 4) == 0x1234_1D1D


def test_bars_tell_their_size(toy):
    for offset, mask in ((0x10, 8192), (0x14, None), (0x20, 4096)):
        toy.config_write(offset, 0xFFFFFFFF, 4)
        assert toy.config_read(offset, 4) == (0 if mask is None else 2 ** 32 - mask)


def test_bar_accesses(toy):
    assert toy.access(BASE + 0x1008, 8, 0x1122334455667788) == 0
    assert toy.access(BASE + 0x100C, 4) == 0x11223344
    assert toy.access(BASE + 0x2000, 4) == 0xFFFFFFFF and toy.access(0, 2, 5) == 0xFFFF
    toy.config_write(4, 0, 2)
    assert toy.access(BASE + 0x1008, 4) == 0xFFFFFFFF


def test_msix_messages(toy):
    enable(toy, 1)
    toy.interrupt(1)
    assert toy.sent == [(0xFEE0_0000, 0x41)]
    toy.interrupt(7)                                    # no such vector
    assert len(toy.sent) == 1


@pytest.mark.parametrize("mask, unmask", [
    (lambda toy: toy.access(TABLE + 28, 4, 1), lambda toy: toy.access(TABLE + 28, 4, 0)),
    (lambda toy: toy.config_write(0x42, 0xC000, 2), lambda toy: toy.config_write(0x42, 0x8000, 2)),
    (lambda toy: toy.config_write(0x42, 0, 2), lambda toy: toy.config_write(0x42, 0x8000, 2)),
    (lambda toy: toy.config_write(4, 2, 2), lambda toy: toy.config_write(4, 6, 2)),
])
def test_a_masked_message_waits(toy, mask, unmask):
    enable(toy, 1)
    mask(toy)
    toy.interrupt(1)
    toy.interrupt(1)
    assert not toy.sent and toy.access(TABLE + 0x800, 4) == 2
    unmask(toy)
    assert toy.sent == [(0xFEE0_0000, 0x41)] and toy.access(TABLE + 0x800, 4) == 0


def test_reset(toy):
    enable(toy, 0)
    toy.interrupt(1)
    toy.reset()
    assert toy.config_read(0x10, 4) == toy.config_read(4, 2) == toy.config_read(0x42, 2) - 2 == 0
    assert toy.find(BASE) is None


@pytest.mark.parametrize("bars, vectors, sentence", [
    ({0: 5000}, 1, "BAR 0 of 5000 bytes"), ({0: 64}, 1, "power of two of 4096 up"),
    ({0: 4096}, 65, "65 vectors"), ({0: 4096}, 0, "0 vectors")])
def test_errors_of_construction(bars, vectors, sentence):
    with pytest.raises(ValueError, match=sentence):
        Function(1, 2, 3, bars, vectors, None)
