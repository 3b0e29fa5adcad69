"""The exported Verilog of configurations, made once for all tests that only read it."""

from tests.regression import simulator

__all__ = ["exported"]


def exported(config="default"):
    """Text of the module ``siommu`` as users get it; ``config`` is a name that the regression knows
    (``simulator.CONFIGS``). Another process has made it."""
    return simulator.verilog(config, checked=False).read_text()
