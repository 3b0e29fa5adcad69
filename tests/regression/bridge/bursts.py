"""Random bursts of a device, legal and not."""

from dataclasses import dataclass, field

from ..axi import FIXED, INCR, WRAP, burst_addresses

__all__ = ["ATTRIBUTES", "Burst", "RandomBursts", "is_legal", "lanes"]

PAGE = 4096
ATTRIBUTES = {"lock": 1, "cache": 4, "prot": 3, "qos": 4, "region": 4}


@dataclass(eq=False)
class Burst:
    """A burst, and what has become of it.

    Attributes
    ----------
    data : list of (int, int)
        Data and strobes of a write's beats.
    lasts : list of int
        WLAST of its beats, as the device has it.
    granted : bool or None
        None while it is not decided. ``page`` is the translated one.
    issued : int or None
        Cycle in which memory took its address.
    """

    write: bool
    id: int
    addr: int
    beats: int
    size: int
    kind: int
    device: int
    pasid: int
    attributes: dict
    data: list = field(default_factory=list)
    lasts: list = field(default_factory=list)
    legal: bool = True
    asked: int | None = None
    decided: int | None = None
    granted: bool | None = None
    page: int = 0
    issued: int | None = None
    answered: int = 0

    @property
    def physical(self):
        """The translated address."""
        return self.page << 12 | self.addr % PAGE

    def starts(self):
        """Translated addresses of its beats."""
        return burst_addresses(self.physical, self.beats, self.size, self.kind)


def is_legal(burst, width):
    """IHI 0022, A3.4.1, by the addresses of all beats."""
    step = 1 << burst.size
    if step > width // 8:
        return False
    if burst.kind == INCR:
        first = burst.addr & -step
        return first // PAGE == (first + burst.beats * step - 1) // PAGE
    if burst.kind == WRAP:
        return burst.beats in (2, 4, 8, 16) and not burst.addr % step
    return burst.kind == FIXED and burst.beats <= 16


def lanes(start, size, width):
    """Byte lanes of a beat at ``start``."""
    first = start % (width // 8)
    return range(first, (first & -(1 << size)) + (1 << size))


class RandomBursts:
    """Bursts that keep coming back to the same few places, ids and processes.

    Parameters
    ----------
    rng : random.Random
    width, id_width : int
        Of the bridge.
    places : list of (device, pasid, page)
    illegal : float
        How often a burst is not one of AXI4. A device like that may have WLAST anywhere, too.
    """

    def __init__(self, rng, width, id_width, places, illegal=.05):
        self.rng, self.width, self.places, self.illegal = rng, width, places, illegal
        count = rng.choice((1, 2, 4))
        self.ids = [rng.randrange(1 << id_width) for _ in range(count)]
        self.longest = rng.choice((1, 4, 4, 16, 256))
        self.wrong_lasts = rng.random() < .3

    def one(self, write):
        """A burst, with data if it writes."""
        rng = self.rng
        device, pasid, page = rng.choice(self.places)
        top = (self.width // 8).bit_length() - 1
        burst = Burst(write, rng.choice(self.ids), page << 12, 1,
                      rng.choice((top, top, rng.randint(0, top))), INCR, device, pasid,
                      {name: rng.getrandbits(bits) for name, bits in ATTRIBUTES.items()})
        (self._break if rng.random() < self.illegal else self._shape)(burst)
        burst.legal = is_legal(burst, self.width)
        if write:
            burst.data = [self._beat(start, burst) for start in burst_addresses(
                burst.addr, burst.beats, burst.size, burst.kind)]
            burst.lasts = [rng.randrange(2) if self.wrong_lasts else int(beat == burst.beats - 1)
                           for beat in range(burst.beats)]
        return burst

    def _shape(self, burst):
        rng, step = self.rng, 1 << burst.size
        kind = rng.choice((INCR, INCR, INCR, WRAP, FIXED))
        offset = rng.choice((rng.randrange(PAGE), rng.randrange(PAGE // step) * step,
                             PAGE - step * rng.randint(1, 4) if step < 1024 else 0))
        most = rng.randint(1, self.longest)
        if kind == WRAP:
            burst.beats, offset = rng.choice((2, 4, 8, 16)), offset & -step
        elif kind == FIXED:
            burst.beats = min(most, 16)
        else:
            burst.beats = min(most, (PAGE - (offset & -step)) // step)
        burst.kind, burst.addr = kind, burst.addr | offset

    def _break(self, burst):
        """Most of these are illegal; some happen not to be."""
        rng, step = self.rng, 1 << burst.size
        if rng.random() < .5:           # a beat too many for its page, or just as many as fit
            burst.beats = rng.randint(2, min(256, PAGE // step))
            burst.addr |= PAGE - step * (burst.beats - rng.choice((1, 1, 0)))
            return
        burst.kind = rng.choice((FIXED, INCR, INCR, WRAP, 3))
        burst.size = rng.choice((burst.size, burst.size, 7))
        burst.beats = rng.choice((1, 3, 16, 17, 256))
        burst.addr |= PAGE - rng.choice((1, 8, 64))

    def _beat(self, start, burst):
        rng, strobes = self.rng, 0
        for lane in lanes(start, burst.size, self.width) if burst.legal and burst.size < 7 else ():
            strobes |= 1 << lane
        strobes &= (1 << self.width // 8) - 1
        if rng.random() < .3:
            strobes &= rng.getrandbits(self.width // 8)
        return rng.getrandbits(self.width), strobes
