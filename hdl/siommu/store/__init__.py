"""A set-associative store in block RAM, guarded by parity: look-ups, writes, sweeps, scans.

In the order of the data::

    set_index               which set a key belongs to, and what an invalidation compares
    set_way                 one way: its memory, and the comparison of a row with a key
    set_write               what is written: the sweep of a flush, writes, what a scan empties
    set_scan                a set is read, and what an invalidation asks for is dropped
    set_store               the wiring
"""
