"""SIOMMU: an I/O memory management unit for storage and memory, in Amaranth.

What others use is imported from here: ``from siommu import Config, SiommuComponent``.

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
    component               the same with typed ports, as a part of another design
    bridge                  a second Verilog module, for devices that speak plain AXI4
    lib                     small parts that know nothing of translation
    generate                from a configuration to Verilog
"""

import importlib

#: Version of the package. It begins with that of the architecture, which VERSION tells.
__version__ = "1.1.0"

#: What others use, and where it is. Read when it is asked for, because whoever needs a format or a
#: configuration should not wait for the whole core.
_PUBLIC = {
    "BridgeConfig": "arch.config", "Config": "arch.config", "ConfigError": "arch.config",
    "PRESETS": "arch.config",
    "Cause": "arch.formats", "Disposition": "arch.formats", "Mode": "arch.formats",
    "Request": "arch.formats", "Response": "arch.formats", "Size": "arch.formats",
    "Axi4": "bus.axi", "AxiLite": "bus.axi",
    "RequestPort": "component", "SiommuComponent": "component",
    "Siommu": "top", "SiommuAxiBridge": "bridge.top",
    "bridge_verilog": "generate.export", "component_verilog": "generate.export",
    "verilog": "generate.export", "ports_of": "generate.ports", "template": "generate.template",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
