"""The protocol of QEMU's ``x-pci-proxy-dev``: all that is known of its bytes is in this file.

QEMU 7.2 forwards the configuration and BAR accesses of one PCI function over a UNIX stream socket,
and shares the guest's memory by file descriptors. It calls that experimental, so another version
may speak otherwise. A message is a header of 16 bytes, which the descriptors come with, and a
payload; everything is little endian. Accesses and resets want a reply (``reply``), the others none.
"""

import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["BarAccess", "ConfigAccess", "Disconnected", "IrqDescriptors", "MemoryMap",
           "ProtocolError", "Reset", "Section", "receive", "reply"]

HEADER = struct.Struct("<i4xQ")
CONFIG = struct.Struct("<IIi")
BAR = struct.Struct("<QQIB3x")
RETURN = struct.Struct("<Q")
SECTIONS = 8                            #: memory sections and descriptors of one message at most
MAP = struct.Struct(f"<{3 * SECTIONS}Q")
REST_SECONDS = 10                       #: until the rest of a message that has begun must be here


class Kind(IntEnum):
    """Numbers of the messages."""

    SYNC_SYSMEM = 0
    RET = 1
    PCI_CFGWRITE = 2
    PCI_CFGREAD = 3
    BAR_WRITE = 4
    BAR_READ = 5
    SET_IRQFD = 6
    DEVICE_RESET = 7


class ProtocolError(RuntimeError):
    """QEMU sent something else than this file describes. The message says what."""


class Disconnected(Exception):
    """QEMU closed the socket between two messages: it has ended."""


@dataclass(frozen=True)
class ConfigAccess:
    """An access to configuration space. ``value`` is ``None`` of a read; ``size`` is in bytes."""

    offset: int
    size: int
    value: int = None


@dataclass(frozen=True)
class BarAccess:
    """An access to a BAR at the absolute guest ``address``. ``value`` is ``None`` of a read."""

    address: int
    size: int
    memory: bool
    value: int = None


@dataclass(frozen=True)
class Section:
    """A piece of guest memory: ``size`` bytes from guest physical ``address`` on are in the file of
    ``descriptor`` from ``offset`` on. The descriptor belongs to whoever gets it."""

    address: int
    size: int
    offset: int
    descriptor: int


@dataclass(frozen=True)
class MemoryMap:
    """All of the guest's memory, in place of the map before."""

    sections: tuple


@dataclass(frozen=True)
class IrqDescriptors:
    """Event descriptors of the INTx pin. They need KVM: they were closed."""


@dataclass(frozen=True)
class Reset:
    """The function is to be reset."""


def receive(connection):
    """The next message of a blocking socket, as one of the classes of this file.

    Parameters
    ----------
    connection : socket.socket
        Of ``AF_UNIX`` and ``SOCK_STREAM``.

    Raises
    ------
    Disconnected
        The other side closed it, and no message was begun.
    ProtocolError
        The message is cut, or none of the protocol.
    """
    descriptors = []
    try:
        return _receive(connection, descriptors)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def _receive(connection, descriptors):
    header = b""
    connection.settimeout(REST_SECONDS)
    while len(header) < HEADER.size:
        try:
            part, found, _, _ = socket.recv_fds(connection, HEADER.size - len(header), SECTIONS)
        except TimeoutError:
            raise ProtocolError("QEMU sent a part of a header and no more") from None
        except ConnectionResetError:
            part, found = b"", []
        descriptors += found
        if not part and not header:
            raise Disconnected
        if not part:
            raise ProtocolError(f"QEMU closed the socket after {len(header)} bytes of a header")
        header += part
    number, size = HEADER.unpack(header)
    try:
        kind = Kind(number)
    except ValueError:
        raise ProtocolError(f"QEMU sent a message of the unknown kind {number}") from None
    wanted = {Kind.SYNC_SYSMEM: MAP.size, Kind.PCI_CFGWRITE: CONFIG.size,
              Kind.PCI_CFGREAD: CONFIG.size, Kind.BAR_WRITE: BAR.size, Kind.BAR_READ: BAR.size,
              Kind.SET_IRQFD: 0, Kind.DEVICE_RESET: 0}.get(kind)
    if wanted is None:
        raise ProtocolError(f"QEMU sent a {kind.name}, which it only receives")
    if size != wanted:
        raise ProtocolError(f"QEMU sent a {kind.name} of {size} bytes; {wanted} were expected")
    payload = _rest(connection, kind, size)
    if descriptors and kind not in (Kind.SYNC_SYSMEM, Kind.SET_IRQFD):
        raise ProtocolError(f"QEMU sent descriptors with a {kind.name}")
    return _decode(kind, payload, descriptors)


def _rest(connection, kind, size):
    payload = b""
    while len(payload) < size:
        try:
            part = connection.recv(size - len(payload))
        except (TimeoutError, ConnectionResetError):
            part = b""
        if not part:
            raise ProtocolError(f"QEMU sent {len(payload)} of the {size} bytes of a {kind.name}")
        payload += part
    return payload


def _decode(kind, payload, descriptors):
    if kind in (Kind.PCI_CFGREAD, Kind.PCI_CFGWRITE):
        offset, value, size = CONFIG.unpack(payload)
        if size not in (1, 2, 4):
            raise ProtocolError(f"QEMU sent a {kind.name} of {size} bytes of the space")
        return ConfigAccess(offset, size, value if kind == Kind.PCI_CFGWRITE else None)
    if kind in (Kind.BAR_READ, Kind.BAR_WRITE):
        address, value, size, memory = BAR.unpack(payload)
        if size not in (1, 2, 4, 8):
            raise ProtocolError(f"QEMU sent a {kind.name} of {size} bytes of a BAR")
        return BarAccess(address, size, bool(memory),
                         value & ((1 << 8 * size) - 1) if kind == Kind.BAR_WRITE else None)
    if kind == Kind.DEVICE_RESET:
        return Reset()
    if kind == Kind.SET_IRQFD:
        for descriptor in descriptors:
            os.close(descriptor)
        descriptors.clear()
        return IrqDescriptors()
    words = MAP.unpack(payload)
    return MemoryMap(tuple(
        Section(words[index], words[SECTIONS + index], words[2 * SECTIONS + index], descriptor)
        for index, descriptor in enumerate(descriptors)))


def reply(connection, value=0):
    """Answers the last message; ``value`` is what was read, 0 of a write or a reset.

    Raises
    ------
    Disconnected
        QEMU has ended.
    """
    try:
        connection.sendall(HEADER.pack(Kind.RET, RETURN.size) + RETURN.pack(value))
    except (BrokenPipeError, ConnectionResetError):
        raise Disconnected from None
