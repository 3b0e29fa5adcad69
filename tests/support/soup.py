"""Table soup: a memory in which every word is some table entry, made when it is first read.

Most words are well formed and lead on; some have a reserved bit, no rights, another FT, or are
noise. So random walks end at every step of §4, and nothing has to be built beforehand.
"""

from sim.memory import BusError

__all__ = ["Soup", "known_of", "reach_of"]

# Page numbers, 16 of each kind; of RISC-V tables, 16 of each level.
DDT, DIRECTORY, CONTEXT, TABLE, RISCV = 0x100, 0x200, 0x300, 0x400, 0x500


class Soup:
    """Memory of random tables.

    Parameters
    ----------
    rng : random.Random
    wrong : float
        Probability that a word is not what it should be.
    errors : float
        Probability that a word answers with a bus error.
    grain : int
        Bytes that share a bus error: those of a beat.
    riscv : float
        Probability that a context has a RISC-V table (§3.4).
    """

    ddt_base = DDT << 12

    def __init__(self, rng, *, wrong=.04, errors=.0, devid=5, grain=8, riscv=.5):
        self.rng, self.wrong, self.errors, self.devid = rng, wrong, errors, devid
        self.grain, self.riscv = grain, riscv
        self.words, self.broken = {}, {}

    def _page(self, kind):
        return (kind + self.rng.randrange(16)) << 12

    def _word(self, addr):
        rng, page = self.rng, addr >> 12
        odd = rng.random() < self.wrong
        if odd and rng.random() < .3:
            return rng.getrandbits(64)
        flip = 1 << rng.randrange(64) if odd else 0
        word = addr >> 3
        if page < DIRECTORY:
            if word & 1:
                return self.devid ^ flip
            levels = rng.randrange(3)
            enabled = rng.choice([0b11, 0b11, 0b11, 0b01, 0b10]) << 1
            bypass = rng.choice([0] * 8 + [0b01, 0b10]) << 3
            return (1 | enabled | bypass | levels << 6
                    | self._page(CONTEXT if not levels else DIRECTORY)) ^ flip
        if page < CONTEXT:
            # a lower directory when reached from an upper one: both kinds lead on to somewhere
            return (1 | self._page(rng.choice([DIRECTORY, CONTEXT]))) ^ flip
        if page < TABLE:
            if word & 3 == 0 and rng.random() < self.riscv:
                levels = rng.randint(3, 5)
                return (rng.choice([1, 1, 1, 1, 0]) | levels - 2 << 2
                        | self._page(RISCV + 16 * levels)) ^ flip
            if word & 3 < 2:
                return (rng.choice([1, 1, 1, 1, 0]) | rng.getrandbits(1) << 1
                        | self._page(TABLE)) ^ flip
            return (rng.getrandbits(4) if word & 3 == 2 else 0) ^ flip
        if page >= RISCV:
            return self._riscv_word(page - RISCV >> 4) ^ flip
        entry = 0b111 | rng.choice([0b11, 0b11, 0b01, 0b00]) << 5 | self._page(TABLE)
        entry |= rng.getrandbits(1) << 10 | rng.choice([self.devid] * 5 + [1]) << 52
        if rng.random() < .1:
            entry &= ~(1 << 1)                                  # no W
        if rng.random() < .1:
            entry |= 1 << 9                                     # NR
        if rng.random() < .03:
            entry ^= 1 << rng.randrange(3)                      # P, W or U
        if rng.random() < .15:
            entry |= 1 << 7                                     # PS
            if rng.random() < .8:
                entry &= ~0x3FFF_E000
        return entry ^ flip

    def _riscv_word(self, level):
        rng = self.rng
        if rng.random() < (.15 if level > 1 else .03):
            return rng.getrandbits(64) & ~1                     # no V
        if rng.random() < (.8 if level > 1 else .03):
            return 1 | self._page(RISCV + 16 * (level - 1)) >> 2 | rng.getrandbits(2) << 8
        rights = rng.choice([0b011, 0b011, 0b111, 0b001, 0b100, 0b101, 0b010])
        entry = 1 | rights << 1 | rng.choice([0b1101] * 5 + [0b0101, 0b1001, 0b1100]) << 4
        entry |= rng.getrandbits(3) << 8 & 0x320 | rng.choice([0] * 6 + [1, 2]) << 61
        number = rng.getrandbits(40)
        if level == 1 and rng.random() < .3:
            return entry | (number & ~15 | 8) << 10 | 1 << 63   # N
        keep = 9 * (level - 1) if rng.random() < .85 else 9 * (level - 1) - 1
        return entry | (number >> max(keep, 0) << max(keep, 0)) << 10

    def read_u64(self, addr):
        """The word at ``addr``; raises BusError where the memory answers with an error."""
        if addr not in self.words:
            self.words[addr] = self._word(addr)
        beat = addr // self.grain
        if self.broken.setdefault(beat, self.rng.random() < self.errors):
            raise BusError(addr)
        return self.words[addr]


def known_of(**fields):
    """Fields of a ``WalkStart``, from what each cache has: the innermost of it."""
    known = {}
    for name in ("region", "context", "device"):
        hit, value = fields.pop(f"{name}_hit", 0), fields.pop(name, {})
        if hit and not known:
            known = {f"{name}_hit": 1, "known": {name: value}}
    return {**fields, **known}


def reach_of(key):
    """What a walk's start says of its ``key`` (fields of a ``WalkKey``): a ``Reach``."""
    page, pasid = key.get("page", 0) % (1 << 52), key.get("pasid", 0)

    def canonical(bits):
        return int(page >> bits - 13 in (0, (1 << 52 - (bits - 13)) - 1))

    return {"canonical": canonical(48) | canonical(57) << 1 | canonical(39) << 2,
            "beyond_7": int(pasid >= 1 << 7), "beyond_16": int(pasid >= 1 << 16)}
