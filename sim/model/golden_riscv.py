"""The golden model's way through a RISC-V table (§3.4): steps 4 to 7 of §4 for MEM_FMT = 1, 2, 3.

Written from the specification as :mod:`sim.model.golden` is, and quoted in the same way. Bit
positions are written out.
"""

from siommu.arch.formats import Cause, Disposition, Size

from .steps import PAGE, WRAP, Fault, bit, bits, disposition

__all__ = ["reserved_bits", "walk_riscv"]

#: §3.4: "With MEM_FMT = 1, 2, 3 the memory table is a RISC-V Sv39, Sv48 or Sv57 table": its
#: levels.
LEVELS = {1: 3, 2: 4, 3: 5}


def walk_riscv(access, addr, context, check_ad, walk):
    """Walks the memory table of ``context`` for the byte address ``addr``; returns what
    ``GoldenModel`` does of a page: the address, read, write, the size and the leaf."""
    # §3.2: "format of the memory table: 0 = §3.3; 1 = Sv39, 2 = Sv48, 3 = Sv57 (§3.4)."
    walk.table_format = bits(context[0], 3, 2)
    levels = LEVELS[walk.table_format]
    # §5: "READ_DENIED and WRITE_DENIED from the context"
    deny = disposition(bits(context[2], 1, 0))
    # §3.2: "1 = OS, 2 = REMAP whatever the entry says; 3 = DENY."
    absent = bits(context[2], 5, 4)
    # §4.4: "The address is not canonical for the table's depth (bits 63:38, 63:47 or 63:56, for
    # 3, 4 or 5 levels, not all equal) → NON_CANONICAL."
    lowest = {3: 38, 4: 47, 5: 56}[levels]
    if bits(addr, 63, lowest) not in (0, (1 << 64 - lowest) - 1):
        walk.nowhere()
        raise Fault(Cause.NON_CANONICAL)
    # §4.5: "From the root down, at each level:"
    base = bits(context[0], 51, 12) * PAGE
    for level in range(levels, 0, -1):
        # §3.4: "3, 4 or 5 levels of 512 entries, numbered and indexed as in §3.3."
        # §3.3: "level *k* is indexed by address bits `12+9(k-1)+8 : 12+9(k-1)`"
        shift = 12 + 9 * (level - 1)
        entry_addr = base + 8 * bits(addr, shift + 8, shift) & WRAP
        (entry,) = walk.read(level, entry_addr, 1)
        # §4.5: "P = 0 (V = 0) → NOT_PRESENT."
        # §5: "NOT_PRESENT takes it from bits 2:1 of the entry, in either format, unless
        # MEM_ABSENT says otherwise;"
        if not bit(entry, 0):
            raise Fault(Cause.NOT_PRESENT, disposition(absent or bits(entry, 2, 1)))
        # §4.5: "A reserved bit → ENTRY_RESERVED."
        if reserved_bits(entry, level):
            raise Fault(Cause.ENTRY_RESERVED)
        # §3.4: "all 0: pointer to the next level. Else a leaf: reads need R, writes need W."
        # §4.5: "In a RISC-V table U and A are looked at in leaves only."
        # §4.5: "Leaf? go to 6, else descend."
        if bits(entry, 3, 1):
            break
        base = bits(entry, 49, 10) * PAGE
    # §4.5: "U = 0 → SUPERVISOR. CHECK_AD and A = 0 → ACCESS_FLAG."
    if not bit(entry, 4):
        raise Fault(Cause.SUPERVISOR)
    if check_ad and not bit(entry, 6):
        raise Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
    # §3.4: "There is no FT bit: a RISC-V entry serves FT = 0 and nothing else."
    # §4.6: "In a RISC-V table: a read with R = 0 → READ_DENIED, a write with W = 0 → WRITE_DENIED,
    # D as before."
    if not access.write and not bit(entry, 1):
        raise Fault(Cause.READ_DENIED, deny)
    if access.write and not bit(entry, 2):
        raise Fault(Cause.WRITE_DENIED, deny)
    if check_ad and access.write and not bit(entry, 7):
        raise Fault(Cause.ACCESS_FLAG, Disposition.REMAP)
    # §4.7: "In a RISC-V table: read = R, write = W of the leaf."
    # §4.7: "Granted: `PFN · 4096 + offset`, with the offset of the leaf's size;"
    page = bits(entry, 49, 10)
    # §3.4: "with PPN[3:0] = 8, the page is one of 16 contiguous ones, 64 KiB: PPN[3:0] is taken
    # from the address."
    if bit(entry, 63):
        page = page - 8 + bits(addr, 15, 12)
    # §3.4: "`rsp_size` is 2 for every leaf of level 3 and up, and 0 for every leaf of level 1"
    size = Size(min(level, 3) - 1)
    return (page * PAGE + bits(addr, shift - 1, 0), bit(entry, 1), bit(entry, 2), size,
            entry_addr)


def reserved_bits(entry, level):
    """Whether ``entry``, at ``level`` of a RISC-V table, has a reserved bit set."""
    flags = {name: bit(entry, index) for index, name in enumerate("vrwxugad")}
    pbmt, n = bits(entry, 62, 61), bit(entry, 63)
    pointer = not (flags["r"] or flags["w"] or flags["x"])
    # §3.4: "Bits 53:50 must be 0: the core's addresses have 52 bits"
    # The next row of the table: bits 60:54 are reserved.
    if bits(entry, 60, 50):
        return True
    # §3.4: "Reserved as well, each → ENTRY_RESERVED: W without R;"
    if flags["w"] and not flags["r"]:
        return True
    if pointer:
        # §3.4: "a pointer at level 1; a pointer with A, D, U, N or PBMT set;"
        return bool(level == 1 or flags["a"] or flags["d"] or flags["u"] or n or pbmt)
    # §3.4: "leaves: 3 is reserved, the others are ignored."
    if pbmt == 3:
        return True
    # §3.4: "level-1 leaves: with PPN[3:0] = 8, the page is one of 16 contiguous ones"
    # §3.4: "Any other N = 1 is reserved"
    if n and not (level == 1 and bits(entry, 13, 10) == 8):
        return True
    # §3.4: "a leaf of level *k* > 1 whose PPN has any of its lowest 9·(*k* − 1) bits set."
    return level > 1 and bits(entry, 10 + 9 * (level - 1) - 1, 10) != 0
