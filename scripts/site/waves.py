"""The page of interfaces: timing diagrams of the core in simulation, as WaveDrom draws them.

The core is the preset `small`, with real tables behind it. What the diagrams show is what its ports
did, cycle by cycle; nothing is drawn by hand.
"""

import re

import yowasp_wavedrom
from amaranth.sim import Simulator

from sim.memory import Memory
from sim.tables import DeviceDirectory, FileTable, PageTable, PasidDirectory
from siommu.arch.config import PRESETS
from siommu.arch.register_map import REGISTERS
from siommu.generate.files import write_whole
from siommu.top import Siommu

__all__ = ["record", "write"]

PAGE = 4096
DEVICE, DEVID, PASID = 0x10, 1, 7
BLOCK, BUFFER = 0x80_0000_0000, 0x7F00_0000_0000
LATENCY = 4                             #: cycles from a read address to its first data
READ, WRITE = 0, 1
CHANNELS = {
    "request": ("dev0_req", ("valid", "ready", "ft", "write", "addr", "pages", "tag")),
    "response": ("dev0_rsp", ("valid", "ready", "tag", "last", "cause", "addr", "pages", "read",
                              "write")),
    "read address": ("m_axi_ar", ("valid", "ready", "addr", "len", "burst", "id")),
    "read data": ("m_axi_r", ("valid", "ready", "data", "last", "id")),
    "write address": ("s_axil_aw", ("valid", "ready", "addr")),
    "write data": ("s_axil_w", ("valid", "ready", "data")),
    "write response": ("s_axil_b", ("valid", "ready", "resp")),
    "register address": ("s_axil_ar", ("valid", "ready", "addr")),
    "register data": ("s_axil_r", ("valid", "ready", "data", "resp")),
}
OFFSETS = {register.name: register.offset for register in REGISTERS}


def _tables():
    """(memory, device directory): one process, one page of its own, eight blocks of a file."""
    memory = Memory(0x10_0000, 1 << 24)
    pages, blocks = PageTable(memory, 4), PageTable(memory, 4)
    for page in range(4):
        pages.map(BUFFER + page * PAGE, memory.alloc_pages())
    file = FileTable(memory, devid=DEVID)
    file.map(0, 0x40_0000, 8)
    blocks.attach(BLOCK, file)
    pasids = PasidDirectory(memory, 1)
    pasids.set(PASID, mem=pages, sto=blocks)
    directory = DeviceDirectory(memory, 8)
    directory.set(DEVICE, devid=DEVID, pasids=pasids, mem=True, sto=True)
    return memory, directory


