"""What Identify answers (NVMe 1.4, 5.15): data structures of 4096 bytes."""

import uuid

from .defs import PAGE, Identify, Status
from .transfer import CommandError

__all__ = ["identify_data"]

VENDOR = 0x1D1D
MODEL = "SIOMMU emulated SSD"
FIRMWARE = "1.0"
CONTROLLER_ID = 1
ALL = 0xFFFFFFFF
ABORTS = 3                              #: ACL: commands that Abort may be under way for, minus one
WARNING_KELVIN, CRITICAL_KELVIN = 343, 353
#: Names the namespaces' UUIDs follow from, so that they are the same in every run.
UUIDS = uuid.UUID("5d0f3a5e-6a0c-5f6b-9c1c-53494f4d4d55")


def identify_data(controller, command):
    """The 4096 bytes that answer the Identify ``command``.

    Raises
    ------
    CommandError
        No such namespace, or a CNS that NVMe 1.4 does not have or this controller does not support.
    """
    kind = command.cdw10 & 0xFF
    namespaces = controller.media.namespaces
    if kind == Identify.CONTROLLER:
        page = _controller(controller)
    elif kind == Identify.NAMESPACE:
        page = _namespace(_existing(namespaces, command.nsid))
    elif kind == Identify.ACTIVE_NAMESPACES:
        if command.nsid >= ALL - 1:
            raise CommandError(Status.INVALID_NAMESPACE)
        page = _list([nsid for nsid in sorted(namespaces) if nsid > command.nsid], 4)
    elif kind == Identify.DESCRIPTORS:
        page = _descriptors(controller, _existing(namespaces, command.nsid))
    elif kind in (Identify.ATTACHED_CONTROLLERS, Identify.CONTROLLERS):
        if kind == Identify.ATTACHED_CONTROLLERS:
            _existing(namespaces, command.nsid)
        found = [CONTROLLER_ID] if command.cdw10 >> 16 <= CONTROLLER_ID else []
        page = len(found).to_bytes(2, "little") + _list(found, 2)
    else:
        raise CommandError(Status.INVALID_FIELD)
    return bytes(page[:PAGE]).ljust(PAGE, b"\0")


def _existing(namespaces, nsid):
    if nsid not in namespaces:
        raise CommandError(Status.INVALID_NAMESPACE)
    return namespaces[nsid]


def _list(numbers, size):
    return b"".join(number.to_bytes(size, "little") for number in numbers[:PAGE // size])


def serial_number(controller):
    """The serial number: the requester id, so that two SSDs of a machine differ."""
    return f"{controller.device:04X}"


def _controller(controller):
    page = bytearray(PAGE)

    def put(offset, value, size):
        page[offset:offset + size] = value.to_bytes(size, "little")
    serial = serial_number(controller).ljust(20)
    put(0, VENDOR | VENDOR << 16, 4)
    page[4:24] = serial.encode()
    page[24:64] = MODEL.ljust(40).encode()
    page[64:72] = FIRMWARE.ljust(8).encode()
    put(77, controller.mdts, 1)
    put(78, CONTROLLER_ID, 2)
    put(80, 0x00010400, 4)
    put(111, 1, 1)                      # CNTRLTYPE: an I/O controller
    put(258, ABORTS, 1)
    put(259, controller.events.LIMIT - 1, 1)
    put(260, 1 | 1 << 1, 1)             # FRMW: one firmware slot, read only
    put(261, 1 << 1 | 1 << 2, 1)        # LPA: Commands Supported and Effects; offsets
    put(262, controller.errors.LIMIT - 1, 1)
    put(266, WARNING_KELVIN, 2)
    put(268, CRITICAL_KELVIN, 2)
    page[512] = 0x66                    # SQES, CQES: exactly 64 and 16 bytes
    page[513] = 0x44
    put(516, len(controller.media.namespaces), 4)
    put(520, 1 << 4, 2)                 # ONCS: Select of Get Features
    # SUBNQN in the form of NVMe 1.4, 7.9, for those who have no domain to name themselves by.
    name = f"nqn.2014.08.org.nvmexpress:{VENDOR:04x}{VENDOR:04x}{serial}{MODEL.ljust(40)}"
    page[768:768 + len(name)] = name.encode()
    put(2048, 500, 2)                   # power state 0: 5 W
    return page


def _namespace(namespace):
    page = bytearray(PAGE)
    for offset in (0, 8, 16):           # NSZE, NCAP, NUSE
        page[offset:offset + 8] = namespace.blocks.to_bytes(8, "little")
    page[130] = namespace.lba_bytes.bit_length() - 1            # LBAF0.LBADS, the one in use
    return page


def _descriptors(controller, namespace):
    """One namespace identification descriptor, a UUID (NVMe 1.4, figure 249)."""
    name = uuid.uuid5(UUIDS, f"{serial_number(controller)}/{namespace.nsid}")
    return bytes([3, 16, 0, 0]) + name.bytes
