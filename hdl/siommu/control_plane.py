"""The control plane: registers, queues, counters and software's port around the core (§5 to §7).

Nothing happens here but wiring: each register's meaning is in this file, each unit's work in its
own.
"""

from amaranth import Cat, Fragment, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import bits_for

from .arch.config import Config
from .arch.formats import PAGES_BITS, Request, Response
from .arch.register_map import COUNTERS, register
from .bus.axi import ReadAddress, ReadData, WriteAddress, WriteData, WriteResponse
from .bus.share import ReadShare, WriteShare
from .control.commands import CommandQueue
from .control.counters import Counters
from .control.fail_stop import FailStop
from .control.fault_queue import FaultQueue
from .control.port_events import PortEvents
from .control.registers import RegisterBlock
from .control.software import SoftwarePort
from .core import Core
from .lib.watch import watching
from .response.hold import Hold

__all__ = ["ControlPlane", "event_widths"]


def event_widths(config):
    """By counter: how many bits the events of one cycle have."""
    ports = config.ports
    widths = dict.fromkeys(COUNTERS, 1)
    widths |= {
        "requests": bits_for(ports), "pages": bits_for(ports << PAGES_BITS),
        "faults": bits_for(ports), "faults_lost": 2,
        "miss_cycles": bits_for(ports * config.port_depth),
    }
    return widths


