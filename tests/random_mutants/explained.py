"""Survivors of the random mutants that no test can notice, each with the reason."""

__all__ = ["EXPLAINED"]

#: Name of a mutant to why it is right as well. The names are those of one text of Verilog.
EXPLAINED = {
    "control.core.miss.slots.slot_10: cnot1 at line 46941, A[0]":
        "Only of 128 claims and more. A slot has 98 at most: 32 of each of three ports, two of "
        "software.",
    "control.registers.reads: cnot1 at line 87020, D[20]":
        "Only while bit 30 of FQ_HEAD is 1. It is stored modulo the ring's size, so it has 15 bits "
        "at most.",
}
