"""What the bridge may do, looked at in every cycle on all of its ports.

- An offer stands, unchanged, until it is taken: ``m_axi``, ``s_axi``, ``mmu_req`` (§2.1, IHI 0022).
- It asks for every legal burst once, in order, one page, with the rights that the burst needs.
- Memory gets the address of a burst after it was granted, with the translated page and all else as
  it was; nothing else. Bursts of one id come in their order.
- Write data come after the offer of their address, and are those of granted bursts, in order.
- Beats of a read burst come without those of others in between, unless memory alternates.
- ``fault`` is high for a cycle per refused burst.
"""

from collections import deque

from ..wires import bit, reader
from .bursts import ATTRIBUTES

__all__ = ["BridgeError", "Watch"]

ADDRESS = ("id", "addr", "len", "size", "burst", *ATTRIBUTES)
REQUEST = ("ft", "write", "device", "pasid", "addr", "pages", "tag")
PAGE = 4096


class BridgeError(AssertionError):
    """The bridge did what it must not. The message names the cycle."""


class _Channel:
    """A channel that the bridge drives, or one that it listens to."""

    def __init__(self, dut, prefix, fields):
        self.name = prefix
        self._fields = {name: reader(getattr(dut, f"{prefix}{name}")) for name in fields}
        self._valid = bit(getattr(dut, f"{prefix}valid"))
        self._ready = bit(getattr(dut, f"{prefix}ready"))
        self.held = None

    def step(self):
        """(payload or None, whether it is taken). Fails if an offer did not stand."""
        payload = {name: read() for name, read in self._fields.items()} if self._valid() else None
        if self.held is not None and payload != self.held:
            raise BridgeError(f"{self.name} offered {self.held}, then {payload}")
        taken = payload is not None and self._ready()
        self.held = None if taken else payload
        return payload, taken


class Watch:
    """Follows all bursts of ``device``.

    Parameters
    ----------
    dut
    device : Device
    memory : str
        Prefix of the side of the bridge that goes to memory.
    decides : callable
        Called with a burst, cause and page when its answer is handed over.
    whole : bool
        Memory does not alternate between read bursts.

    Attributes
    ----------
    faults : int
        Cycles in which ``fault`` was high. ``refused``: bursts that were.
    wrote : list of Burst
        Granted writes, as memory gets them.
    """

    def __init__(self, dut, device, memory, decides=lambda burst, cause, page: None,
                 whole=False):
        self.device, self.decides, self._whole = device, decides, whole
        self._addresses = {False: _Channel(dut, f"{memory}_ar", ADDRESS),
                           True: _Channel(dut, f"{memory}_aw", ADDRESS)}
        self._data = _Channel(dut, f"{memory}_w", ("data", "strb", "last"))
        self._answers = [_Channel(dut, "s_axi_r", ("id", "data", "resp", "last")),
                         _Channel(dut, "s_axi_b", ("id", "resp"))]
        self._request = _Channel(dut, "mmu_req_", REQUEST)
        self._response = _Channel(dut, "mmu_rsp_", ("tag", "cause", "addr"))
        self._fault = bit(dut.fault)
        self.forget()

    def forget(self):
        """To be called in reset."""
        self.faults = self.refused = self.cycle = 0
        self.wrote, self._under_way = [], {}
        self._asked = {False: 0, True: 0}           # bursts of the device's order, by direction
        self._to_issue = {False: deque(), True: deque()}
        self._beats, self._offered = deque(), 0     # beats to come; addresses on offer so far
        self._was_offered, self._reading = False, None
        for channel in (*self._addresses.values(), self._data, *self._answers, self._request,
                        self._response):
            channel.held = None

    def _fail(self, sentence):
        raise BridgeError(f"cycle {self.cycle}: {sentence}")

    def step(self):
        """One clock cycle."""
        self.cycle += 1
        for write in (False, True):
            self._step_address(write)
        self._step_data()
        for channel in self._answers:
            payload, taken = channel.step()
            if taken and self._whole and "last" in payload:
                if self._reading not in (None, payload["id"]):
                    self._fail(f"{payload} within a burst of id {self._reading:#x}")
                self._reading = None if payload["last"] else payload["id"]
        payload, taken = self._request.step()
        if taken:
            self._ask(payload)
        payload, taken = self._response.step()
        if payload is not None:
            if not taken:
                self._fail("a response waits")
            self._decide(payload)
        self.faults += self._fault()

    # -- the port to the SIOMMU ----------------------------------------------------------------

    def _next_to_ask(self, write):
        """The next legal burst of a direction; illegal ones on the way are refused."""
        order = self.device.order[write]
        while self._asked[write] < len(order):
            burst = order[self._asked[write]]
            self._asked[write] += 1
            if burst.legal:
                return burst
        return self._fail("a request, and no burst")

    def refuse_illegal(self):
        """Illegal bursts need no request; tells the device that they are refused, in advance."""
        for order in self.device.order.values():
            for burst in order:
                if not burst.legal and burst.granted is None:
                    burst.granted = False
                    self.refused += 1

    def _ask(self, request):
        burst = self._next_to_ask(bool(request["write"]))
        expected = {"ft": 0, "write": int(burst.write), "device": burst.device,
                    "pasid": burst.pasid, "addr": burst.addr, "pages": 0, "tag": request["tag"]}
        if request != expected:
            self._fail(f"asks {request} for {burst}")
        if request["tag"] in self._under_way:
            self._fail(f"tag {request['tag']:#x} is under way already")
        self._under_way[request["tag"]] = burst
        burst.asked = self.cycle

    def _decide(self, response):
        burst = self._under_way.pop(response["tag"])
        burst.decided, burst.granted = self.cycle, response["cause"] == 0
        burst.page = response["addr"] >> 12
        self.refused += not burst.granted
        self.decides(burst, response["cause"], burst.page)

    # -- memory --------------------------------------------------------------------------------

    def _step_address(self, write):
        payload, taken = self._addresses[write].step()
        if payload is None:
            if write:
                self._was_offered = False
            return
        burst = next((burst for burst in self.device.order[write]
                      if burst.id == payload["id"] and burst.granted and burst.issued is None),
                     None)
        if burst is None or burst.decided >= self.cycle:
            self._fail(f"{'AW' if write else 'AR'} {payload}, which nobody granted")
        expected = {"id": burst.id, "addr": burst.physical, "len": burst.beats - 1,
                    "size": burst.size, "burst": burst.kind, **burst.attributes}
        if payload != expected:
            self._fail(f"memory is offered {payload} for {burst}")
        if write and not self._was_offered:
            self._was_offered = True
            self._offered += 1
            self._beats.extend((data, strobes, index == burst.beats - 1)
                               for index, (data, strobes) in enumerate(burst.data))
        if taken:
            burst.issued = self.cycle
            if write:
                self._was_offered = False
                self.wrote.append(burst)

    def _step_data(self):
        payload, taken = self._data.step()
        if payload is None:
            return
        if not self._beats:
            self._fail(f"data {payload} before their address, or of a refused burst")
        if (payload["data"], payload["strb"], payload["last"]) != self._beats[0]:
            self._fail(f"data {payload} in place of {self._beats[0]}")
        if taken:
            self._beats.popleft()

    def check_end(self):
        """Everything is answered: nothing is left over anywhere."""
        assert not self._under_way and not self._beats
        for order in self.device.order.values():
            assert all(burst.granted is not None for burst in order)
            assert all((burst.issued is not None) == burst.granted for burst in order)
        assert self.faults == self.refused, \
            f"{self.faults} cycles of `fault` for {self.refused} refused bursts"