class Recording:
    """The core in simulation, and the values of its ports in every cycle.

    Parameters
    ----------
    dut : Siommu
    memory : Memory
    """

    def __init__(self, dut, memory):
        self.dut, self.memory = dut, memory
        self.cycles = []
        self._bursts = []

    def _port(self, name):
        return getattr(self.dut, name)

    async def tick(self, ctx, count=1):
        """Goes on, and records."""
        for _ in range(count):
            self._memory(ctx)
            signals = [_signal(prefix, name) for prefix, names in CHANNELS.values()
                       for name in names]
            self.cycles.append({name: ctx.get(self._port(name)) for name in signals})
            taken = ctx.get(self.dut.m_axi_arvalid) and ctx.get(self.dut.m_axi_arready)
            if taken:
                self._bursts.append([len(self.cycles) + LATENCY - 1, ctx.get(self.dut.m_axi_arid),
                                     self._words(ctx)])
            if ctx.get(self.dut.m_axi_rvalid) and ctx.get(self.dut.m_axi_rready):
                self._bursts[0][2].pop(0)
                if not self._bursts[0][2]:
                    self._bursts.pop(0)
            await ctx.tick()

    def _words(self, ctx):
        """The words of the burst that is offered."""
        start, count = ctx.get(self.dut.m_axi_araddr), ctx.get(self.dut.m_axi_arlen) + 1
        wraps, span = ctx.get(self.dut.m_axi_arburst) == 2, 8 * count
        base = start // span * span
        return [self.memory.read_u64(base + (start - base + 8 * index) % span if wraps
                                     else start + 8 * index) for index in range(count)]

    def _memory(self, ctx):
        """Memory's answers in this cycle: one burst after the other."""
        ready = bool(self._bursts) and len(self.cycles) >= self._bursts[0][0]
        ctx.set(self.dut.m_axi_rvalid, ready)
        if ready:
            _, number, words = self._bursts[0]
            ctx.set(self.dut.m_axi_rid, number)
            ctx.set(self.dut.m_axi_rdata, words[0])
            ctx.set(self.dut.m_axi_rlast, len(words) == 1)

    async def write(self, ctx, register, value):
        """Writes a register."""
        dut = self.dut
        for signal, content in ((dut.s_axil_awaddr, OFFSETS[register]), (dut.s_axil_wdata, value),
                                (dut.s_axil_wstrb, 15), (dut.s_axil_awvalid, 1),
                                (dut.s_axil_wvalid, 1)):
            ctx.set(signal, content)
        waits = {"aw", "w"}
        while waits:
            done = {name for name in waits if ctx.get(self._port(f"s_axil_{name}ready"))}
            await self.tick(ctx)
            for name in done:
                ctx.set(self._port(f"s_axil_{name}valid"), 0)
            waits -= done
        await self._until(ctx, dut.s_axil_bvalid)
        await self.tick(ctx)

    async def read(self, ctx, register):
        """Reads a register."""
        dut = self.dut
        ctx.set(dut.s_axil_araddr, OFFSETS[register])
        ctx.set(dut.s_axil_arvalid, 1)
        await self._until(ctx, dut.s_axil_arready)
        await self.tick(ctx)
        ctx.set(dut.s_axil_arvalid, 0)
        await self._until(ctx, dut.s_axil_rvalid)
        await self.tick(ctx)

    async def _until(self, ctx, signal):
        for _ in range(200):
            if ctx.get(signal):
                return
            await self.tick(ctx)
        raise RuntimeError("the core does not go on")

    async def ask(self, ctx, *requests):
        """Sends requests, (ft, write, addr, pages, tag), one after the other."""
        dut = self.dut
        ctx.set(dut.dev0_req_device, DEVICE)
        ctx.set(dut.dev0_req_pasid, PASID)
        ctx.set(dut.dev0_req_valid, 1)
        for request in requests:
            for name, value in zip(("ft", "write", "addr", "pages", "tag"), request):
                ctx.set(self._port(f"dev0_req_{name}"), value)
            await self._until(ctx, dut.dev0_req_ready)
            await self.tick(ctx)
        ctx.set(dut.dev0_req_valid, 0)

    async def answers(self, ctx, count):
        """Waits for ``count`` last beats; raises if one of them refuses."""
        while count:
            await self._until(ctx, self.dut.dev0_rsp_valid)
            if ctx.get(self.dut.dev0_rsp_cause):
                raise RuntimeError(f"refused: cause {ctx.get(self.dut.dev0_rsp_cause)}")
            count -= ctx.get(self.dut.dev0_rsp_last)
            await self.tick(ctx)


def _signal(prefix, name):
    """The port of a channel's field: AXI joins them without a line between."""
    return f"{prefix}{name}" if "axi" in prefix else f"{prefix}_{name}"


