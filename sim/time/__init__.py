"""What time is: the simulator's clock, or a clock of Python's own."""
