"""Survivors of the random mutants that no test can notice, each with the reason."""

__all__ = ["EXPLAINED"]

_RESTS = "It is part of whether a credit is left, of a port where nothing rests. That counts in " \
    "the next cycle, for an operation that waits in this one, and so rests."

_OLD_ROW = "A row that is read while it is written does not count. Here the memory gives the row " \
    "as it was before, which is right as well; in a device it may give anything. The memory " \
    "of the proof `sets` does, which fails without this (`collision-ignored`)."

_PARITY = "A part of the parity is not looked at, and here no bit flips. The module's unit test " \
    "flips each bit of a row (`test_damaged_rows_are_no_match`; twin: `parity-ignored`)."

_NO_SUCH_BIT = "The register has no such bit: it is always 0."

_NO_READER = "Nobody reads this: the export names a word of the memory besides."

#: Name of a mutant to why it is right as well. The names are those of one text of Verilog.
EXPLAINED = {
    "control.core.miss.slots.slot_10: cnot1 at line 46941, A[0]":
        "Only of 128 claims and more. A slot has 98 at most: 32 of each of three ports, two of "
        "software.",
    "control.registers.reads: cnot1 at line 87020, D[20]":
        "Only while bit 30 of FQ_HEAD is 1. It is stored modulo the ring's size, so it has 15 bits "
        "at most.",
    "control.commands.fetch: const0 at line 3897, Q[59]":
        "The address of a command has 53 bits; the others of its register are always 0.",
    "control.core.cpu_egress.credits: const0 at line 12882, B[0]": _RESTS,
    "control.core.dev1_egress.credits: const0 at line 20578, Y[0]": _RESTS,
    "control.core.dev1_egress.credits: const0 at line 20629, Y[0]": _RESTS,
    "control.core.miss.look_ahead: const0 at line 36750, Q[0]":
        "Whether the operation that look-aheads follow is speculative is kept with it, and nobody "
        "asks.",
    "control.core.second_level.tags.way_0: const0 at line 56304, Y[0]": _OLD_ROW,
    "control.core.second_level.tags.way_3: const0 at line 57511, A[0]": _OLD_ROW,
    "control.core.walk_cache.store.way_1: const0 at line 68721, A[6]": _PARITY,
    "control.core.arbiter: const1 at line 10114, B[15]":
        "Whether an operation is in time for a fault of the slot that it claims is set with the "
        "claim; it is asked of no other one.",
    "control.core.dev1_egress.queue.ring: const1 at line 22235, A[0]":
        "Where the next place is not read, one is shown already.",
    "control.core.miss.act: const1 at line 33038, A[0]":
        "A cycle without an operation has one of zeros, which claims no slot.",
    "control.core.miss.exit: const1 at line 35427, Y[0]":
        "All that the second level answers is a granted page of 4 KiB.",
    "control.core.second_level.rows.ram: const1 at line 54681, RD_DATA[115]": _NO_READER,
    "control.core.walk_cache.store.way_1.ram: const1 at line 68857, RD_DATA[210]": _NO_READER,
    "control.fault_queue.waiting.ram: const1 at line 84978, RD_DATA[246]": _NO_READER,
    "control.core.walk_cache.store.way_1: const1 at line 68701, Y[0]":
        "Keys that differ in these two bits alone are in different sets: each of them is added to "
        "another bit of the set's number.",
    "control.registers.reads: const0 at line 86867, B[9]": _NO_SUCH_BIT,
    "control.registers.writes: const0 at line 89067, Y[6]": _NO_SUCH_BIT,
}
