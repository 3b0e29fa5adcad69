"""What a word's entry brings to the caches of the upper tables."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.event import Event
from ..lib.payload import payload_of
from ..lib.structs import assign
from ..pipeline.keys import region_key
from ..pipeline.tables import ContextInfo, DeviceInfo, RegionInfo
from ..pipeline.walks import ContextFill, DeviceFill, RegionFill
from .state import WalkWord

__all__ = ["UpperFills"]


class UpperFills(wiring.Component):
    """Fills of the context caches and of the walk cache, with their keys. No walk of before a flush
    fills after it.

    Parameters
    ----------
    config : Config

    Members
    -------
    word : In(Event(WalkWord))
        The word that is decided.
    device, context, region : In(Event(…Info))
        What it brings. Combinational from ``word``.
    flush : In(1)
    device_fill, context_fill, region_fill : Out(Event(…Fill))
        One cycle later.
    """

    def __init__(self, config: Config):
        super().__init__({
            "word": In(Event(WalkWord(config))),
            "device": In(Event(DeviceInfo)),
            "context": In(Event(ContextInfo(config))),
            "region": In(Event(RegionInfo(config))),
            "flush": In(1),
            "device_fill": Out(Event(DeviceFill)),
            "context_fill": Out(Event(ContextFill(config))),
            "region_fill": Out(Event(RegionFill(config))),
        })

    def elaborate(self, platform):
        m = Module()
        word, key, fresh = self.word.payload, self.word.payload.key, Signal()
        m.d.comb += fresh.eq(self.word.valid & ~word.stale & ~self.flush)
        payloads = {}
        for name in ("device", "context", "region"):
            found, fill = getattr(self, name), getattr(self, f"{name}_fill")
            fills = Signal(name=f"{name}_fills")
            payloads[name] = payload = payload_of(m, fill.payload, name=f"{name}_held")
            m.d.comb += fill.valid.eq(fills)
            m.d.sync += [fills.eq(fresh & found.valid), payload.value.eq(found.payload)]
        m.d.sync += [
            payloads["device"].key.eq(key.device),
            *assign(payloads["context"].key, {name: key[name]
                                              for name in ("ft", "device", "pasid")}),
            *assign(payloads["region"].key, region_key(key, key.page)),
            payloads["region"].way.eq(word.state.region_way),
        ]
        return m
