"""Every output stream keeps an offer, unchanged, until it is taken (§2.1)."""

from amaranth.hdl import Assert, Assume, Cover, Fragment, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In

from siommu.arch.config import Config
from siommu.arch.formats import Cause, Request, Response
from siommu.bus.axi import ReadData
from siommu.control.registers import RegisterBlock
from siommu.core import Core
from siommu.response.egress import PortEgress

from .temporal import assert_stream, assume_recorded, assume_stream

__all__ = ["TINY", "EgressProof", "CoreStreamsProof", "RegisterStreamsProof"]

#: The smallest whole core.
TINY = Config(device_ports=1, cpu_port=False, port_depth=4, tlb_entries=2, device_entries=1,
              context_entries=1, l2_entries=0, walk_entries=4, walks=1)


class EgressProof(Component):
    """A port's responses, while both paths write what was promised, and each fault of the miss path
    gets its record some time later; the port stays enabled."""

    listens: In(1)
    hit: In(1)
    hit_beat: In(Response)
    miss: In(1)
    miss_beat: In(Response)
    begins: In(1)
    continues: In(1)
    rests: In(1)
    waits: In(1)
    recorded: In(1)
    mark: In(1)
    ready: In(1)

    def elaborate(self, platform):
        m = Module()
        depth = 4
        m.submodules.egress = egress = PortEgress(depth)
        credits = egress.credits
        promised, held = Signal(range(depth + 3)), Signal(range(depth + 3))
        m.d.comb += [
            egress.hit.valid.eq(self.hit), egress.hit.payload.eq(self.hit_beat),
            egress.miss.valid.eq(self.miss), egress.miss.payload.eq(self.miss_beat),
            egress.listens.eq(self.listens),
            credits.begins.eq(self.begins), credits.continues.eq(self.continues),
            credits.rests.eq(self.rests), egress.enable.eq(1), egress.port.ready.eq(self.ready),
            egress.recorded.eq(self.recorded), egress.mark.set.eq(self.mark),
        ]
        m.d.sync += promised.eq(promised + self.begins + self.continues - self.hit - self.miss)
        m.d.sync += held.eq(held + self.hit + self.miss - (egress.port.valid & self.ready))
        m.d.sync += Assume(~self.hit | self.listens)
        m.d.sync += Assume(self.listens + self.miss <= promised)
        # Each fault is recorded once, after it was written.
        fails = self.miss & (self.miss_beat.cause != Cause.OK)
        assume_recorded(m, fails, self.recorded, depth + 2)
        # Credits are taken as the core and the parking do it: of what waits, it is known before.
        admitted, rested, waited, credited = (Signal() for _ in range(4))
        m.d.sync += [
            admitted.eq(Mux(self.begins, credits.admits_another, credits.admits)),
            rested.eq(self.rests), waited.eq(self.waits),
            credited.eq(credits.some & self.waits & waited & ~self.continues),
        ]
        m.d.sync += Assume(~self.waits | rested)
        m.d.sync += Assume(~self.begins | admitted)
        m.d.sync += Assume(~self.continues | (self.waits & credited))
        m.d.sync += Assert(promised + held <= depth)
        assert_stream(m, egress.port)
        m.d.sync += Cover(egress.port.valid & egress.port.ready & (promised == depth - 1))
        m.d.sync += Cover(egress.port.valid & (egress.port.payload.cause != Cause.OK))
        return m


class CoreStreamsProof(Component):
    """The smallest core with a free environment, the mode included: its responses and its table
    reads. Faults are recorded some time after the core told of them. Software has two requests
    outstanding at most, and takes its beats at once: none is lost, nor comes unasked."""

    mode: In(2)
    request: In(stream.Signature(Request))
    asked: In(stream.Signature(Request))
    ready: In(1)
    recorded: In(1)
    mark: In(1)
    ar_ready: In(1)
    r_valid: In(1)
    r: In(ReadData(TINY.axi_id_width, TINY.axi_data_width))

    def elaborate(self, platform):
        m = Module()
        core = Core(TINY)
        m.submodules.core = Fragment.get(core, platform)    # now: its egress is looked at below
        requests, responses = core.requests[0], core.responses[0]
        m.d.comb += [
            requests.valid.eq(self.request.valid), requests.payload.eq(self.request.payload),
            self.request.ready.eq(requests.ready), responses.ready.eq(self.ready),
            core.ar.ready.eq(self.ar_ready), core.r.valid.eq(self.r_valid),
            core.r.payload.eq(self.r), core.settings.mode.eq(self.mode),
            core.settings.ddt_log2.eq(16), core.settings.port_enable.eq(1),
            core.faults.recorded.eq(self.recorded), core.revoker.mark.set.eq(self.mark),
        ]
        asked, heard = core.requests[TINY.ports], core.responses[TINY.ports]
        m.d.comb += [
            asked.valid.eq(self.asked.valid), asked.payload.eq(self.asked.payload),
            self.asked.ready.eq(asked.ready), heard.ready.eq(1),
        ]
        outstanding, answers = Signal(range(4)), heard.valid & heard.payload.last
        m.d.sync += outstanding.eq(outstanding + (asked.valid & asked.ready) - answers)
        m.d.sync += Assume(~asked.valid | (outstanding < 2))
        m.d.sync += Assert(~heard.valid | outstanding.any())
        m.d.sync += Cover(answers & (outstanding == 2))
        assume_recorded(m, core.faults.fault.valid, self.recorded, TINY.port_depth)
        assume_stream(m, self.request)
        assume_stream(m, self.asked)
        assert_stream(m, responses)
        assert_stream(m, core.ar)
        m.d.sync += Cover(core.ar.valid & ~core.ar.ready)
        m.d.sync += Cover(responses.valid & ~responses.ready)
        return m


class RegisterStreamsProof(Component):
    """The response channels of the register block, under any master that keeps the rules and
    counters that answer when they like."""

    aw: In(stream.Signature(12))
    w: In(stream.Signature(data.StructLayout({"data": 32, "strb": 4})))
    ar: In(stream.Signature(12))
    b_ready: In(1)
    r_ready: In(1)
    done: In(1)
    value: In(32)

    def elaborate(self, platform):
        m = Module()
        registers = RegisterBlock(TINY)
        m.submodules.registers = Fragment.get(registers, platform)  # now: its state is named below
        for name in ("aw", "w", "ar"):
            channel, inner = getattr(self, name), getattr(registers, name)
            m.d.comb += [inner.valid.eq(channel.valid), inner.payload.eq(channel.payload),
                         channel.ready.eq(inner.ready)]
            assume_stream(m, channel)
        m.d.comb += [registers.b.ready.eq(self.b_ready), registers.r.ready.eq(self.r_ready),
                     registers.counters.done.eq(self.done),
                     registers.counters.value.eq(self.value)]
        assert_stream(m, registers.b)
        assert_stream(m, registers.r)
        # Of the state: nothing is offered while the counters are waited for.
        m.d.sync += Assert(~(registers.reads.waits & registers.r.valid))
        m.d.sync += Cover(registers.b.valid & ~registers.b.ready)
        m.d.sync += Cover(registers.r.valid & ~registers.r.ready)
        return m
