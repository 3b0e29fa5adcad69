"""A set-associative store in block RAM, guarded by parity: look-ups, writes, sweeps, scans."""
