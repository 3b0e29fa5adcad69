"""The cocotb regression on the exported Verilog. `test_regression.py` is its entry for pytest."""
