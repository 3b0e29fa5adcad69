"""The Verilog module ``siommu_axi_bridge``: the bridge behind flat port names (§9)."""

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import BridgeConfig
from ..arch.formats import ADDR_BITS, Request, Response
from .bridge import AxiBridge
from .channels import ATTRIBUTES, USER_BITS

__all__ = ["SiommuAxiBridge"]

_ADDRESS = ("addr", *ATTRIBUTES)


def _channels(config):
    """The fields of each AXI channel but its address channels, with their widths."""
    ids, width = config.id_width, config.data_width
    return {"w": {"data": width, "strb": width // 8, "last": 1},
            "b": {"id": ids, "resp": 2},
            "r": {"id": ids, "data": width, "resp": 2, "last": 1}}


class SiommuAxiBridge(wiring.Component):
    """The product: every port by its name in §9 of the specification.

    Parameters
    ----------
    config : BridgeConfig

    Members
    -------
    The AXI4 slave ``s_axi_*`` for the device, the AXI4 master ``m_axi_*`` for memory, ``mmu_req_*``
    and ``mmu_rsp_*`` for a device port of the SIOMMU, and ``fault``. Clock ``clk`` and synchronous
    reset ``rst`` are added by the export.
    """

    def __init__(self, config: BridgeConfig = BridgeConfig()):
        self._config = config
        members = {}
        for side, out, in_ in (("s", In, Out), ("m", Out, In)):     # of the address channels
            for channel in ("aw", "ar"):
                fields = {"id": config.id_width, "addr": ADDR_BITS, **ATTRIBUTES}
                if side == "s":
                    fields["user"] = USER_BITS
                members |= self._stream(f"{side}_axi_{channel}", fields, out, in_)
            for channel, fields in _channels(config).items():
                forth = (out, in_) if channel == "w" else (in_, out)
                members |= self._stream(f"{side}_axi_{channel}", fields, *forth)
        for prefix, struct, flows in (("mmu_req_", Request, (Out, In)),
                                      ("mmu_rsp_", Response, (In, Out))):
            fields = {name: field.width for name, field in data.Layout.cast(struct)}
            members |= self._stream(prefix, fields, *flows)
        members["fault"] = Out(1)
        super().__init__(members)

    @staticmethod
    def _stream(prefix, fields, forth, back):
        """Members of one channel: its fields and VALID go ``forth``, READY comes ``back``."""
        return {**{f"{prefix}{name}": forth(width) for name, width in fields.items()},
                f"{prefix}valid": forth(1), f"{prefix}ready": back(1)}

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = AxiBridge(self._config)
        for channel, fields in _channels(self._config).items():
            self._join(m, "s", channel, getattr(bridge, f"s_{channel}"), fields, channel == "w")
            self._join(m, "m", channel, getattr(bridge, f"m_{channel}"), fields, channel != "w")
        for channel in ("ar", "aw"):
            slave, master = getattr(bridge, f"s_{channel}"), getattr(bridge, f"m_{channel}")
            self._join(m, "m", channel, master, ("id", *_ADDRESS), False)
            payload, user = slave.payload, getattr(self, f"s_axi_{channel}user")
            m.d.comb += [
                slave.valid.eq(getattr(self, f"s_axi_{channel}valid")),
                getattr(self, f"s_axi_{channel}ready").eq(slave.ready),
                payload.device.eq(user[:len(payload.device)]),
                payload.pasid.eq(user[len(payload.device):]),
                *(payload.address[name].eq(getattr(self, f"s_axi_{channel}{name}"))
                  for name in ("id", *_ADDRESS)),
            ]
        self._request_port(m, bridge)
        m.d.comb += self.fault.eq(bridge.fault)
        return m

    def _join(self, m, side, channel, inner, fields, inward):
        """Joins a channel's ports and the stream ``inner``, which goes ``inward`` or out."""
        def port(name):
            return getattr(self, f"{side}_axi_{channel}{name}")
        pairs = [(inner.valid, port("valid"))] + [(inner.payload[name], port(name))
                                                  for name in fields]
        for one, other in pairs:
            m.d.comb += one.eq(other) if inward else other.eq(one)
        m.d.comb += port("ready").eq(inner.ready) if inward else inner.ready.eq(port("ready"))

    def _request_port(self, m, bridge):
        request, response = bridge.request, bridge.response
        fields = request.payload.as_value()
        m.d.comb += [
            self.mmu_req_valid.eq(request.valid), request.ready.eq(self.mmu_req_ready),
            response.valid.eq(self.mmu_rsp_valid), self.mmu_rsp_ready.eq(response.ready),
            *(getattr(self, f"mmu_req_{name}").eq(fields[field.offset:field.offset + field.width])
              for name, field in data.Layout.cast(Request)),
            *(response.payload[name].eq(getattr(self, f"mmu_rsp_{name}"))
              for name, _ in data.Layout.cast(Response)),
        ]
