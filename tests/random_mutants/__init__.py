"""Mutants that nobody chose: faults that Yosys puts into the exported Verilog, drawn by chance."""
