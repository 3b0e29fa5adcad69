"""A PCI function behind ``x-pci-proxy-dev``: configuration space, BARs, MSI-X (PCI 3.0, 6)."""

__all__ = ["Function"]

SPACE = 256                             #: QEMU forwards no extended configuration space
COMMAND, STATUS, BARS, SUBSYSTEM, CAPABILITIES = 0x04, 0x06, 0x10, 0x2C, 0x34
MEMORY_SPACE, BUS_MASTER = 1 << 1, 1 << 2
MSIX = 0x40                             #: where the capability lies
ENABLE, MASK_ALL = 1 << 15, 1 << 14
ENTRY = 16                              #: bytes of a vector in the MSI-X table
PENDING = 0x800                         #: where the pending bits begin in the BAR of the table
VECTORS = 64


class Function:
    """One PCI function with memory BARs and MSI-X vectors. Subclasses say what the BARs do.

    The BARs are 32 bits wide. BAR 4 holds the MSI-X table at 0 and the pending bits at 800h.

    Parameters
    ----------
    vendor, device : int
        Identifiers of 16 bits, used as subsystem identifiers too.
    class_code : int
        24 bits: base class, subclass, programming interface.
    bars : dict
        Number of a BAR to its bytes, a power of two of at least 4096; not 4.
    vectors : int
        MSI-X vectors, 1 to 64.
    send : callable
        Delivers an interrupt message: address, 32-bit data.
    """

    TABLE_BAR = 4

    def __init__(self, vendor, device, class_code, bars, vectors, send):
        if not 1 <= vectors <= VECTORS:
            raise ValueError(f"{vectors} vectors; MSI-X here has 1 to {VECTORS}")
        self._bars = {**bars, self.TABLE_BAR: 4096}
        for number, size in self._bars.items():
            if size < 4096 or size & (size - 1):
                raise ValueError(f"BAR {number} of {size} bytes is not a power of two of 4096 up")
        self.vectors = vectors
        self._send = send
        self._table = bytearray(ENTRY * vectors)
        self._pending = 0
        self._space = bytearray(SPACE)
        self._writable = bytearray(SPACE)
        self._identity = vendor, device, class_code
        self._fill(vendor, device, class_code)

    def _fill(self, vendor, device, class_code):
        def put(offset, value, size, writable=0):
            self._space[offset:offset + size] = value.to_bytes(size, "little")
            self._writable[offset:offset + size] = writable.to_bytes(size, "little")
        put(0, vendor | device << 16, 4)
        put(COMMAND, 0, 2, 0x0406)              # memory, bus master, INTx off
        put(STATUS, 1 << 4, 2)                  # there are capabilities
        put(8, class_code << 8 | 1, 4)
        for number, size in self._bars.items():
            put(BARS + 4 * number, 0, 4, (1 << 32) - size)
        put(SUBSYSTEM, vendor | device << 16, 4)
        put(CAPABILITIES, MSIX, 1)
        put(0x3C, 0, 1, 0xFF)                   # interrupt line: software's
        put(MSIX, 0x11, 2)
        put(MSIX + 2, self.vectors - 1, 2, ENABLE | MASK_ALL)
        put(MSIX + 4, self.TABLE_BAR, 4)
        put(MSIX + 8, PENDING | self.TABLE_BAR, 4)
        self._table[:] = (b"\0" * 12 + b"\1\0\0\0") * self.vectors      # all masked
        self._pending = 0

    def reset(self):
        """Configuration and vectors are those of power-on."""
        self._fill(*self._identity)

    # -- configuration space -------------------------------------------------------------------

    def config_read(self, offset, size):
        """``size`` bytes of configuration space. Beyond the space all bits are 1."""
        if offset + size > SPACE:
            return (1 << 8 * size) - 1
        return int.from_bytes(self._space[offset:offset + size], "little")

    def config_write(self, offset, value, size):
        """Writes ``size`` bytes of configuration space, as far as software may."""
        for index in range(offset, min(offset + size, SPACE)):
            mask = self._writable[index]
            byte = value >> 8 * (index - offset) & 0xFF
            self._space[index] = self._space[index] & ~mask | byte & mask
        self._deliver_pending()

    def find(self, address):
        """(BAR, offset) of a guest physical address, ``None`` where no BAR is."""
        if not self.config_read(COMMAND, 2) & MEMORY_SPACE:
            return None
        for number, size in self._bars.items():
            base = self.config_read(BARS + 4 * number, 4) & -16
            if base and base <= address < base + size:
                return number, address - base
        return None

    # -- BARs ----------------------------------------------------------------------------------

    def access(self, address, size, value=None):
        """Carries out a BAR access; returns what a read finds. Where no BAR is, all bits are 1."""
        place = self.find(address)
        if place is None:
            return (1 << 8 * size) - 1
        number, offset = place
        if number != self.TABLE_BAR:
            return self.bar_read(number, offset, size) if value is None else \
                self.bar_write(number, offset, size, value) or 0
        if value is None:
            content = self._table if offset < PENDING else self._pending.to_bytes(8, "little")
            start = offset if offset < PENDING else offset - PENDING
            return int.from_bytes(content[start:start + size], "little")
        if offset + size <= len(self._table):
            self._table[offset:offset + size] = value.to_bytes(size, "little")
            self._deliver_pending()
        return 0

    def bar_read(self, number, offset, size):
        """What ``size`` bytes at ``offset`` of a BAR are."""
        raise NotImplementedError

    def bar_write(self, number, offset, size, value):
        """Writes ``size`` bytes at ``offset`` of a BAR."""
        raise NotImplementedError

    # -- interrupts ----------------------------------------------------------------------------

    def interrupt(self, vector):
        """Sends the message of a vector, or keeps it pending while the vector is masked."""
        if vector < self.vectors:
            self._pending |= 1 << vector
            self._deliver_pending()

    def _deliver_pending(self):
        control = self.config_read(MSIX + 2, 2)
        if not self._pending or not control & ENABLE or control & MASK_ALL \
                or not self.config_read(COMMAND, 2) & BUS_MASTER:
            return
        for vector in range(self.vectors):
            entry = self._table[ENTRY * vector:ENTRY * (vector + 1)]
            if self._pending >> vector & 1 and not entry[12] & 1:
                self._pending &= ~(1 << vector)
                self._send(int.from_bytes(entry[:8], "little"),
                           int.from_bytes(entry[8:12], "little"))
