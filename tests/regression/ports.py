"""Drives one request port of §2.1 and checks the rules of its streams."""

from collections import deque
from dataclasses import replace

from cocotb.triggers import Event
from cocotb.utils import get_sim_time

from sim.model.golden import Beat

from .wires import bit, reader, writer

__all__ = ["PortDriver", "PortError", "Transaction"]

REQUEST = ("ft", "write", "device", "pasid", "addr", "pages", "tag")
RESPONSE = ("tag", "last", "cause", "disposition", "addr", "pages", "read", "write", "size")


class PortError(AssertionError):
    """A port broke a rule of §2.1. The message names port, cycle and rule."""


class Transaction:
    """A request and what became of it.

    Attributes
    ----------
    access : Access
        As sent; the tag is filled in when the request is offered.
    port : PortDriver
    offered, accepted, finished : int or None
        Cycles in which the request was first offered, taken, and its last beat was handed over.
    beats : list of Beat
    beat_cycles : list of int
    dropped : bool
        It got no last beat, because of a reset or because its port was disabled.
    """

    def __init__(self, access, port):
        self.access = access
        self.port = port
        self.offered = self.accepted = self.finished = None
        self.beats = []
        self.beat_cycles = []
        self.dropped = False
        self._over = Event()

    async def wait(self):
        """Waits until the last beat has come (or the request was dropped); returns ``self``."""
        if not self.over:
            await self._over.wait()
        return self

    @property
    def over(self):
        return self.finished is not None or self.dropped

    @property
    def latency(self):
        """Cycles from the request's acceptance to its last beat."""
        return self.finished - self.accepted

    def end(self):
        self._over.set()


