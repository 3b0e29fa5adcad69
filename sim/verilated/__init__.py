"""The exported Verilog as a shared library with a plain C interface, and its face in Python.

``siommu_sim.h`` is the interface; it knows neither Python nor any machine around it. The C++ behind
it has a file for each neighbour of the core: ``ports`` for devices, ``axi`` and ``memory`` for main
memory, ``siommu_sim`` for registers and the clock. ``build`` makes the library, ``core`` is the
binding.
"""

from .build import BuildError, build_library
from .core import Core, CoreError, Region, WordAccess

__all__ = ["BuildError", "Core", "CoreError", "Region", "WordAccess", "build_library"]
