"""The simulated core as its driver sees it."""

from cocotb.triggers import RisingEdge

from sim.host.control import Platform

__all__ = ["platform"]


def platform(dut, registers):
    """Registers and interrupt pins of the core ``dut``.

    Parameters
    ----------
    dut
    registers : Registers
        Of the test bench.
    """
    async def wait_interrupt(line):
        pin = getattr(dut, f"irq_{line}")
        while not int(pin.value):
            await RisingEdge(pin)
    return Platform(registers.get, registers.set, wait_interrupt)
