"""SIOMMU: an I/O memory management unit for storage and memory, in Amaranth.

The packages, in the data's order::

    arch                    what software and integrators see: parameters, formats, registers
    pipeline                the vocabulary between the stages, and the timetable
    request                 a request comes in
    tlb, store              it is looked up, in both levels
    miss                    it was not found: it waits, joins a walk, or begins one
    walk                    the tables in memory are read
    response                it is answered
    core                    all of that, wired
    control, bus            software's side; the AXI channels
    control_plane, top      the core with its control plane; flat ports
    bridge                  a second Verilog module, for devices that speak plain AXI4
    lib                     small parts that know nothing of translation
    generate                from a configuration to Verilog
"""

from .arch.config import Config, ConfigError

__all__ = ["Config", "ConfigError", "__version__"]

#: Version of the core, as the VERSION register reports it (major, minor).
__version__ = "1.0"
