"""Signals of the simulated core as plain integers.

The bench touches some thirty signals every cycle. cocotb's own ``handle.value`` builds a logic
array for each, which would make the bench, not the core, the slow part; these two closures read
and write the same signals ten times faster.
"""

import cocotb.handle

__all__ = ["reader", "bit", "writer"]

_DEPOSIT = cocotb.handle._GPISetAction.DEPOSIT.value
#: Verilator applies writes at the right moment by itself; elsewhere cocotb has to schedule them.
_DIRECT = cocotb.handle._trust_inertial


def reader(handle):
    """A function that returns the signal's value as an integer (ValueError on X or Z)."""
    get = handle._handle.get_signal_val_binstr
    return lambda: int(get(), 2)


def bit(handle):
    """A function that tells whether the one-bit signal is 1."""
    get = handle._handle.get_signal_val_binstr
    return lambda: get() == "1"


def writer(handle):
    """A function that drives the signal with an integer, from the next delta cycle on."""
    width = len(handle)
    last = None

    def write(value):
        nonlocal last
        if value == last:
            return
        last = value
        if not _DIRECT:
            handle.value = value
        elif width <= 32:
            handle._handle.set_signal_val_int(_DEPOSIT, value)
        else:
            handle._handle.set_signal_val_binstr(_DEPOSIT, f"{value:0{width}b}")
    return write
