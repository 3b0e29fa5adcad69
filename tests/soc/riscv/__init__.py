"""A RISC-V processor whose firmware drives the core, in one simulation: ``make soc``."""

from .build import firmware, model, run

__all__ = ["firmware", "model", "run"]
