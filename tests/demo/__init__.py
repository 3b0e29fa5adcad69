"""The demo on the RTL (``make demo``): real files, an emulated SSD, and the exported Verilog."""
