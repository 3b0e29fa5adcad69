"""A burst of one direction comes in: it gets a slot, and its page is asked for (§9)."""

from amaranth import C, Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..arch.formats import PAGE_SHIFT, TAG_BITS, Request
from ..lib.event import Event
from .channels import ATTRIBUTES, Header, Sourced
from .legal import is_legal

__all__ = ["Admission", "Admitted"]


def Admitted(id_width):     # noqa: N802 - a layout, like those of the channels
    """A burst that enters its slot. ``refused``: it is illegal, and decided already."""
    return data.StructLayout({"header": Header(id_width), "refused": 1})


class Admission(wiring.Component):
    """Takes a burst when there is a slot for it, and offers the request for its page at once.

    A burst enters its slot in the cycle in which the request is taken. One that AXI4 does not know
    (:func:`.legal.is_legal`) enters alone, without a request. Everything is combinational.

    Parameters
    ----------
    config : BridgeConfig
    write : bool
        The direction: what a request asks for, and the uppermost bit of its tag. The other bits
        are the slot's number.

    Members
    -------
    bursts : In(stream.Signature(Sourced))
    room : In(1), slot : In
        Whether a slot is free, and its number. A slot that is free stays so until it is taken.
    request : Out(stream.Signature(Request))
        FT = 0, one page (§2.1).
    admit : Out(Event(Admitted))
    """

    def __init__(self, config: BridgeConfig, write):
        self._config, self._write = config, write
        super().__init__({
            "bursts": In(stream.Signature(Sourced(config.id_width))),
            "room": In(1), "slot": In(config.slot_bits),
            "request": Out(stream.Signature(Request)),
            "admit": Out(Event(Admitted(config.id_width))),
        })

    def elaborate(self, platform):
        m = Module()
        bursts, request, admit = self.bursts, self.request, self.admit
        address, header = bursts.payload.address, admit.payload.header
        legal, enters = Signal(), Signal()
        m.d.comb += [
            legal.eq(is_legal(address, self._config.data_width)),
            request.valid.eq(bursts.valid & self.room & legal),
            enters.eq(self.room & (request.ready | ~legal)),
            bursts.ready.eq(enters), admit.valid.eq(bursts.valid & enters),

            request.payload.ft.eq(0), request.payload.write.eq(int(self._write)),
            request.payload.device.eq(bursts.payload.device),
            request.payload.pasid.eq(bursts.payload.pasid),
            request.payload.addr.eq(address.addr), request.payload.pages.eq(0),
            request.payload.tag.eq(Cat(self.slot, C(0, TAG_BITS - 1 - len(self.slot)),
                                       C(int(self._write), 1))),

            admit.payload.refused.eq(~legal),
            header.id.eq(address.id), header.offset.eq(address.addr[:PAGE_SHIFT]),
            *(header[name].eq(address[name]) for name in ATTRIBUTES),
        ]
        return m
