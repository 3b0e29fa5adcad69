"""Coverage of the exported Verilog by the regression."""
