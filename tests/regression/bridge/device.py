"""The device in front of the bridge: cocotbext-axi's channels, driven burst by burst.

Its ``AxiMaster`` keeps the rules of AXI4 and cuts long transfers itself; a device that is not
trusted does neither, so most tests drive the channels.
"""

import logging
from collections import defaultdict, deque

import cocotb
from cocotbext.axi.axi_channels import (
    AxiARBus,
    AxiARSource,
    AxiARTransaction,
    AxiAWBus,
    AxiAWSource,
    AxiAWTransaction,
    AxiBBus,
    AxiBSink,
    AxiRBus,
    AxiRSink,
    AxiWBus,
    AxiWSource,
    AxiWTransaction,
)

from ..axi import DECERR, OKAY, SLVERR
from .bursts import lanes

__all__ = ["AnswerError", "Device"]


class AnswerError(AssertionError):
    """The device got another answer than it must."""


class Device:
    """Sends bursts and checks their answers: order of each id, responses, data, RLAST.

    Parameters
    ----------
    dut
    width : int
        Bits of the data.
    memory : Memory
    static : callable
        Whether what lies in a physical page never changes, so that it can be compared.

    Attributes
    ----------
    order : dict of bool to list of Burst
        Bursts as they were sent, reads and writes.
    owed : int
        Bursts without their whole answer.
    """

    def __init__(self, dut, width, memory, static):
        self.width, self.memory, self.static = width, memory, static
        self.order = {False: [], True: []}
        self.owed = self.answered = 0
        self._queues = defaultdict(deque)           # by direction and id
        def channel(kind, bus):
            made = kind(bus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
            made.log.setLevel(logging.WARNING)
            return made
        self.ar, self.aw = channel(AxiARSource, AxiARBus), channel(AxiAWSource, AxiAWBus)
        self.w = channel(AxiWSource, AxiWBus)
        self.r, self.b = channel(AxiRSink, AxiRBus), channel(AxiBSink, AxiBBus)
        self.r.queue_occupancy_limit = self.b.queue_occupancy_limit = 4
        cocotb.start_soon(self._reads())
        cocotb.start_soon(self._writes())

    def weather(self, rng):
        """Stalls each channel at random, or not."""
        for channel in (self.ar, self.aw, self.w, self.r, self.b):
            rate = rng.choice((0, 0, .2, .5, .9))
            channel.set_pause_generator(
                iter(lambda rate=rate: rng.random() < rate, None) if rate else None)
            channel.pause = False

    def send(self, burst):
        """Puts a burst behind those that wait to be sent."""
        name = "aw" if burst.write else "ar"
        fields = {"id": burst.id, "addr": burst.addr, "len": burst.beats - 1, "size": burst.size,
                  "burst": burst.kind, "user": burst.pasid << 16 | burst.device,
                  **burst.attributes}
        transaction = (AxiAWTransaction if burst.write else AxiARTransaction)(
            **{f"{name}{field}": value for field, value in fields.items()})
        (self.aw if burst.write else self.ar).send_nowait(transaction)
        for (data, strobes), last in zip(burst.data, burst.lasts):
            self.w.send_nowait(AxiWTransaction(wdata=data, wstrb=strobes, wlast=last))
        self.order[burst.write].append(burst)
        self._queues[burst.write, burst.id].append(burst)
        self.owed += 1

    def forget(self):
        """Ends what is under way, for a reset."""
        for channel in (self.ar, self.aw, self.w, self.r, self.b):
            channel.clear()
        self._queues.clear()
        self.order = {False: [], True: []}
        self.owed = 0

    def _oldest(self, write, id_):
        queue = self._queues[write, id_]
        if not queue:
            raise AnswerError(f"{'B' if write else 'R'} with id {id_:#x}, which has no burst")
        burst = queue[0]
        if burst.granted is None:
            raise AnswerError(f"an answer to a burst that is not decided: {burst}")
        return burst

    def _ends(self, burst):
        self._queues[burst.write, burst.id].popleft()
        self.owed -= 1
        self.answered += 1

    def _has_error(self, burst):
        """Of a write: memory refuses what the strobes say, and an empty beat is none of it."""
        return any(strobes and self.memory.touches_poison(
            start & -(self.width // 8), self.width // 8)
            for start, (_, strobes) in zip(burst.starts(), burst.data))

    def _check_response(self, burst, response, failed):
        wrong = response not in (SLVERR, DECERR) if failed else response != OKAY
        if wrong if burst.granted else response != SLVERR:
            raise AnswerError(f"response {response} to {burst}")

    async def _writes(self):
        while True:
            answer = await self.b.recv()
            burst = self._oldest(True, int(answer.bid))
            if burst.granted and burst.issued is None:
                raise AnswerError(f"a response before memory had {burst}")
            self._check_response(burst, int(answer.bresp),
                                 burst.granted and self._has_error(burst))
            self._ends(burst)

    async def _reads(self):
        while True:
            beat = await self.r.recv()
            burst, data = self._oldest(False, int(beat.rid)), int(beat.rdata)
            index = burst.answered
            start = burst.starts()[index] if burst.granted else None
            failed = burst.granted and self.memory.touches_poison(
                start & -(self.width // 8), self.width // 8)
            self._check_response(burst, int(beat.rresp), failed)
            if not burst.granted and data:
                raise AnswerError(f"data {data:#x} in the answer to {burst}")
            if burst.granted and not failed and self.static(burst.page):
                self._compare(burst, index, start, data)
            burst.answered += 1
            if int(beat.rlast) != (burst.answered == burst.beats):
                raise AnswerError(f"RLAST is {beat.rlast} on beat {burst.answered} of {burst}")
            if burst.answered == burst.beats:
                self._ends(burst)

    def _compare(self, burst, index, start, data):
        base = start & -(self.width // 8)
        content = self.memory.read(base, self.width // 8)
        for lane in lanes(start, burst.size, self.width):
            if data >> 8 * lane & 255 != content[lane]:
                raise AnswerError(f"beat {index} of {burst} has {data:#x}, and memory "
                                  f"{content[::-1].hex()}")
