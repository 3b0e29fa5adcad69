"""What the neighbours of a leaf grant."""

from amaranth.hdl import Const, Module, Signal

from siommu.arch.config import Config
from siommu.lib.structs import assign
from siommu.pipeline.lines import LeafPage
from siommu.walk.leaf import decode_leaf, leaf_page
from siommu.walk.state import WalkState

from ...support.simulate import seeded, simulate
from .decisions import LEAF


def neighbour(word, ft, write, no_read, devid, check_ad):
    """Whether §4 lets a read, and a write, have the 4 KiB leaf ``word``, below levels that leave
    ``write`` and ``no_read``. Step by step, with literal bits."""
    if not word & 1 or not word & 4:                    # NOT_PRESENT, SUPERVISOR
        return False, False
    if check_ad and not word >> 5 & 1:                  # ACCESS_FLAG
        return False, False
    if word >> 10 & 1 != ft:                            # FT_MISMATCH
        return False, False
    if ft and word >> 52 & 0x3FF != devid:              # DEVICE_MISMATCH
        return False, False
    return (not (ft and (no_read or word >> 9 & 1)),
            bool(write and word >> 1 & 1 and (word >> 6 & 1 or not check_ad)))


def riscv_neighbour(word, check_ad):
    """The same of a RISC-V leaf (§3.4), which is below no levels that matter."""
    v, r, w, x, u, a, d = (word >> bit & 1 for bit in (0, 1, 2, 3, 4, 6, 7))
    if not v or word >> 50 & 0x7FF or w and not r or not (r or w or x) or word >> 61 & 3 == 3:
        return False, False
    if word >> 63 and word >> 10 & 15 != 8:
        return False, False
    if not u or check_ad and not a:
        return False, False
    return bool(r), bool(w and (d or not check_ad))


def test_neighbours_of_a_riscv_leaf():
    """Each page of a NAPOT mapping its own, whatever the levels above were in another format."""
    m, rng = Module(), seeded("walk_step/riscv_neighbours")
    found, word, number, check_ad = Signal(LeafPage), Signal(64), Signal(4), Signal()
    leaf = decode_leaf(m, word, ft=0, page=number, entry_format=Const(1, 1))
    m.d.comb += assign(found, leaf_page(
        leaf, fits=leaf.is_of(ft=Const(0, 1), devid=Const(5, 10)), check_ad=check_ad,
        above=Signal(WalkState(Config()), init={"write": 1})))
    m.d.sync += Signal().eq(0)
    seen = set()

    async def bench(ctx):
        base = 0x0002_3456_789A_20D7
        words = [base, *(base ^ 1 << bit for bit in range(64)),
                 *(base ^ rng.getrandbits(64) & 0xE000_0000_0000_3CDF for _ in range(300))]
        for entry in words:
            for _ in range(4):
                page, flags = rng.getrandbits(4), rng.getrandbits(1)
                ctx.set(word, entry)
                ctx.set(number, page)
                ctx.set(check_ad, flags)
                await ctx.delay(1e-9)
                is_page = ctx.get(found)
                allowed = bool(is_page.read), bool(is_page.write and is_page.dirty)
                assert allowed == riscv_neighbour(entry, flags), hex(entry)
                if any(allowed):
                    pfn = entry >> 10 & (1 << 40) - 1
                    assert is_page.pfn == (pfn & ~15 | page if entry >> 63 else pfn)
                    assert is_page.write == entry >> 2 & 1
                seen.add((allowed, entry >> 63))
    simulate(m, bench)
    assert len(seen) == 6           # a write without a read is reserved


def test_neighbours_of_a_leaf():
    m = Module()
    page, state, word = Signal(LeafPage), Signal(WalkState(Config())), Signal(64)
    ft, check_ad = Signal(), Signal()
    leaf = decode_leaf(m, word, ft=ft, page=Const(0, 4), entry_format=state.entry_format)
    m.d.comb += assign(page, leaf_page(
        leaf, fits=leaf.is_of(ft=ft, devid=state.devid), above=state, check_ad=check_ad))
    m.d.sync += Signal().eq(0)
    rng = seeded("walk_step/neighbours")
    seen = set()

    async def bench(ctx):
        base = LEAF | 0x400
        words = [base, *(base ^ 1 << bit for bit in range(64)),
                 *(base ^ rng.getrandbits(64) & 0x0030_0000_0000_0667 for _ in range(300))]
        for entry in words:
            for _ in range(12):
                about = {"ft": rng.getrandbits(1), "write": rng.getrandbits(1),
                         "no_read": rng.getrandbits(1), "devid": rng.choice([5, 5, 5, 0x205, 4]),
                         "check_ad": rng.getrandbits(1)}
                about["no_read"] &= about["ft"]
                if not about["ft"] and rng.random() < .5:
                    entry &= ~0x400
                ctx.set(word, entry)
                ctx.set(ft, about["ft"])
                ctx.set(check_ad, about["check_ad"])
                ctx.set(state, {name: about[name] for name in ("write", "no_read", "devid")})
                await ctx.delay(1e-9)
                found = ctx.get(page)
                allowed = bool(found.read), bool(found.write and found.dirty)
                assert allowed == neighbour(entry, **about), (hex(entry), about)
                assert found.pfn == entry >> 12 & (1 << 40) - 1
                # a beat says write = W over the path; D matters to a write alone (§4, 7)
                if any(allowed):
                    assert found.write == (about["write"] & entry >> 1 & 1)
                seen.add(allowed)
    simulate(m, bench)
    assert len(seen) == 4
