"""What a word's entry brings to the caches of the upper tables."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import Config
from ..lib.event import Event
from ..lib.payload import payload_of
from ..lib.structs import assign
from ..pipeline.keys import region_key
from ..pipeline.tables import ContextInfo, DeviceInfo, RegionInfo
from ..pipeline.walks import ContextFill, DeviceFill, RegionFill
from .context_cache import FILL_CYCLES
from .state import WalkWord

__all__ = ["UpperFills"]


class UpperFills(wiring.Component):
    """Fills of the context caches and of the walk cache, with their keys. No walk of before a flush
    fills after it.

    A context cache takes ``FILL_CYCLES`` for a fill, whose payload stays so long. Another one of
    its kind that comes meanwhile is dropped, which costs a later walk a read.

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
        payloads, comes = {}, {name: Signal(name=f"{name}_comes")
                               for name in ("device", "context", "region")}
        for name in ("device", "context", "region"):
            found, fill = getattr(self, name), getattr(self, f"{name}_fill")
            fills, stays = Signal(name=f"{name}_fills"), 0
            if name != "region":        # the walk cache has taken it in the next cycle
                recent = Signal(FILL_CYCLES - 2, name=f"{name}_recent")
                m.d.sync += recent.eq(Cat(fills, recent))
                stays = fills | recent.any()
            payloads[name] = payload_of(m, fill.payload, name=f"{name}_held")
            m.d.comb += [fill.valid.eq(fills), comes[name].eq(found.valid & ~stays)]
            m.d.sync += fills.eq(fresh & comes[name])
        with m.If(comes["device"]):
            m.d.sync += [payloads["device"].value.eq(self.device.payload),
                         payloads["device"].key.eq(key.device)]
        with m.If(comes["context"]):
            m.d.sync += [payloads["context"].value.eq(self.context.payload),
                         *assign(payloads["context"].key, {
                             name: key[name] for name in ("ft", "device", "pasid")})]
        m.d.sync += [
            payloads["region"].value.eq(self.region.payload),
            *assign(payloads["region"].key, region_key(key, key.page)),
            payloads["region"].way.eq(word.state.region_way),
        ]
        return m