def record():
    """Title of a diagram to the channels that it shows, and its cycles."""
    memory, directory = _tables()
    dut, found = Siommu(PRESETS["small"]), {}
    recording = Recording(dut, memory)

    async def testbench(ctx):
        async def scene(title, channels, work):
            recording.cycles.clear()
            await work
            await recording.tick(ctx, 2)
            found[title] = channels, list(recording.cycles)
        for name in ("dev0_rsp_ready", "m_axi_arready", "m_axi_awready", "m_axi_wready",
                     "s_axil_bready", "s_axil_rready"):
            ctx.set(getattr(dut, name), 1)
        await recording.tick(ctx, 2)
        await recording.write(ctx, "DDT_BASE_LOW", directory.base)
        await recording.write(ctx, "DDT_LOG2", directory.log2)
        await scene("A register is written", ("write address", "write data", "write response"),
                    recording.write(ctx, "CTRL", 1))
        await scene("A register is read", ("register address", "register data"),
                    recording.read(ctx, "ID"))
        await recording.tick(ctx, 4)
        await recording.ask(ctx, (1, READ, BLOCK, 0, 0), (0, WRITE, BUFFER, 0, 1))
        await recording.answers(ctx, 2)
        await recording.tick(ctx, 40)

        async def hits():
            await recording.ask(ctx, (1, READ, BLOCK + 0x200, 0, 2), (0, WRITE, BUFFER + 8, 0, 3),
                                (1, READ, BLOCK + 0x800, 0, 4))
            await recording.answers(ctx, 3)
        await scene("Three requests that hit", ("request", "response"), hits())

        async def slow():
            ctx.set(dut.dev0_rsp_ready, 0)
            await recording.ask(ctx, (1, READ, BLOCK + 0x200, 0, 5))
            await recording.tick(ctx, 6)
            ctx.set(dut.dev0_rsp_ready, 1)
            await recording.answers(ctx, 1)
        await scene("A requester that is slow to take its answer", ("request", "response"), slow())

        async def miss():
            await recording.ask(ctx, (0, WRITE, BUFFER + 3 * PAGE, 0, 6))
            await recording.answers(ctx, 1)
        await scene("A request of eight blocks", ("request", "response"), _run_of(recording, ctx))
        await recording.write(ctx, "CTRL", 0)
        await recording.tick(ctx, 60)
        await recording.write(ctx, "CTRL", 1)
        await scene("A miss, everything cold", ("request", "read address", "read data",
                                                "response"), miss())
    simulator = Simulator(dut)
    simulator.add_clock(5e-9)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


async def _run_of(recording, ctx):
    await recording.ask(ctx, (1, READ, BLOCK, 7, 8))
    await recording.answers(ctx, 1)


def _wave(values, shown):
    """The wave and the labels of a signal: ``values`` by cycle, unknown where not ``shown``."""
    wave, labels, last = "", [], None
    for value, known in zip(values, shown):
        here = value if known else None
        if here == last and wave:
            wave += "."
        elif here is None:
            wave += "x"
        else:
            wave += "="
            labels.append(f"{here:x}")
        last = here
    return wave, labels


def _levels(values):
    return "".join("." if index and value == values[index - 1] else str(value)
                   for index, value in enumerate(values))


def diagram(channels, cycles):
    """WaveJSON of channels over cycles."""
    signals = [{"name": "clk", "wave": "p" + "." * (len(cycles) - 1)}]
    for channel in channels:
        prefix, names = CHANNELS[channel]
        group, valid = [channel], [cycle[_signal(prefix, "valid")] for cycle in cycles]
        for name in names:
            signal = _signal(prefix, name)
            values = [cycle[signal] for cycle in cycles]
            if name in ("valid", "ready"):
                group.append({"name": signal, "wave": _levels(values)})
            else:
                wave, labels = _wave(values, valid)
                group.append({"name": signal, "wave": wave, "data": labels})
        signals += [{}, group]
    return {"signal": signals, "foot": {"tock": 0}}


WORDS = {
    "A register is written": "Address and data may come in any order, or together, as here.",
    "A register is read": "The value is that of the cycle in which the address was taken.",
    "Three requests that hit": "A request is taken per cycle; answers come in the same order here, "
                               "for all of them hit. Between valid beats a payload means nothing.",
    "A requester that is slow to take its answer": "The beat stays as it is until it is taken.",
    "A request of eight blocks": "Blocks that follow each other are one beat: `pages` says how "
                                 "many it covers, minus one.",
    "A miss, everything cold": "The device entry, two levels of the PASID directory with the "
                               "context, then the tables, each read when the one above it is "
                               "there; the leaf with the line around it, its own word first "
                               "(WRAP).",
}


def write(path):
    """Writes the page of interfaces to ``path``, and its diagrams beside it."""
    found = record()
    lines = ["# Interfaces in time", "",
             "Signals of [specification](specification.md) §2, as a core in simulation drives and "
             f"takes them: the preset `small`, and memory that answers after {LATENCY} cycles. "
             "Numbers are hexadecimal; a payload is shown while its valid is high.", ""]
    for title, (channels, cycles) in found.items():
        name = f"interfaces-{'-'.join(re.findall('[a-z]+', title.lower()))}.svg"
        write_whole(path.with_name(name), yowasp_wavedrom.render(diagram(channels, cycles)))
        lines += [f"## {title}", "", WORDS[title], "", f"![{title}: {', '.join(channels)}]({name})",
                  ""]
    write_whole(path, "\n".join(lines))
