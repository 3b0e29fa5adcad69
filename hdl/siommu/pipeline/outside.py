"""Signatures between the core and the control plane."""

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.formats import PFN_BITS
from .events import BeatMark, FaultInfo, InvalidationControl

__all__ = ["CoreEvents", "FaultSource", "Revoker", "Settings"]


class Settings(wiring.Signature):
    """What registers (§7) tell the core. ``flush``: every cache is emptied."""

    def __init__(self, config):
        super().__init__({"mode": Out(2), "check_ad": Out(1), "ddt_base": Out(PFN_BITS),
                          "ddt_log2": Out(5), "port_enable": Out(config.ports),
                          "flush": Out(1)})


#: The command queue's side: invalidations, and whether beats of before are still here.
Revoker = wiring.Signature({"invalidation": Out(InvalidationControl()), "mark": Out(BeatMark())})


class FaultSource(wiring.Signature):
    """Faults that are answered, by ports in this order; one-hot: the first such of the port that
    has no record yet has it, or needs none (``recorded``). The port is not told of it before."""

    def __init__(self, config):
        super().__init__({"fault": Out(stream.Signature(FaultInfo, always_ready=True)),
                          "recorded": In(config.ports)})


class CoreEvents(wiring.Signature):
    """For the counters: runs found in the first level, in the second level, not at all; requests
    that wait for a walk; a walk begins; a read is handed to the memory."""

    def __init__(self, config):
        super().__init__({
            **{name: Out(1) for name in ("first_hits", "second_hits", "missed", "walks",
                                         "table_reads")},
            "waiting": Out(range(config.ports * config.port_depth + 1)),
        })
