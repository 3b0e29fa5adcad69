"""Latency and throughput of the exported Verilog, measured (``make bench``), and long runs."""
