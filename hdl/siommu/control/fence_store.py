"""The store of a fence (§6): four bytes to memory."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ..arch.config import Config
from ..arch.formats import FenceWord0
from ..bus.axi import WriteAddress, WriteData
from ..bus.share import FENCES_ID

__all__ = ["FenceStore"]


class FenceStore(wiring.Component):
    """Stores what a fence is to store, if anything.

    Parameters
    ----------
    config : Config

    Members
    -------
    fence : In(FenceWord0), target : In(64)
        The command; it stays until the store is answered.
    begins : In(1)
        The store is on offer from the next cycle on.
    storing : In(1)
        It is being taken.
    sent : Out(1)
        It was taken, or there is none.
    answered : Out(1), refused : Out(1)
        The store was answered, in the cycle before; with an error.
    aw, w, b : the write channels; a payload of 1 on ``b``: it failed
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__({
            "fence": In(FenceWord0),
            "target": In(64),
            "begins": In(1),
            "storing": In(1),
            "sent": Out(1),
            "answered": Out(1),
            "refused": Out(1),
            "aw": Out(stream.Signature(WriteAddress(config.axi_id_width))),
            "w": Out(stream.Signature(WriteData(config.axi_data_width))),
            "b": In(stream.Signature(1, always_ready=True)),
        })

    def elaborate(self, platform):
        m = Module()
        fence, address, content = self.fence, self.aw.payload, self.w.payload
        offers_address, offers_data = Signal(), Signal()
        word = 32                       # bits of what is stored
        lane = self.target[exact_log2(word // 8):exact_log2(self._config.axi_bytes)]
        m.d.comb += [
            self.aw.valid.eq(offers_address), self.w.valid.eq(offers_data),
            self.sent.eq(~offers_address & ~offers_data),
            address.id.eq(FENCES_ID), address.addr.eq(self.target),
            address.size.eq(exact_log2(word // 8)),
            content.data.eq(fence.data.replicate(self._config.axi_data_width // word)),
            content.strb.eq(Const(0xF, self._config.axi_bytes) << Cat(Const(0, 2), lane)),
            content.last.eq(1),
        ]
        with m.If(self.begins):
            m.d.sync += [offers_address.eq(fence.store), offers_data.eq(fence.store)]
        with m.If(self.storing & self.aw.ready):
            m.d.sync += offers_address.eq(0)
        with m.If(self.storing & self.w.ready):
            m.d.sync += offers_data.eq(0)
        m.d.sync += [self.answered.eq(self.b.valid), self.refused.eq(self.b.payload)]
        return m
