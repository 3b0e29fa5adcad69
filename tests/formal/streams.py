"""Every output stream keeps an offer, unchanged, until it is taken (§2.1)."""

from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In

from siommu.axi import ReadData
from siommu.config import Config
from siommu.core import Core
from siommu.formats import Cause, Request, Response
from siommu.ports import PortEgress
from siommu.registers import RegisterBlock

from .temporal import assert_stream, assume_stream

__all__ = ["EgressProof", "CoreStreamsProof", "RegisterStreamsProof"]

TINY = Config(device_ports=1, cpu_port=False, port_depth=4, tlb_entries=2, device_entries=1,
              context_entries=1, l2_entries=0, walk_entries=4, walks=1)


class EgressProof(Component):
    """A port's responses, while both paths write what was promised; the port stays enabled."""

    hit: In(1)
    hit_beat: In(Response)
    miss: In(1)
    miss_beat: In(Response)
    begins: In(1)
    continues: In(1)
    rests: In(1)
    recorded: In(1)
    ready: In(1)

    def elaborate(self, platform):
        m = Module()
        depth = 4
        m.submodules.egress = egress = PortEgress(depth)
        promised, held = Signal(range(depth + 3)), Signal(range(depth + 3))
        m.d.comb += [
            egress.hit.valid.eq(self.hit), egress.hit.payload.eq(self.hit_beat),
            egress.miss.valid.eq(self.miss), egress.miss.payload.eq(self.miss_beat),
            egress.begins.eq(self.begins), egress.continues.eq(self.continues),
            egress.rests.eq(self.rests), egress.enable.eq(1), egress.port.ready.eq(self.ready),
            egress.recorded.eq(self.recorded),
        ]
        # Each fault of the miss path is recorded once, some time after it was written, and not
        # offered before.
        fault = self.miss & (self.miss_beat.cause != Cause.OK)
        unrecorded = Signal(range(depth + 3))
        m.d.sync += unrecorded.eq(unrecorded + fault - self.recorded)
        m.d.sync += Assume(~self.recorded | unrecorded.any())
        m.d.sync += Assume(~self.hit | (self.hit_beat.cause == Cause.OK))
        recorded, taken = Signal(range(16)), Signal(range(16))
        m.d.sync += recorded.eq(recorded + self.recorded)
        offers_fault = egress.port.valid & (egress.port.payload.cause != Cause.OK)
        m.d.sync += taken.eq(taken + (offers_fault & self.ready))
        m.d.sync += Assert(~offers_fault | (taken < recorded))
        m.d.sync += promised.eq(promised + self.begins + self.continues - self.hit - self.miss)
        m.d.sync += held.eq(held + self.hit + self.miss - (egress.port.valid & self.ready))
        m.d.sync += Assume(self.hit + self.miss <= promised)
        # Credits are taken as the core and the parking do it.
        admitted, rested, credited = Signal(), Signal(), Signal()
        m.d.sync += [
            admitted.eq(Mux(self.begins, egress.admits_another, egress.admits)),
            rested.eq(self.rests),
            credited.eq(egress.some & self.rests & rested & ~self.continues),
        ]
        m.d.sync += Assume(~self.begins | admitted)
        m.d.sync += Assume(~self.continues | (self.rests & credited))
        m.d.sync += Assert(promised + held <= depth)
        assert_stream(m, egress.port)
        m.d.sync += Cover(egress.port.valid & egress.port.ready & (promised == depth - 1))
        return m


class CoreStreamsProof(Component):
    """The smallest core with a free environment, the mode included: its responses and its table
    reads."""

    mode: In(2)
    request: In(stream.Signature(Request))
    ready: In(1)
    ar_ready: In(1)
    r_valid: In(1)
    r: In(ReadData(TINY.axi_id_width, TINY.axi_data_width))

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = Core(TINY)
        requests, responses = core.requests[0], core.responses[0]
        m.d.comb += [
            requests.valid.eq(self.request.valid), requests.payload.eq(self.request.payload),
            self.request.ready.eq(requests.ready), responses.ready.eq(self.ready),
            core.ar.ready.eq(self.ar_ready), core.r.valid.eq(self.r_valid),
            core.r.payload.eq(self.r), core.mode.eq(self.mode), core.ddt_log2.eq(16),
            core.port_enable.eq(1),
        ]
        m.d.sync += core.recorded.eq(core.fault.valid)
        assume_stream(m, self.request)
        assert_stream(m, responses)
        assert_stream(m, core.ar)
        m.d.sync += Cover(core.ar.valid & ~core.ar.ready)
        m.d.sync += Cover(responses.valid & ~responses.ready)
        return m


class RegisterStreamsProof(Component):
    """The response channels of the register block, under any master that keeps the rules."""

    aw: In(stream.Signature(12))
    w: In(stream.Signature(data.StructLayout({"data": 32, "strb": 4})))
    ar: In(stream.Signature(12))
    b_ready: In(1)
    r_ready: In(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = RegisterBlock(TINY)
        for name in ("aw", "w", "ar"):
            channel, inner = getattr(self, name), getattr(registers, name)
            m.d.comb += [inner.valid.eq(channel.valid), inner.payload.eq(channel.payload),
                         channel.ready.eq(inner.ready)]
            assume_stream(m, channel)
        m.d.comb += [registers.b.ready.eq(self.b_ready), registers.r.ready.eq(self.r_ready)]
        assert_stream(m, registers.b)
        assert_stream(m, registers.r)
        m.d.sync += Cover(registers.b.valid & ~registers.b.ready)
        m.d.sync += Cover(registers.r.valid & ~registers.r.ready)
        return m
