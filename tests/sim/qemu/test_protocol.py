"""QEMU's messages: bytes recorded from QEMU 7.2, and what is none of them."""

import os
import socket

import pytest

from sim.qemu import protocol
from sim.qemu.protocol import BarAccess, ConfigAccess, Disconnected, ProtocolError

#: Recorded: the payloads of a boot, behind the header that QEMU sent with them.
HEADER = {name: number.to_bytes(4, "little") + bytes(4) + size.to_bytes(8, "little")
          for name, number, size in (("map", 0, 192), ("config write", 2, 12),
                                     ("config read", 3, 12), ("bar write", 4, 24),
                                     ("bar read", 5, 24), ("irq", 6, 0), ("reset", 7, 0))}
MAP = (bytes(64) + (512 << 20).to_bytes(8, "little")).ljust(192, b"\0")


@pytest.fixture
def pair():
    """(our end, QEMU's end)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def quick(monkeypatch):
    """The rest of a message is not waited for."""
    monkeypatch.setattr(protocol, "REST_SECONDS", .05)


@pytest.mark.parametrize("name, payload, message", [
    ("config read", "020000000000000002000000", ConfigAccess(2, 2)),
    ("config write", "10000000ffffffff04000000", ConfigAccess(0x10, 4, 0xFFFFFFFF)),
    ("config write", "040000000600000002000000", ConfigAccess(4, 2, 6)),
    ("bar read", "0800b0fe0000000000000000000000000400000001000000",
     BarAccess(0xFEB00008, 4, True)),
    ("bar write", "2400b0fe000000003f00ff00000000000400000001000000",
     BarAccess(0xFEB00024, 4, True, 0x00FF003F)),
    ("reset", "", protocol.Reset()),
])
def test_recorded_messages(pair, name, payload, message):
    ours, theirs = pair
    theirs.sendall(HEADER[name] + bytes.fromhex(payload))
    assert protocol.receive(ours) == message


def test_recorded_map(pair, tmp_path):
    ours, theirs = pair
    with (tmp_path / "ram").open("w+b") as file:
        socket.send_fds(theirs, [HEADER["map"]], [file.fileno()])
        theirs.sendall(MAP)
        (section,) = protocol.receive(ours).sections
        assert (section.address, section.size, section.offset) == (0, 512 << 20, 0)
        assert os.path.samestat(os.fstat(section.descriptor), os.fstat(file.fileno()))
        os.close(section.descriptor)


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def test_irq_descriptors_are_closed(pair):
    ours, theirs = pair
    before = descriptors()
    socket.send_fds(theirs, [HEADER["irq"]], [0, 1])
    assert protocol.receive(ours) == protocol.IrqDescriptors()
    assert descriptors() == before


def test_a_message_in_pieces(pair):
    ours, theirs = pair
    data = HEADER["config read"] + bytes.fromhex("020000000000000002000000")
    for index in range(len(data)):
        theirs.sendall(data[index:index + 1])
    assert protocol.receive(ours) == ConfigAccess(2, 2)


def test_reply(pair):
    ours, theirs = pair
    protocol.reply(ours, 0x1122334455667788)
    assert theirs.recv(100).hex() == "0100000000000000" "0800000000000000" "8877665544332211"
    theirs.close()
    with pytest.raises(Disconnected):
        protocol.reply(ours)


@pytest.mark.parametrize("data, sentence", [
    (b"\x09".ljust(16, b"\0"), "unknown kind 9"),
    (b"\x01".ljust(16, b"\0"), "a RET, which it only receives"),
    (HEADER["config read"][:8] + b"\x0d".ljust(8, b"\0"), "PCI_CFGREAD of 13 bytes; 12"),
    (HEADER["bar read"][:8] + b"\xff" * 8, "BAR_READ of"),
    (HEADER["config read"] + b"\0" * 8 + b"\x03\0\0\0", "PCI_CFGREAD of 3 bytes of the space"),
    (HEADER["bar write"] + b"\0" * 16 + b"\x10".ljust(8, b"\0"), "BAR_WRITE of 16 bytes of a BAR"),
    (HEADER["bar read"][:7], "a part of a header"),
    (HEADER["bar read"] + b"\0" * 5, "5 of the 24 bytes of a BAR_READ"),
])
def test_malformed_messages(pair, quick, data, sentence):
    ours, theirs = pair
    theirs.sendall(data)
    with pytest.raises(ProtocolError, match=sentence):
        protocol.receive(ours)


@pytest.mark.parametrize("data, error", [
    (b"", Disconnected), (b"\0" * 7, ProtocolError), (HEADER["map"], ProtocolError)])
def test_a_closed_socket(pair, data, error):
    ours, theirs = pair
    theirs.sendall(data)
    theirs.close()
    with pytest.raises(error):
        protocol.receive(ours)


def test_descriptors_that_do_not_belong(pair):
    ours, theirs = pair
    before = descriptors()
    socket.send_fds(theirs, [HEADER["reset"]], [0])
    with pytest.raises(ProtocolError, match="descriptors with a DEVICE_RESET"):
        protocol.receive(ours)
    assert descriptors() == before
