"""The board image: the SIOMMU, its memory, and the host's way to both; for any platform."""

from amaranth import Module, ResetInserter
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sim.board.protocol import SILENCE, Port
from siommu.arch.formats import Request, Response
from siommu.bus.axi import ReadData
from siommu.lib.payload import Payload
from siommu.lib.queues import PairQueue
from siommu.top import Siommu

from .answer import FrameSender
from .board_unit import BoardUnit
from .config import ImageConfig
from .engine import Engine, frames_of
from .lights import LEDS, Lights
from .memory_unit import MemoryUnit
from .ram import Ram
from .receive import FrameReceiver
from .register_unit import RegisterUnit
from .request_unit import RequestUnit
from .uart import Receiver, Transmitter

__all__ = ["Image"]


class Image(wiring.Component):
    """Everything between two pins and eight LEDs.

    Parameters
    ----------
    config : ImageConfig

    Members
    -------
    rx : In(1), tx : Out(1), leds : Out(8)
    """

    def __init__(self, config: ImageConfig):
        self._config = config
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "leds": Out(len(LEDS))})

    def elaborate(self, platform):
        m = Module()
        config, core = self._config, self._config.core
        m.submodules.board = board = BoardUnit(config.log2, core.ports, core.port_depth,
                                               config.khz)
        reset = Payload(name="core_reset")          # a register: it reaches everything
        m.d.sync += reset.eq(board.reset)
        siommu, ram = Siommu(core), Ram(core.axi_id_width, config.log2)
        registers, requests = RegisterUnit(), RequestUnit(core.ports)
        for name, part in (("siommu", siommu), ("ram", ram), ("registers", registers),
                           ("requests", requests)):
            m.submodules[name] = ResetInserter(reset)(part)
        m.submodules.memory = unit = MemoryUnit()
        wiring.connect(m, unit.host, ram.host)
        # Behind the choice among many block RAMs there is no time for anything else.
        queue = PairQueue(ReadData(core.axi_id_width, 64))
        m.submodules.read = ResetInserter(reset)(queue)
        wiring.connect(m, ram.r, queue.w)
        self._memory(m, siommu, ram, queue.r)
        self._registers(m, siommu, registers.axil)
        self._ports(m, siommu, requests)
        units = {Port.BOARD: board, Port.MEMORY: unit, Port.REGISTERS: registers,
                 Port.REQUESTS: requests}
        engine = self._link(m, units)
        m.submodules.lights = lights = Lights(max(1, (config.khz * 64).bit_length()))
        m.d.comb += [
            lights.mode.eq(registers.mode), lights.granted.eq(requests.granted),
            lights.refused.eq(requests.refused), lights.fault.eq(siommu.irq_fault),
            lights.link.eq(engine.done), lights.damage.eq(engine.failed),
            self.leds.eq(lights.leds),
        ]
        return m

    def _link(self, m, units):
        """UART, frames and engine."""
        m.submodules.uart_rx = uart_rx = Receiver(self._config.divider)
        m.submodules.uart_tx = uart_tx = Transmitter(self._config.divider)
        m.submodules.receive = receive = FrameReceiver(SILENCE * self._config.divider)
        m.submodules.answer = answer = FrameSender()
        m.submodules.engine = engine = Engine()
        m.d.comb += [
            uart_rx.rx.eq(self.rx), self.tx.eq(uart_tx.tx), receive.quiet.eq(uart_rx.quiet),
            *frames_of(receive, engine, answer),
        ]
        wiring.connect(m, uart_rx.bytes, receive.bytes)
        wiring.connect(m, answer.bytes, uart_tx.bytes)
        for port, unit in units.items():
            wiring.connect(m, engine.jobs[port], unit.job)
        return engine

    @staticmethod
    def _channel(m, siommu, prefix, stream, fields, outward):
        """Joins a channel of flat ports and a stream, which takes what the core drives if
        ``outward``."""
        def port(name):
            return getattr(siommu, f"{prefix}{name}")
        for name, signal in {"valid": stream.valid, **fields}.items():
            m.d.comb += signal.eq(port(name)) if outward else port(name).eq(signal)
        m.d.comb += port("ready").eq(stream.ready) if outward else stream.ready.eq(port("ready"))

    def _memory(self, m, siommu, ram, read):
        for name, fields, outward in (
                ("ar", ("id", "addr", "len", "size", "burst"), True),
                ("r", ("id", "data", "resp", "last"), False),
                ("aw", ("id", "addr", "len", "size"), True), ("w", ("data", "strb", "last"), True),
                ("b", ("id", "resp"), False)):
            stream = read if name == "r" else getattr(ram, name)
            self._channel(m, siommu, f"m_axi_{name}", stream,
                          {field: stream.payload[field] for field in fields}, outward)

    def _registers(self, m, siommu, axil):
        for name, fields, outward in (
                ("aw", {"addr": axil.aw.payload}, False), ("ar", {"addr": axil.ar.payload}, False),
                ("w", {field: axil.w.payload[field] for field in ("data", "strb")}, False),
                ("b", {"resp": axil.b.payload}, True),
                ("r", {field: axil.r.payload[field] for field in ("data", "resp")}, True)):
            self._channel(m, siommu, f"s_axil_{name}", getattr(axil, name), fields, outward)

    def _ports(self, m, siommu, requests):
        for index, port in enumerate(self._config.core.port_names):
            request, response = requests.requests[index], requests.responses[index]
            self._channel(m, siommu, f"{port}_req_", request,
                          {name: request.payload[name] for name, _ in data.Layout.cast(Request)},
                          False)
            self._channel(m, siommu, f"{port}_rsp_", response,
                          {name: response.payload[name] for name, _ in data.Layout.cast(Response)},
                          True)