class ControlPlane(wiring.Component):
    """A whole SIOMMU, but for the names of its ports.

    Parameters
    ----------
    config : Config

    Members
    -------
    requests : Array of In(stream.Signature(Request)), one for each port
    responses : Array of Out(stream.Signature(Response))
    ar, r, aw, w, b : the AXI4 master's channels; ``b`` is always ready
    axil_aw, axil_w, axil_b, axil_ar, axil_r : the AXI4-Lite slave's channels
    irq_command, irq_fault, irq_counter : Out(1)
        One cycle behind their status bits.
    irq_damage : Out(1)
        With ``fail_stop``: a memory was damaged, and the core has stopped.
    """

    def __init__(self, config: Config):
        self._config = config
        ids, width = config.axi_id_width, config.axi_data_width
        self._registers = RegisterBlock(config)
        lite = {f"axil_{name}": member for name, member in self._registers.signature.members.items()
                if name in ("aw", "w", "b", "ar", "r")}
        super().__init__({
            "requests": In(stream.Signature(Request)).array(config.ports),
            "responses": Out(stream.Signature(Response)).array(config.ports),
            "ar": Out(stream.Signature(ReadAddress(ids))),
            "r": In(stream.Signature(ReadData(ids, width))),
            "aw": Out(stream.Signature(WriteAddress(ids))),
            "w": Out(stream.Signature(WriteData(width))),
            "b": In(stream.Signature(WriteResponse(ids), always_ready=True)),
            **{name: Out(1) for name in config.interrupts},
            **lite,
        })

    def elaborate(self, platform):
        m = Module()
        config, registers = self._config, self._registers
        core = Core(config)
        m.submodules.core = self._watched(m, core, platform) if config.fail_stop else core
        m.submodules.registers = registers
        m.submodules.commands = commands = CommandQueue(config)
        m.submodules.fault_queue = faults = FaultQueue(config)
        m.submodules.software = software = SoftwarePort()
        m.submodules.counters = counters = Counters(event_widths(config))
        m.submodules.read_share = reads = ReadShare(config)
        m.submodules.write_share = writes = WriteShare(config)

        flipped = wiring.flipped
        for port in range(config.ports):
            connect(m, flipped(self.requests[port]), core.requests[port])
            connect(m, core.responses[port], flipped(self.responses[port]))
        connect(m, software.requests, core.requests[config.ports])
        self._answer_software(m, core, software)
        for unit, name in ((reads, "ar"), (writes, "aw"), (writes, "w")):
            connect(m, getattr(unit, name), flipped(getattr(self, name)))
        for unit, name in ((reads, "r"), (writes, "b")):
            connect(m, flipped(getattr(self, name)), getattr(unit, name))
        connect(m, core.ar, reads.walker_ar)
        connect(m, reads.walker_r, core.r)
        for name in ("aw", "w", "ar"):
            connect(m, flipped(getattr(self, f"axil_{name}")), getattr(registers, name))
        for name in ("b", "r"):
            connect(m, getattr(registers, name), flipped(getattr(self, f"axil_{name}")))
        connect(m, core.faults.fault, faults.fault)
        m.d.comb += core.faults.recorded.eq(faults.recorded)
        self._commands(m, core, commands, reads, writes)
        connect(m, faults.aw, writes.records_aw)
        connect(m, faults.w, writes.records_w)
        connect(m, writes.records_b, faults.b)
        self._registers_mean(m, core, commands, faults, software, counters)
        self._count(m, core, commands, faults, counters)
        return m

    def _watched(self, m, core, platform):
        """The core as a fragment, elaborated here so that all memories in it that are watched are
        known; and what stops it."""
        with watching() as damaged:
            fragment = Fragment.get(core, platform)
        m.submodules.fail_stop = fail_stop = FailStop(damaged)
        m.d.comb += [core.stop.eq(fail_stop.stop), self.irq_damage.eq(fail_stop.stop)]
        return fragment

    def _answer_software(self, m, core, software):
        answers = core.responses[self._config.ports]
        if self._config.fail_stop:
            m.submodules.software_hold = hold = Hold()
            connect(m, answers, hold.beats)
            m.d.comb += hold.stop.eq(core.stop)
            answers = hold.port
        connect(m, answers, software.responses)

    def _commands(self, m, core, commands, reads, writes):
        connect(m, commands.ar, reads.commands_ar)
        connect(m, reads.commands_r, commands.r)
        connect(m, commands.aw, writes.fences_aw)
        connect(m, commands.w, writes.fences_w)
        connect(m, writes.fences_b, commands.b)
        connect(m, commands.prefetch, core.prefetch.asked)
        m.d.comb += commands.prefetched.eq(core.prefetch.done)
        connect(m, commands.invalidation, core.revoker.invalidation)
        connect(m, commands.mark, core.revoker.mark)

    def _registers_mean(self, m, core, commands, faults, software, counters):
        """What stands in the registers, to who asked for it, and back."""
        registers, settings = self._registers, core.settings
        holds, shown, events = registers.content, registers.shown, registers.events
        queue, records = commands.registers, faults.registers

        def base(name):
            return Cat(holds[f"{name}_LOW"][12:], holds[f"{name}_HIGH"][:20])

        def address(name):
            return Cat(holds[f"{name}_LOW"], holds[f"{name}_HIGH"])

        m.d.comb += [
            settings.mode.eq(holds.CTRL), settings.check_ad.eq(holds.CTRL[2]),
            settings.ddt_base.eq(base("DDT_BASE")), settings.ddt_log2.eq(holds.DDT_LOG2),
            settings.port_enable.eq(holds.PORT_ENABLE), settings.flush.eq(registers.starts.flush),
            shown.STATUS.eq(Cat(core.active.any(), core.walking, queue.busy)),
            shown.PORT_STATUS.eq(core.active),

            queue.enable.eq(holds.CQ_CTRL), queue.base.eq(base("CQ_BASE")),
            queue.log2.eq(holds.CQ_LOG2), queue.tail.eq(holds.CQ_TAIL),
            queue.stopped.eq(holds.CQ_STATUS[:2].any()),
            shown.CQ_HEAD.eq(queue.head),
            events.CQ_STATUS.eq(Cat(queue.illegal, queue.error, queue.fence)),

            records.enable.eq(holds.FQ_CTRL), records.base.eq(base("FQ_BASE")),
            records.log2.eq(holds.FQ_LOG2), records.head.eq(holds.FQ_HEAD),
            records.quota.eq(holds.FQ_QUOTA), records.failed.eq(holds.FQ_STATUS[1]),
            records.head_written.eq(registers.starts.head_written),
            shown.FQ_TAIL.eq(records.tail),
            events.FQ_STATUS.eq(Cat(records.overflow, records.error, records.record,
                                    records.limited)),

            software.go.eq(registers.starts.goes), software.addr.eq(address("DBG_ADDR")),
            software.device.eq(holds.DBG_SOURCE), software.pasid.eq(holds.DBG_PASID),
            software.write.eq(holds.DBG_CTRL[1]), software.ft.eq(holds.DBG_CTRL[2]),
            registers.busy.eq(software.busy | registers.starts.goes),
            shown.DBG_RESULT.eq(software.result.as_value()),
            shown.DBG_PHYS_LOW.eq(software.phys), shown.DBG_PHYS_HIGH.eq(software.phys[32:]),

            counters.freeze.eq(holds.COUNTER_CTRL), counters.clear.eq(registers.starts.clears),
            counters.ask.eq(registers.counters.ask), counters.index.eq(registers.counters.index),
            counters.high.eq(registers.counters.high),
            registers.counters.done.eq(counters.done), registers.counters.value.eq(counters.value),
            events.COUNTER_OVERFLOW.eq(counters.overflows),
        ]
        enabled = holds.IRQ_ENABLE
        fault_bits = register("IRQ_ENABLE").field("FQ_OVERFLOW").low
        m.d.sync += [
            self.irq_command.eq((holds.CQ_STATUS & enabled[:3]).any()),
            self.irq_fault.eq((holds.FQ_STATUS & enabled[fault_bits:fault_bits + 4]).any()),
            self.irq_counter.eq(holds.COUNTER_OVERFLOW.any() & enabled[8]),
        ]

    def _count(self, m, core, commands, faults, counters):
        """The events of the counters."""
        events, heard = counters.events, core.events
        m.submodules.port_events = ports = PortEvents(self._config)
        for port, request, response in zip(ports.ports, self.requests, self.responses):
            m.d.comb += [
                port.asked.eq(request.valid & request.ready), port.pages.eq(request.payload.pages),
                port.stalls.eq(request.valid & ~request.ready),
                port.answered.eq(response.valid & response.ready),
                port.cause.eq(response.payload.cause),
            ]
        m.d.comb += [
            events.requests.eq(ports.requests), events.pages.eq(ports.pages),
            events.faults.eq(ports.faults), events.stall_cycles.eq(ports.stall),
            events.l1_hits.eq(heard.first_hits), events.l2_hits.eq(heard.second_hits),
            events.misses.eq(heard.missed), events.walks.eq(heard.walks),
            events.table_reads.eq(heard.table_reads), events.miss_cycles.eq(heard.waiting),
            events.faults_lost.eq(faults.lost),
            *(events[name].eq(commands.completed[name])
              for name in ("invalidations", "fences", "prefetches")),
            faults.cycles.eq(counters.cycles),
        ]
