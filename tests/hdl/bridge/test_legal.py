from amaranth import Module
from amaranth.lib.wiring import Component, In, Out

from siommu.bridge.channels import Address
from siommu.bridge.legal import is_legal

from ...support.simulate import seeded, simulate
from .bench import burst, clocked

FIXED, INCR, WRAP, RESERVED = range(4)


class Judge(Component):
    def __init__(self, width):
        self._width = width
        super().__init__({"address": In(Address(4)), "legal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.legal.eq(is_legal(self.address, self._width))
        return m


def by_the_book(address, width):
    """IHI 0022, A3.4.1, with the addresses of all beats."""
    step, beats, addr = 1 << address["size"], address["len"] + 1, address["addr"]
    if step > width // 8:
        return False
    aligned = addr // step * step
    if address["burst"] == FIXED:
        return beats <= 16
    if address["burst"] == WRAP:
        return beats in (2, 4, 8, 16) and aligned == addr
    if address["burst"] == INCR:
        return {(aligned + step * beat) // 4096 for beat in range(beats)} == {addr // 4096}
    return False


def check(width, addresses):
    dut, verdicts = Judge(width), {False: 0, True: 0}

    async def testbench(ctx):
        for address in addresses:
            ctx.set(dut.address, address)
            await ctx.delay(1e-9)
            expected = by_the_book(address, width)
            assert ctx.get(dut.legal) == expected, address
            verdicts[expected] += 1
    simulate(clocked(dut), testbench)
    assert all(verdicts.values())


def test_edges_of_a_page():
    """The last burst that fits, and the one that is a beat too long, for every size."""
    addresses = []
    for size in range(8):
        step = 1 << size
        for beats in (1, 2, 16, 255, 256):
            for addr in (4096 - beats * step, 4096 - beats * step + 1, 4095, 4096, 0):
                if addr >= 0:
                    addresses += [burst(addr=0x7000 + addr, size=size, len=beats - 1, burst=kind)
                                  for kind in range(4)]
    for width in (64, 512):
        check(width, addresses)


def test_random_bursts():
    rng = seeded("test_random_bursts")
    for width in (64, 128, 256, 512):
        check(width, [burst(addr=rng.getrandbits(64) & -rng.choice((1, 4, 64)),
                            size=rng.randrange(8), burst=rng.randrange(4),
                            len=rng.choice((0, 1, 3, 7, 15, 16, 255, rng.randrange(256))))
                      for _ in range(800)])
