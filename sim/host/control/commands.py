"""Commands of §6 as values: built by name, cut to the powers of two that the format knows."""

from dataclasses import dataclass

from siommu.arch.formats import PREFETCH_MAX_N, CommandAddress, CommandWord0, FenceWord0, Opcode
from siommu.arch.packing import pack, unpack

__all__ = ["Command", "aligned_pieces", "fence", "inval_context", "inval_tlb", "prefetch",
           "selected"]

PAGE = 4096
MAX_PIECES = 8                          #: a range that takes more commands is enlarged instead
MAX_N = 51


@dataclass(frozen=True)
class Command:
    """A 16-byte command: its two words."""

    word0: int
    word1: int = 0

    def pack(self):
        """The 16 bytes in memory."""
        return self.word0.to_bytes(8, "little") + self.word1.to_bytes(8, "little")

    @classmethod
    def unpack(cls, data):
        """The command in 16 bytes."""
        return cls(int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little"))

    @property
    def name(self):
        """Its opcode's name, for messages."""
        code = self.word0 & 0xFF
        return Opcode(code).name if code in [item.value for item in Opcode] else \
            f"opcode {code:#x}"

    def __str__(self):
        if self.name == "FENCE":
            fields = unpack(FenceWord0, self.word0)
            where = f" store {fields['data']:#x} at {self.word1:#x}" if fields["store"] else ""
            return f"FENCE{where}{' signal' if fields['signal'] else ''}"
        return f"{self.name} {self.word0:#018x} {self.word1:#018x}"


def aligned_pieces(addr, pages, max_n=MAX_N):
    """``pages`` pages from ``addr`` on as (address, n): 2^n pages each, aligned to as many.

    The pieces cover exactly the range, in order, and none has more than 2^``max_n`` pages.
    """
    page = addr // PAGE
    while pages:
        n = min(pages.bit_length() - 1, max_n)
        if page:
            n = min(n, (page & -page).bit_length() - 1)
        yield page * PAGE, n
        page, pages = page + (1 << n), pages - (1 << n)


def _covering(addr, pages):
    """The smallest aligned power of two of pages that holds the range, as (address, n)."""
    first, last = addr // PAGE, addr // PAGE + pages - 1
    n = (first ^ last).bit_length()
    return (first >> n << n) * PAGE, n


def selected(device, pasid, ft=None):
    """Fields of ``CommandWord0`` that select by what is not ``None``."""
    fields = {}
    for name, value in (("device", device), ("pasid", pasid), ("ft", ft)):
        if value is not None:
            fields.update({name: value, f"by_{name}": 1})
    return fields


def inval_tlb(device=None, pasid=None, ft=None, addr=None, pages=1):
    """The INVAL_TLB commands, a list, for what agrees with all operands that are given.

    ``addr`` with ``pages`` is a range: that many pages, the first of which holds ``addr``. It
    becomes one command for each aligned power of two in it. A range that would take many of them
    is enlarged to the next one that takes one command: more may be dropped than asked.

    Raises
    ------
    ValueError
        A value does not fit its field, or the range is empty.
    """
    fields = selected(device, pasid, ft)
    if addr is None:
        return [Command(pack(CommandWord0, opcode=Opcode.INVAL_TLB, **fields))]
    if pages < 1:
        raise ValueError(f"{pages} pages cannot be invalidated; give one or more")
    pieces = list(aligned_pieces(addr, pages))
    if len(pieces) > MAX_PIECES:
        pieces = [_covering(addr, pages)]
    return [Command(pack(CommandWord0, opcode=Opcode.INVAL_TLB, by_addr=1, n=n, **fields),
                    pack(CommandAddress, page=start // PAGE)) for start, n in pieces]


def inval_context(device=None, pasid=None):
    """The INVAL_CONTEXT command, a list of one, for the contexts of a device or PASID or both."""
    return [Command(pack(CommandWord0, opcode=Opcode.INVAL_CONTEXT, **selected(device, pasid)))]


def prefetch(device, pasid, ft, addr, pages=1):
    """The PREFETCH commands, a list, for the pages of a range: at most 256 pages each."""
    return [Command(pack(CommandWord0, opcode=Opcode.PREFETCH, device=device, pasid=pasid, ft=ft,
                         n=n), pack(CommandAddress, page=start // PAGE))
            for start, n in aligned_pieces(addr, pages, PREFETCH_MAX_N)]


def fence(store=None, data=0, signal=False):
    """The FENCE command, a list of one: stores ``data`` at the address ``store``, if one is given;
    raises CQ_FENCE, if ``signal``."""
    word0 = pack(FenceWord0, opcode=Opcode.FENCE, store=store is not None, signal=signal,
                 data=data)
    return [Command(word0, store or 0)]
