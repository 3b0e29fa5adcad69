"""Synthesis, placement and routing of the exported Verilog (``make bench-synth``)."""