class PortDriver:
    """Requests in, beats out.

    Parameters
    ----------
    dut
        The simulated core.
    name : str
        Prefix of the port.
    rng : random.Random
    finished : callable
        Called with every transaction that got its last beat.

    Attributes
    ----------
    send_rate, take_rate : float
        Probability that an idle cycle offers the next request; that a cycle is ready for a beat.
    max_outstanding : int
        Requests kept in flight at most (tags are unique among them).
    prompt : bool
        A request that is sent is on the wires in the same cycle, if they are free; else in the next
        one.
    disabled : bool
        PORT_ENABLE is about to be, or is, off: beats may vanish.
    refusing : bool
        The core must not take a request.
    """

    def __init__(self, dut, name, rng, finished):
        self.name = name
        self.rng = rng
        self.send_rate = self.take_rate = 1.0
        self.max_outstanding = 256
        self.prompt = self.disabled = self.refusing = False
        self._stepped = None            # cycle and time of the last step
        self.queue = deque()
        self.outstanding = {}
        self.stalled_cycles = self.interleaved = self.overtaken = self.beats = 0
        self._finished = finished
        self._offered = None            # the transaction on the wires
        self._last_tag = 0
        self._held = None               # the beat that was valid and not taken
        self._open = None               # tag of the last beat's request, if that goes on
        self._ready = False
        wire = {kind: getattr(dut, f"{name}_{kind}") for kind in
                ("req_valid", "req_ready", "rsp_valid", "rsp_ready")}
        self._drive_valid = writer(wire["req_valid"])
        self._drive_ready = writer(wire["rsp_ready"])
        self._req_ready = bit(wire["req_ready"])
        self._rsp_valid = bit(wire["rsp_valid"])
        self._drive = [writer(getattr(dut, f"{name}_req_{field}")) for field in REQUEST]
        self._read = [reader(getattr(dut, f"{name}_rsp_{field}")) for field in RESPONSE]
        self.reset()

    def send(self, access, *, first=False):
        """Queues a request (``first``: before all others); returns its ``Transaction``. The driver
        chooses the tag."""
        transaction = Transaction(access, self)
        (self.queue.appendleft if first else self.queue.append)(transaction)
        # Before this edge's step, that will offer it.
        if self.prompt and self._stepped and self._stepped[1] == get_sim_time("step") \
                and self._offered is None and self._may_offer():
            self._offer(self._stepped[0])
        return transaction

    async def request(self, access):
        """Sends one request and waits for its last beat."""
        return await self.send(access).wait()

    @property
    def idle(self):
        return not self.queue and not self.outstanding and self._offered is None

    @property
    def holds_beat(self):
        """A beat is offered and was not taken."""
        return self._held is not None

    def reset(self):
        """Forgets everything; to be called while the core is held in reset."""
        self.drop()
        for transaction in [*self.queue, *([self._offered] if self._offered else [])]:
            transaction.dropped = True
            transaction.end()
        self.queue.clear()
        self._offered = None
        self.disabled = self.refusing = self._ready = False
        self._drive_valid(0)
        self._drive_ready(0)
        for drive in self._drive:
            drive(0)

    def drop(self):
        """Gives up the requests in flight: the port was disabled until PORT_STATUS read 0."""
        for transaction in self.outstanding.values():
            transaction.dropped = True
            transaction.end()
        self.outstanding.clear()
        self._held = self._open = None

    def step(self, cycle):
        """One clock cycle: looks at the values before the edge, drives those after it."""
        self._step_request(cycle)
        self._step_response(cycle)
        if self.prompt:
            self._stepped = cycle, get_sim_time("step")

    # -- requests ------------------------------------------------------------------------------

    def _step_request(self, cycle):
        offered = self._offered
        if offered is not None:
            if not self._req_ready():
                return
            if self.refusing:
                self._fail(cycle, "a disabled port took a request")
            offered.accepted = cycle
            self.outstanding[offered.access.tag] = offered
            self._offered = None
        if self._may_offer():
            self._offer(cycle)
        else:
            self._drive_valid(0)

    def _may_offer(self):
        return self.queue and len(self.outstanding) < self.max_outstanding and \
            (self.send_rate >= 1.0 or self.rng.random() < self.send_rate)

    def _offer(self, cycle):
        tag = self._last_tag
        while True:
            tag = (tag + 1 if self.rng.random() < .5 else self.rng.randrange(256)) & 255
            if tag not in self.outstanding:
                break
        self._last_tag = tag
        transaction = self.queue.popleft()
        transaction.access = access = replace(transaction.access, tag=tag)
        transaction.offered = cycle
        self._offered = transaction
        for drive, field in zip(self._drive, REQUEST):
            drive(getattr(access, field))
        self._drive_valid(1)

    # -- responses -----------------------------------------------------------------------------

    def _step_response(self, cycle):
        if self._rsp_valid():
            beat = Beat(*[read() for read in self._read])
            if self._held is not None and beat != self._held and not self.disabled:
                self._fail(cycle, f"the beat changed from {self._held} to {beat} before it was "
                                  f"taken")
            if self._ready:
                self._held = None
                self._take(beat, cycle)
            else:
                self.stalled_cycles += 1
                self._held = beat
        elif self._held is not None:
            if not self.disabled:
                self._fail(cycle, f"the beat {self._held} was withdrawn before it was taken")
            self._held = None
        self._ready = self.take_rate >= 1.0 or self.rng.random() < self.take_rate
        self._drive_ready(int(self._ready))

    def _take(self, beat, cycle):
        transaction = self.outstanding.get(beat.tag)
        if transaction is None:
            self._fail(cycle, f"{beat} answers no request in flight")
        self.beats += 1
        if self._open not in (None, beat.tag):
            self.interleaved += 1
        self._open = None if beat.last else beat.tag
        transaction.beats.append(beat)
        transaction.beat_cycles.append(cycle)
        if len(transaction.beats) > transaction.access.pages + 1:
            self._fail(cycle, f"{transaction.access} got more beats than pages")
        if not beat.last:
            return
        if next(iter(self.outstanding)) != beat.tag:
            self.overtaken += 1
        del self.outstanding[beat.tag]
        transaction.finished = cycle
        self._finished(transaction)
        transaction.end()

    def _fail(self, cycle, sentence):
        raise PortError(f"port {self.name}, cycle {cycle}: {sentence}")
