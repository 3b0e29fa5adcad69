"""Contracts between modules, checked while they run: in simulation and in the proofs."""

from contextlib import contextmanager
from contextvars import ContextVar

from amaranth.hdl import Assert

__all__ = ["contracts", "require"]

_CHECKED = ContextVar("siommu_contracts", default=True)


def require(m, condition, sentence):
    """States that ``condition``, a value of one bit, holds at every clock edge.

    It is a statement about the parts around a module, as a rule a distance of
    :mod:`siommu.pipeline.timetable`. In Amaranth's simulator and in the proofs it fails with
    ``sentence``; exported Verilog has it on request only (:func:`contracts`).
    """
    if _CHECKED.get():
        m.d.sync += Assert(condition, sentence)


@contextmanager
def contracts(checked):
    """While it is entered, what is elaborated has its contracts as assertions, or has not."""
    token = _CHECKED.set(checked)
    try:
        yield
    finally:
        _CHECKED.reset(token)
