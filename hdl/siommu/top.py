"""The Verilog module ``siommu``: the core and its control plane behind flat port names (§2)."""

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .arch.config import Config
from .arch.formats import Request, Response
from .bus.axi import Burst
from .control_plane import ControlPlane

__all__ = ["Siommu"]

_AXI_ADDRESS = {"addr": 64, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3,
                "qos": 4, "region": 4}

#: AxCACHE of every burst: normal, non-cacheable, bufferable memory (IHI 0022, table A4-5).
_CACHE = 0b0011


class Siommu(wiring.Component):
    """The product: every port by its name in §2 of the specification.

    Parameters
    ----------
    config : Config

    Members
    -------
    ``P_req_*``, ``P_rsp_*`` for every port P of ``config.port_names`` (§2.1); the AXI4 master
    ``m_axi_*`` (§2.2); the AXI4-Lite slave ``s_axil_*`` (§2.3); ``irq_command``, ``irq_fault``,
    ``irq_counter``, with ``fail_stop`` also ``irq_damage`` (§2.4). Clock ``clk`` and synchronous
    reset ``rst`` are added by the export.
    """

    def __init__(self, config: Config = Config()):
        self._config = config
        members = {}
        for port in config.port_names:
            members[f"{port}_req_valid"] = In(1)
            members[f"{port}_req_ready"] = Out(1)
            for name, field in data.Layout.cast(Request):
                members[f"{port}_req_{name}"] = In(field.width)
            members[f"{port}_rsp_valid"] = Out(1)
            members[f"{port}_rsp_ready"] = In(1)
            for name, field in data.Layout.cast(Response):
                members[f"{port}_rsp_{name}"] = Out(field.width)
        ids, width = config.axi_id_width, config.axi_data_width
        for channel in ("aw", "ar"):
            members[f"m_axi_{channel}id"] = Out(ids)
            for name, bits in _AXI_ADDRESS.items():
                members[f"m_axi_{channel}{name}"] = Out(bits)
            members[f"m_axi_{channel}valid"] = Out(1)
            members[f"m_axi_{channel}ready"] = In(1)
        members |= {
            "m_axi_wdata": Out(width), "m_axi_wstrb": Out(width // 8), "m_axi_wlast": Out(1),
            "m_axi_wvalid": Out(1), "m_axi_wready": In(1),
            "m_axi_bid": In(ids), "m_axi_bresp": In(2), "m_axi_bvalid": In(1),
            "m_axi_bready": Out(1),
            "m_axi_rid": In(ids), "m_axi_rdata": In(width), "m_axi_rresp": In(2),
            "m_axi_rlast": In(1), "m_axi_rvalid": In(1), "m_axi_rready": Out(1),

            "s_axil_awaddr": In(12), "s_axil_awprot": In(3), "s_axil_awvalid": In(1),
            "s_axil_awready": Out(1),
            "s_axil_wdata": In(32), "s_axil_wstrb": In(4), "s_axil_wvalid": In(1),
            "s_axil_wready": Out(1),
            "s_axil_bresp": Out(2), "s_axil_bvalid": Out(1), "s_axil_bready": In(1),
            "s_axil_araddr": In(12), "s_axil_arprot": In(3), "s_axil_arvalid": In(1),
            "s_axil_arready": Out(1),
            "s_axil_rdata": Out(32), "s_axil_rresp": Out(2), "s_axil_rvalid": Out(1),
            "s_axil_rready": In(1),

            **{name: Out(1) for name in config.interrupts},
        }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = siommu = ControlPlane(self._config)
        self._request_ports(m, siommu)
        self._memory_side(m, siommu)
        self._register_side(m, siommu)
        m.d.comb += [getattr(self, name).eq(getattr(siommu, name))
                     for name in self._config.interrupts]
        return m

    def _request_ports(self, m, siommu):
        for index, port in enumerate(self._config.port_names):
            requests, responses = siommu.requests[index], siommu.responses[index]
            m.d.comb += [
                requests.valid.eq(getattr(self, f"{port}_req_valid")),
                getattr(self, f"{port}_req_ready").eq(requests.ready),
                getattr(self, f"{port}_rsp_valid").eq(responses.valid),
                responses.ready.eq(getattr(self, f"{port}_rsp_ready")),
            ]
            for name, _ in data.Layout.cast(Request):
                m.d.comb += requests.payload[name].eq(getattr(self, f"{port}_req_{name}"))
            response = responses.payload.as_value()
            for name, field in data.Layout.cast(Response):
                m.d.comb += getattr(self, f"{port}_rsp_{name}").eq(
                    response[field.offset:field.offset + field.width])

    def _memory_side(self, m, siommu):
        address = siommu.ar.payload
        m.d.comb += [
            self.m_axi_arvalid.eq(siommu.ar.valid),
            siommu.ar.ready.eq(self.m_axi_arready),
            self.m_axi_arid.eq(address.id),
            self.m_axi_araddr.eq(address.addr),
            self.m_axi_arlen.eq(address.len),
            self.m_axi_arsize.eq(address.size),
            self.m_axi_arburst.eq(address.burst.as_value()),
            self.m_axi_arcache.eq(_CACHE),
            siommu.r.valid.eq(self.m_axi_rvalid),
            self.m_axi_rready.eq(siommu.r.ready),
            siommu.r.payload.id.eq(self.m_axi_rid),
            siommu.r.payload.data.eq(self.m_axi_rdata),
            siommu.r.payload.resp.eq(self.m_axi_rresp),
            siommu.r.payload.last.eq(self.m_axi_rlast),
            self.m_axi_awvalid.eq(siommu.aw.valid),
            siommu.aw.ready.eq(self.m_axi_awready),
            self.m_axi_awid.eq(siommu.aw.payload.id),
            self.m_axi_awaddr.eq(siommu.aw.payload.addr),
            self.m_axi_awlen.eq(siommu.aw.payload.len),
            self.m_axi_awsize.eq(siommu.aw.payload.size),
            self.m_axi_awburst.eq(Burst.INCR),
            self.m_axi_awcache.eq(_CACHE),
            self.m_axi_wvalid.eq(siommu.w.valid),
            siommu.w.ready.eq(self.m_axi_wready),
            self.m_axi_wdata.eq(siommu.w.payload.data),
            self.m_axi_wstrb.eq(siommu.w.payload.strb),
            self.m_axi_wlast.eq(siommu.w.payload.last),
            siommu.b.valid.eq(self.m_axi_bvalid),
            siommu.b.payload.id.eq(self.m_axi_bid),
            siommu.b.payload.resp.eq(self.m_axi_bresp),
            self.m_axi_bready.eq(1),
        ]

    def _register_side(self, m, siommu):
        m.d.comb += [
            siommu.axil_aw.valid.eq(self.s_axil_awvalid),
            self.s_axil_awready.eq(siommu.axil_aw.ready),
            siommu.axil_aw.payload.eq(self.s_axil_awaddr),
            siommu.axil_w.valid.eq(self.s_axil_wvalid),
            self.s_axil_wready.eq(siommu.axil_w.ready),
            siommu.axil_w.payload.data.eq(self.s_axil_wdata),
            siommu.axil_w.payload.strb.eq(self.s_axil_wstrb),
            self.s_axil_bvalid.eq(siommu.axil_b.valid),
            siommu.axil_b.ready.eq(self.s_axil_bready),
            self.s_axil_bresp.eq(siommu.axil_b.payload.as_value()),
            siommu.axil_ar.valid.eq(self.s_axil_arvalid),
            self.s_axil_arready.eq(siommu.axil_ar.ready),
            siommu.axil_ar.payload.eq(self.s_axil_araddr),
            self.s_axil_rvalid.eq(siommu.axil_r.valid),
            siommu.axil_r.ready.eq(self.s_axil_rready),
            self.s_axil_rdata.eq(siommu.axil_r.payload.data),
            self.s_axil_rresp.eq(siommu.axil_r.payload.resp.as_value()),
        ]
