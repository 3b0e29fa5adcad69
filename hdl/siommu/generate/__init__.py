"""From a configuration to a file: Verilog, its names, and the command line."""
