"""Survivors of the random mutants that no test can notice, each with the reason."""

__all__ = ["EXPLAINED"]

#: Name of a mutant to why it is right as well. The names are those of one text of Verilog.
EXPLAINED = {}
