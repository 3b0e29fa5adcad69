"""Directed tests: runs, sizes, boundaries and multi-page requests (§2.1, §3.3, §4)."""

import cocotb

from siommu.arch.formats import Cause, Mode, Size

from .bench import Testbench
from .scene import Scene

PAGE, LARGE, HUGE = 4096, 1 << 21, 1 << 30
TOP = 1 << 64
SIZES = (Size.PAGE_4K, Size.PAGE_2M, Size.PAGE_1G)


async def ask(tb, *accesses):
    """Sends all accesses twice, to every port in turn (cold, then warm); returns the last beats."""
    done = []
    for _ in range(2):
        sent = [tb.port(index).send(access) for index, access in enumerate(accesses)]
        done = [(await transaction.wait()).beats for transaction in sent]
    return done


def pages_of(beats):
    return [beat.pages + 1 for beat in beats]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], levels=[4, 5])
async def sizes_and_offsets(dut, ft, levels):
    """First, last and middle byte of leaves of every size; bit 12 of a large leaf is ignored."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(levels=levels)
        base = 0x0123_4000_0000 if levels == 4 else 0x00AB_CDEF << 30
        for index, size in enumerate(SIZES):
            addr = base + index * 4 * HUGE
            space.map(ft, addr, size=size)
            space.map(ft, addr + HUGE * 2, size=size)
            if index:
                space.edit(ft, addr + HUGE * 2, size.value + 1,
                           pfn=(scene.fresh(1, size) >> 12) | 1)
        await scene.enable()
        for index, size in enumerate(SIZES):
            step = PAGE << 9 * index
            for start in (base + index * 4 * HUGE, base + index * 4 * HUGE + 2 * HUGE):
                offsets = {0, 1, step - 1, step // 2 + 0x7F7, step - PAGE, 0xFFF & step - 1}
                for offset in offsets:
                    for write in (0, 1):
                        (beats,) = await ask(tb, space.access(ft, write, start + offset))
                        assert beats[0].cause == Cause.OK.value
                        assert beats[0].size == size.value
                        assert beats[0].addr % step == offset


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(levels=[4, 5])
async def canonical_boundaries(dut, levels):
    """The last page below and the first above the canonical hole, and runs into it."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space(levels=levels)
        half = 1 << 9 * levels + 11
        for ft in (0, 1):
            space.map(ft, half - 4 * PAGE, 4)
            space.map(ft, TOP - half, 4)
        await scene.enable()
        for ft in (0, 1):
            beats, into, above, inside = await ask(
                tb, space.access(ft, 0, half - 4 * PAGE + 5, 4),
                space.access(ft, 0, half - 2 * PAGE + 5, 8),
                space.access(ft, 0, TOP - half, 4), space.access(ft, 0, half))
            assert beats[-1].cause == above[-1].cause == 0
            assert inside[0].cause == Cause.NON_CANONICAL.value and inside[0].addr == half
            assert into[-1].cause == Cause.NON_CANONICAL.value and into[-1].addr == half
            # The same low bits at the wrong depth: no alias may be granted.
            for bit in range(9 * levels + 12, 64):
                await ask(tb, space.access(ft, 0, half - 4 * PAGE ^ 1 << bit),
                          space.access(ft, 1, TOP - half ^ 1 << bit))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def wraps_at_the_top(dut, ft):
    """Page k is the page of addr + 4096 k (mod 2^64): from the last page to page 0."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        paddr = space.map(ft, TOP - 3 * PAGE, 3)
        space.map(ft, 0, 2, paddr=paddr + 3 * PAGE)
        await scene.enable()
        beats, single, bypassed = await ask(
            tb, space.access(ft, 0, TOP - 2 * PAGE + 0x10, 4), space.access(ft, 0, TOP - 1),
            space.access(ft, 0, TOP - PAGE, 4))
        assert beats[-1].cause == 0 and sum(pages_of(beats)) == 4
        assert single[0].cause == 0
        assert bypassed[-1].cause == Cause.NOT_PRESENT.value and bypassed[-1].addr == 2 * PAGE
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.BYPASS)
        (beats,) = await ask(tb, space.access(ft, 1, TOP - 2 * PAGE + 9, 256))
        assert sum(pages_of(beats)) == 256


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1], size=[0, 1, 2])
async def leaf_boundaries(dut, ft, size):
    """Requests of 1 to 256 pages across the border of two leaves, contiguous or not."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        size = Size(size)
        step = PAGE << 9 * size.value
        apart, joined = 0x0010_4000_0000, 0x0030_4000_0000
        for index in range(2):
            space.map(ft, apart + index * step, size=size)
        space.map(ft, joined, 2, size=size)
        await scene.enable()
        for base in (apart, joined):
            border = base + step
            for pages in (1, 2, 3, 16, 17, 255, 256):
                for before in {0, 1, pages // 2, pages - 1, pages}:
                    if before * PAGE > step or (pages - before) * PAGE > step:
                        continue
                    await ask(tb, space.access(ft, 0, border - before * PAGE + 0x44, pages))


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def long_requests(dut, ft):
    """256 pages: of one leaf, of contiguous and of scattered 4 KiB pages, of mixed sizes."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        base = 0x0010_4000_0000
        space.map(ft, base, size=Size.PAGE_2M)
        space.map(ft, base + LARGE, 256)
        for index in range(256):
            space.map(ft, base + 2 * LARGE + index * PAGE)
        # 4 KiB pages, a 2 MiB leaf in their midst, physically contiguous all along.
        paddr = scene.fresh(3, Size.PAGE_2M)
        start = base + 5 * LARGE
        space.map(ft, start - 40 * PAGE, 40, paddr=paddr + LARGE - 40 * PAGE)
        space.map(ft, start, size=Size.PAGE_2M, paddr=paddr + LARGE)
        space.map(ft, start + LARGE, 40, paddr=paddr + 2 * LARGE)
        await scene.enable()
        (beats,) = await ask(tb, space.access(ft, 0, base + 0x1230, 256))
        assert pages_of(beats) == [256]
        (beats,) = await ask(tb, space.access(ft, 1, base + LARGE, 256))
        (scattered,) = await ask(tb, space.access(ft, 1, base + 2 * LARGE + 0xFFF, 256))
        assert pages_of(scattered) == [1] * 256
        await ask(tb, space.access(ft, 0, start - 30 * PAGE, 256))
        await ask(tb, space.access(ft, 0, start + LARGE - 226 * PAGE, 256))
        # All ports at once, several requests each.
        for port in tb.drivers:
            for index in range(6):
                port.send(space.access(ft, 0, base + index * 77 * PAGE, 256))
        await tb.drain()


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def permissions_split_runs(dut, ft):
    """Contiguous pages of different rights are different runs; the first fault ends the request."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        base, count = 0x0010_4000_0000, 24
        paddr = scene.fresh(count)
        for index in range(count):
            space.map(ft, base + index * PAGE, paddr=paddr + index * PAGE,
                      write=index % 3 != 1, read=index % 5 != 4)
        # Rights above the leaf count as well: another 2 MiB whose level-2 entry denies writing.
        space.map(ft, base + LARGE, 8, paddr=paddr + 64 * PAGE)
        space.edit(ft, base + LARGE, 2, w=0)
        # Holes of every disposition.
        for code in range(4):
            space.tables[ft].memory.write_u64(
                space.tables[ft].entry_address(base + (count + 1 + 2 * code) * PAGE), code << 1)
            space.map(ft, base + (count + 2 * code) * PAGE)
        await scene.enable()
        for write in (0, 1):
            for first in range(count + 8):
                for pages in (1, 2, 3, 6, 24, 200):
                    tb.port(first).send(space.access(ft, write, base + first * PAGE + 0x321, pages))
            await tb.drain()
        (beats,) = await ask(tb, space.access(ft, 0, base + LARGE, 8))
        assert all((beat.read, beat.write) == (1, 0) for beat in beats)
        (beats,) = await ask(tb, space.access(ft, 1, base + LARGE, 8))
        assert beats[0].cause == Cause.WRITE_DENIED.value


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ft=[0, 1])
async def bypass(dut, ft):
    """A device's bypass of one FT: untranslated, one run, not for the other FT; MODE = BYPASS."""
    async with Testbench(dut) as tb:
        scene = Scene(tb)
        space = scene.space()
        space.map(1 - ft, 0x5000)
        scene.directory.set(space.device, devid=space.devid, pasids=space.pasids,
                            mem_bypass=not ft, sto_bypass=bool(ft))
        await scene.enable()
        requests = [space.access(ft, 1, 0xFEDC_BA98_7654_3210, 256, pasid=0xF_FFFF),
                    space.access(ft, 0, 0x0001_2345_6789, 3),
                    space.access(ft, 1, 0x8000_0000_0000_0000),
                    space.access(1 - ft, 0, 0x5005), space.access(1 - ft, 0, 0xFEDC_BA98_7654_3210)]
        beats = await ask(tb, *requests)
        assert beats[0][0].addr == 0xFEDC_BA98_7654_3210 and pages_of(beats[0]) == [256]
        assert (beats[0][0].size, beats[0][0].read, beats[0][0].write) == (3, 1, 1)
        assert beats[3][0].size == 0 and beats[4][0].cause == Cause.NON_CANONICAL.value
        # Bypass beside FT_DISABLED: the enable bit is looked at first.
        await tb.invalidate()
        scene.directory.set(space.device, pasids=space.pasids, mem=bool(ft), sto=not ft,
                            mem_bypass=True, sto_bypass=True)
        tb.forget()
        (beats,) = await ask(tb, requests[0])
        assert beats[0].cause == Cause.FT_DISABLED.value
        before = tb.axi.reads
        await tb.set_mode(Mode.ABORT)
        await tb.set_mode(Mode.BYPASS)
        await ask(tb, *requests, space.access(ft, 1, 0, 256, device=0xFFFF))
        assert tb.axi.reads == before, "a bypassed request reads no table"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(levels=[4, 5])
async def highest_numbers(dut, levels):
    """All ones wherever numbers are wide: device, PASID, DEVID, physical address, tags."""
    async with Testbench(dut) as tb:
        scene = Scene(tb, log2=16)
        space = scene.space(device=0xFFFF, pasid=0xF_FFFF, devid=0x3FF, levels=levels, pdt_levels=2)
        addr = (1 << 9 * levels + 11) - PAGE
        for ft in (0, 1):
            space.map(ft, addr, paddr=(1 << 52) - PAGE)
            space.map(ft, TOP - (1 << 9 * levels + 11), paddr=(1 << 52) - HUGE, size=Size.PAGE_1G)
        await scene.enable()
        for ft in (0, 1):
            low, high = await ask(tb, space.access(ft, 1, addr + 0xFFF),
                                  space.access(ft, 0, TOP - (1 << 9 * levels + 11) + HUGE - 1))
            assert low[0].addr == (1 << 52) - 1 and high[0].addr == (1 << 52) - 1
        tags = set()
        for index in range(600):
            tags.add((await tb.port(index).request(space.access(index & 1, 0, addr))).access.tag)
        assert len(tags) > 200, "the driver uses all tags"
