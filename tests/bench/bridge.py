"""The translating bridge (§9) on port ``dev0`` of the core: bursts per cycle with hits, and the
latency that it adds to the translation's.
"""

import cocotb

from ..regression.bridge import bench as bridge
from ..regression.bridge.bursts import Burst
from ..regression.wires import bit
from .common import BASE, PAGE, Bench

PAGES = 16              #: as many as fit into the first level with room to spare
INCR = 1
CHANNELS = ("s_axi_ar", "s_axi_aw", "s_axi_w", "s_axi_r", "s_axi_b", "d_axi_ar", "d_axi_aw",
            "d_axi_w", "d_axi_r", "d_axi_b", "mmu_req_", "mmu_rsp_")


class Handshakes:
    """Cycles of the handshakes of every channel."""

    def __init__(self, dut):
        self._channels = {
            name: (bit(getattr(dut, f"{name}valid")), bit(getattr(dut, f"{name}ready")))
            for name in CHANNELS}
        self._cycle = 0
        self.clear()

    def clear(self):
        self.cycles = {name: [] for name in CHANNELS}

    def step(self):
        self._cycle += 1
        for name, (valid, ready) in self._channels.items():
            if valid() and ready():
                self.cycles[name].append(self._cycle)

    def rate(self, name, cut=.1):
        """Handshakes per cycle, over a window without start and end."""
        cycles = self.cycles[name]
        skip = int(len(cycles) * cut)
        cycles = cycles[skip:len(cycles) - skip]
        return (len(cycles) - 1) / (cycles[-1] - cycles[0])

    def first(self, name):
        return self.cycles[name][0]


class Rig:
    """The core of the bench, the bridge on ``dev0``, and 16 pages that the first level holds."""

    def __init__(self, dut):
        self.tb = Bench(dut, ports=("dev1", "cpu"))
        self.space = self.tb.scene.space()
        self.tb.scatter(self.space, BASE, PAGES, ft=0)
        self.seen = Handshakes(dut)
        self.front = bridge.Bench(dut, 1, 64, memory="d_axi", shuffled=True, clock=False,
                                  static=lambda page: False, steps=[self.seen.step])

    async def run(self, bursts):
        """Sends ``bursts``, (whether it writes, beats) each; returns the handshakes."""
        self.seen.clear()
        for index, (write, beats) in enumerate(bursts):
            data = [(index << 8 | beat, 255) for beat in range(beats)] if write else []
            self.front.send(Burst(
                write, index % 4, BASE + index % PAGES * PAGE + 64 * (index % 8), beats, 3, INCR,
                self.space.device, self.space.pasid,
                {"lock": 0, "cache": 3, "prot": 0, "qos": 0, "region": 0}, data,
                [int(beat == beats - 1) for beat in range(beats)] if write else []))
        await self.front.drain()
        assert not self.front.watch.refused
        return self.seen


def record_latency(tb, seen, write):
    direction, way = ("writes", "aw") if write else ("reads", "ar")
    answer = "b" if write else "r"
    translation = seen.first("mmu_rsp_") - seen.first("mmu_req_")
    there = seen.first(f"d_axi_{way}") - seen.first(f"s_axi_{way}")
    back = seen.first(f"s_axi_{answer}") - seen.first(f"d_axi_{answer}")
    tb.record("bridge", f"{direction}, hit, idle: added to the translation's {translation} cycles",
              there + back - translation, "cycles", bar=3,
              note=f"{there - translation} to memory, {back} back")


@cocotb.test(timeout_time=50, timeout_unit="ms")
async def bursts(dut):
    """Latency of one burst, then as many as the device can send."""
    rig = Rig(dut)
    tb = rig.tb
    async with tb, rig.front:
        await tb.begin()
        await rig.run([(write, 1) for write in (0, 1) for _ in range(2 * PAGES)])
        reads = tb.axi.reads
        for write in (0, 1):
            record_latency(tb, await rig.run([(write, 1)]), write)
        for write, name, channel in ((0, "reads", "d_axi_ar"), (1, "writes", "d_axi_aw")):
            seen = await rig.run([(write, 1)] * 3000)
            tb.record("bridge", f"{name} of one beat, hits", seen.rate(channel),
                      "bursts per cycle", bar=.99, atmost=False)
        seen = await rig.run([(index % 2, 1) for index in range(4000)])
        tb.record("bridge", "reads and writes of one beat together, hits",
                  seen.rate("mmu_req_"), "bursts per cycle", bar=.99, atmost=False,
                  note=f"one request port: {seen.rate('d_axi_ar'):.2f} reads, "
                       f"{seen.rate('d_axi_aw'):.2f} writes")
        seen = await rig.run([(index % 2, 4) for index in range(2000)])
        for name, channel in (("read", "s_axi_r"), ("written", "d_axi_w")):
            tb.record("bridge", f"reads and writes of 4 beats together, hits: {name}",
                      seen.rate(channel), "beats per cycle", bar=.99, atmost=False)
        assert tb.axi.reads == reads, "these were no hits"
