"""Contracts between modules, checked while they run: in simulation and in the proofs."""

from contextlib import contextmanager
from contextvars import ContextVar

from amaranth import Cat, Signal, Value
from amaranth.hdl import Assert

from .payload import later

__all__ = ["contracts", "require", "require_follows"]

_CHECKED = ContextVar("siommu_contracts", default=True)


def require(m, condition, sentence):
    """States that ``condition``, a value of one bit, holds at every clock edge.

    It is a statement about the parts around a module, as a rule a distance of
    :mod:`siommu.pipeline.timetable`. In Amaranth's simulator and in the proofs it fails with
    ``sentence``; exported Verilog has it on request only (:func:`contracts`).
    """
    if _CHECKED.get():
        m.d.sync += Assert(condition, sentence)


def require_follows(m, value, source, cycles, sentence):
    """States that ``value`` is always what ``source`` was ``cycles`` ago: two parts, each with
    registers of its own, have the same operation in mind.

    The registers that it takes to know are there only where the statement is.
    """
    if _CHECKED.get():
        value, source = Value.cast(value), Value.cast(source)
        known = Signal(cycles, name="contract_known")       # nothing is, of before the beginning
        m.d.sync += known.eq(Cat(1, known))
        require(m, ~known.all() | (value == later(m, source, cycles, name="contract")), sentence)


@contextmanager
def contracts(checked):
    """While it is entered, what is elaborated has its contracts as assertions, or has not."""
    token = _CHECKED.set(checked)
    try:
        yield
    finally:
        _CHECKED.reset(token)
