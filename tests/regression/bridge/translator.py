"""A mock of a device port of the SIOMMU (§2.1): late, in any order, and of changing mind."""

from siommu.arch.formats import Cause

from ..wires import bit, reader, writer

__all__ = ["Translator"]

REQUEST = ("write", "addr", "tag")
RESPONSE = ("tag", "last", "cause", "disposition", "addr", "pages", "read", "write", "size")


class Translator:
    """Answers requests for pages at random.

    Parameters
    ----------
    dut
    rng : random.Random
    pools : dict of bool to list of int
        Physical pages that reads, and writes, are sent to. The same page may get another one at
        any time, as if tables had changed.

    Attributes
    ----------
    latency : (int, int)
        Cycles from a request to its answer, at least and at most.
    refuse_rate, ready_rate : float
        How often it refuses; how often it takes a request.
    """

    def __init__(self, dut, rng, pools):
        self.rng, self.pools = rng, pools
        self.latency, self.refuse_rate, self.ready_rate = (5, 5), .3, 1.0
        self._request = {name: reader(getattr(dut, f"mmu_req_{name}")) for name in REQUEST}
        self._asks, self._takes = bit(dut.mmu_req_valid), bit(dut.mmu_rsp_ready)
        self._drive = {name: writer(getattr(dut, f"mmu_rsp_{name}")) for name in
                       (*RESPONSE, "valid")}
        self._drive_ready = writer(dut.mmu_req_ready)
        self.reset()

    def weather(self):
        """Chooses latencies, and how often it refuses."""
        rng = self.rng
        low = rng.choice((1, 5, 5, 60))
        self.latency = low, low + rng.choice((0, 0, 10, 200))
        self.refuse_rate = rng.choice((0, .1, .5, .5, .9, 1))
        self.ready_rate = rng.choice((1, 1, .5, .1))

    def reset(self):
        """Forgets all requests."""
        self._cycle, self._ready, self._waiting = 0, False, []
        self._drive_ready(0)
        for drive in self._drive.values():
            drive(0)

    def step(self):
        """One clock cycle."""
        self._cycle += 1
        if self._ready and self._asks():
            request = {name: read() for name, read in self._request.items()}
            self._waiting.append((self._cycle + self.rng.randint(*self.latency) - 1, request))
        self._ready = self.rng.random() < self.ready_rate
        self._drive_ready(int(self._ready))
        due = [one for one in self._waiting if one[0] <= self._cycle]
        self._drive["valid"](int(bool(due)))
        if due:                         # the bridge takes it at once, or the watch complains
            chosen = self.rng.choice(due)
            self._waiting.remove(chosen)
            self._answer(chosen[1])

    def _answer(self, request):
        rng = self.rng
        refused = rng.random() < self.refuse_rate
        cause = rng.choice([cause for cause in Cause if cause is not Cause.OK]).value \
            if refused else 0
        page = rng.choice(self.pools[bool(request["write"])])
        fields = {"tag": request["tag"], "last": 1, "cause": cause,
                  "disposition": rng.randrange(3) if refused else 0,
                  "addr": request["addr"] if refused else page << 12 | request["addr"] % 4096,
                  "pages": 0, "read": int(not refused), "write": int(not refused),
                  "size": 0 if refused else rng.randrange(4)}
        for name, value in fields.items():
            self._drive[name](value)
