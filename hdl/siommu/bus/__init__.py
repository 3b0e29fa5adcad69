"""The AXI channels, and who of the core's parts uses them when."""
