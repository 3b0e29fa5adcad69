"""The shared library of ``siommu_sim.h`` as a Python class; that header has the whole contract."""

import ctypes
from dataclasses import dataclass

from ..model.responses import Beat

__all__ = ["Core", "CoreError", "Region", "WordAccess"]

MANY = 1024                             #: items that one call into the library moves at most


class CoreError(RuntimeError):
    """The library refused a call, or the core broke a bus protocol. The message says why."""


class Region(ctypes.Structure):
    """A piece of main memory: ``size`` bytes from guest physical ``address`` are at ``host``, an
    address in this process. ``siommu_sim_region`` of the header."""

    _fields_ = [("address", ctypes.c_uint64), ("size", ctypes.c_uint64),
                ("host", ctypes.c_void_p)]


class _Request(ctypes.Structure):
    _fields_ = [("address", ctypes.c_uint64), ("pasid", ctypes.c_uint32),
                ("device", ctypes.c_uint16), ("file_transfer", ctypes.c_uint8),
                ("write", ctypes.c_uint8), ("pages", ctypes.c_uint8), ("tag", ctypes.c_uint8)]


class _Beat(ctypes.Structure):
    _fields_ = [("cycle", ctypes.c_uint64), ("address", ctypes.c_uint64),
                *((name, ctypes.c_uint8) for name in ("tag", "last", "cause", "disposition",
                                                      "pages", "read", "write", "size"))]


class _Access(ctypes.Structure):
    _fields_ = [("cycle", ctypes.c_uint64), ("address", ctypes.c_uint64),
                ("value", ctypes.c_uint64), ("write", ctypes.c_uint8),
                ("response", ctypes.c_uint8), ("strobe", ctypes.c_uint8)]


@dataclass(frozen=True)
class WordAccess:
    """A 64-bit word that crossed the AXI4 bus.

    Parameters
    ----------
    cycle : int
        Cycle in which it was handed over.
    address, value : int
    write : bool
    response : int
        AXI's: 0 OKAY, 2 SLVERR, 3 DECERR.
    strobe : int
        A bit per byte.
    """

    cycle: int
    address: int
    value: int
    write: bool
    response: int
    strobe: int


def _declare(library):
    handle, u64, u32, uint = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint
    size, text = ctypes.c_size_t, ctypes.c_char_p
    for name, result, *arguments in (
            ("create", handle), ("destroy", None, handle), ("error", text, handle),
            ("reset", None, handle), ("ports", uint, handle),
            ("map", ctypes.c_int, handle, ctypes.POINTER(Region), size),
            ("set_latency", ctypes.c_int, handle, uint),
            ("read", ctypes.c_int, handle, u32, ctypes.POINTER(u32)),
            ("write", ctypes.c_int, handle, u32, u32, uint),
            ("submit", ctypes.c_int, handle, uint, ctypes.POINTER(_Request)),
            ("collect", ctypes.c_int, handle, uint, ctypes.POINTER(_Beat), size),
            ("forget", ctypes.c_int, handle, uint), ("clock", ctypes.c_int, handle, u64),
            ("run", ctypes.c_int64, handle, u64), ("cycles", u64, handle),
            ("interrupts", uint, handle), ("record", None, handle, ctypes.c_int),
            ("accesses", ctypes.c_int, handle, ctypes.POINTER(_Access), size),
            ("trace", ctypes.c_int, handle, text)):
        function = getattr(library, f"siommu_sim_{name}")
        function.restype, function.argtypes = result, arguments


class Core:
    """A Verilated core with its memory and its clock. A context manager; ``close`` ends it.

    Methods and times are those of ``siommu_sim.h``, under the same names.

    Parameters
    ----------
    library : str or Path
        Of ``build_library``.

    Attributes
    ----------
    ports : int
        Number of ports: devices from 0 on, then ``cpu`` if the core has it.
    """

    def __init__(self, library):
        self._library = ctypes.CDLL(str(library))
        _declare(self._library)
        self._handle = self._library.siommu_sim_create()
        if not self._handle:
            raise CoreError("there is no room for a core")
        self.ports = self._call("ports")
        self._regions = None
        self._beats = (_Beat * MANY)()
        self._words = (_Access * MANY)()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the core and its waves. Nothing else may be called afterwards."""
        if self._handle:
            self._library.siommu_sim_destroy(self._handle)
            self._handle = None

    def _call(self, name, *arguments):
        if not self._handle:
            raise CoreError("the core has been closed")
        result = getattr(self._library, f"siommu_sim_{name}")(self._handle, *arguments)
        if isinstance(result, int) and result < 0:
            raise CoreError(self._library.siommu_sim_error(self._handle).decode())
        return result

    def reset(self):
        """Resets the core; what is under way is dropped."""
        self._call("reset")

    def map(self, regions):
        """Replaces main memory by ``regions``, a list of ``Region``. They must stay alive."""
        array = (Region * len(regions))(*regions)
        self._call("map", array, len(regions))
        self._regions = regions

    def set_latency(self, cycles):
        """Cycles from an address on the AXI4 bus to its first data."""
        self._call("set_latency", cycles)

    def read(self, offset):
        """(value, response) of a 32-bit register read. Clocks."""
        value = ctypes.c_uint32()
        response = self._call("read", offset, ctypes.byref(value))
        return value.value, response

    def write(self, offset, value, strobe=0xF):
        """The response to a 32-bit register write. Clocks."""
        return self._call("write", offset, value, strobe)

    def submit(self, port, access):
        """Queues the ``Access`` at ``port``."""
        request = _Request(access.addr, access.pasid, access.device, access.ft, access.write,
                           access.pages, access.tag)
        self._call("submit", port, ctypes.byref(request))

    def collect(self, port):
        """The new beats of ``port``: a list of (cycle, ``Beat``), oldest first."""
        found = []
        while True:
            count = self._call("collect", port, self._beats, MANY)
            found += [(beat.cycle, Beat(beat.tag, beat.last, beat.cause, beat.disposition,
                                        beat.address, beat.pages, beat.read, beat.write,
                                        beat.size)) for beat in self._beats[:count]]
            if count < MANY:
                return found

    def forget(self, port):
        """Forgets the requests of a port that has been disabled."""
        self._call("forget", port)

    def clock(self, cycles):
        """Clocks exactly ``cycles`` cycles."""
        self._call("clock", cycles)

    def run(self, limit):
        """Clocks while something is under way; returns the cycles, 0 when nothing is."""
        return self._call("run", limit)

    @property
    def cycles(self):
        """Cycles since the core was made."""
        return self._call("cycles")

    @property
    def interrupts(self):
        """Lines that are high: bit 0 ``irq_command``, 1 ``irq_fault``, 2 ``irq_counter``."""
        return self._call("interrupts")

    def record(self, on=True):
        """Records the words that cross the AXI4 bus, for ``accesses``."""
        self._call("record", int(on))

    def accesses(self):
        """The words recorded since the last call: a list of ``WordAccess``."""
        found = []
        while True:
            count = self._call("accesses", self._words, MANY)
            found += [WordAccess(word.cycle, word.address, word.value, bool(word.write),
                                 word.response, word.strobe) for word in self._words[:count]]
            if count < MANY:
                return found

    def trace(self, path):
        """Writes waves to the VCD file ``path`` from now on; ``None`` ends it."""
        self._call("trace", None if path is None else str(path).encode())
