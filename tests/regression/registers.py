"""Directed tests of the registers (§7): offsets, reset values, access, strobes, locking, limits,
interrupts; and of the translations that software asks for through them.

What each register has comes from its declaration, which ``tests/support/literals.py`` pins.
"""

import cocotb

from sim.model.golden import Access
from siommu.arch.formats import Cause, Mode, Opcode, Size
from siommu.arch.register_map import COUNTERS, REGISTERS, existing, register, reset_value

from .bench import CTRL, OKAY, PORT_ENABLE, SLVERR, STATUS, Testbench
from .queues import Queues, fence, offset, start
from .scene import Scene

PAGE, AREA, ALL = 4096, 1 << 39, 0xFFFF_FFFF
#: Who locks registers, by the register that turns it on.
USERS = {"MODE": "CTRL", "CQ": "CQ_CTRL", "FQ": "FQ_CTRL"}
COUNTING = {offset(f"{name.upper()}_{half}") for name in COUNTERS for half in ("LOW", "HIGH")}
LOCKED = [entry for entry in REGISTERS if entry.locked]


def stored(entry, config, value):
    """What a RW register that nobody locks holds when ``value`` was written to it; indexes apart,
    which depend on their rings."""
    go = sum(field.mask for field in entry.fields if field.access == "GO")
    value &= existing(entry, config) & ~go
    if entry.minimum is not None:
        value = max(value, entry.minimum)
    return value if entry.maximum is None else min(value, entry.maximum)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def reset_values(dut):
    """Every register reads its reset value; every other offset reads 0 with SLVERR. The same after
    everything was changed and the core was reset."""
    async with Testbench(dut) as tb:
        entries = {entry.offset: entry for entry in REGISTERS}
        for turn in range(2):
            for at in range(0, 0x1000, 4):
                value, response = await tb.regs.read(at)
                if at not in entries:
                    assert (value, response) == (0, SLVERR), f"{at:#05x} is no register"
                    continue
                assert response == OKAY, f"{at:#05x} answers {response}"
                if entries[at].name != "CYCLES_LOW":
                    assert value == reset_value(entries[at], tb.config), f"{at:#05x}: {value:#x}"
            for entry in REGISTERS:
                if entry.name not in ("CTRL", "COUNTER_CTRL"):
                    await tb.regs.write(entry.offset, 0 if entry.name == "PORT_ENABLE" else ALL)
            await tb.cycles(200)
            await tb.regs.set(offset("COUNTER_CTRL"), 1)
            await tb.regs.set(CTRL, 6)
            await tb.reset()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def writes(dut):
    """RW registers keep the bits that exist, RW1C registers stay 0; a write to a RO register or to
    none answers SLVERR and changes nothing."""
    async with Testbench(dut) as tb:
        entries = {entry.offset: entry for entry in REGISTERS}
        await tb.regs.set(offset("COUNTER_CTRL"), 1)        # so that cycles do not change
        for at in range(0, 0x1000, 4):
            entry = entries.get(at)
            before = await tb.regs.read(at)
            if entry is None or entry.access != "RW":
                for value in (ALL, 0):
                    wanted = OKAY if entry and entry.access == "RW1C" else SLVERR
                    assert await tb.regs.write(at, value) == wanted, f"{at:#05x}"
                    if at not in (offset("DBG_RESULT"), offset("STATUS")):
                        assert await tb.regs.read(at) == before, f"{at:#05x}"
                continue
            if entry.name in USERS.values() or entry.name in ("CQ_TAIL", "FQ_HEAD"):
                continue                # tests of their own
            for value in (ALL, 0x5555_5555, 0xAAAA_AAAA, 0):
                if entry.name in ("DBG_CTRL", "COUNTER_CTRL"):
                    value &= ~1         # GO, and the counters stay frozen
                await tb.regs.set(at, value)
                got = await tb.regs.get(at)
                assert got == stored(entry, tb.config, value), f"{entry.name}: {value:#x}, {got:#x}"
            await tb.regs.set(at, before[0])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def strobes(dut):
    """Every combination of bytes that AXI4-Lite can write."""
    async with Testbench(dut) as tb:
        for name in ("DDT_BASE_LOW", "DDT_BASE_HIGH", "DBG_ADDR_LOW", "IRQ_ENABLE"):
            bits = register(name).mask
            for first in range(4):
                for count in range(1, 5 - first):
                    for old, new in ((0, ALL), (ALL, 0), (0x1234_5678, 0x9ABC_DEF0)):
                        await tb.regs.set(offset(name), old)
                        field = new & (1 << 8 * count) - 1
                        assert await tb.regs.write(offset(name) + first, field, count) == OKAY
                        mask = (1 << 8 * count) - 1 << 8 * first
                        want = (old & ~mask | field << 8 * first) & bits
                        got = await tb.regs.get(offset(name))
                        assert got == want, f"{got:#x} instead of {want:#x}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def locked_while_on(dut):
    """BASE and LOG2 registers refuse writes while their user is on, and keep their values; those
    of other users stay open."""
    async with Testbench(dut) as tb:
        for entry in LOCKED:
            await tb.regs.set(entry.offset, 0x1234_5007)
        for user, switch in USERS.items():
            for value in range(4) if user == "MODE" else (1, 0, 1, 0):
                await tb.regs.set(offset(switch), value)
                assert await tb.regs.get(offset(switch)) == value
                on = value in (1, 2) if user == "MODE" else value
                for entry in LOCKED:
                    before = await tb.regs.get(entry.offset)
                    closed = on and entry.locked == user
                    for pattern in (0, ALL, before):
                        response = await tb.regs.write(entry.offset, pattern)
                        assert response == (SLVERR if closed else OKAY), (entry.name, value)
                        assert await tb.regs.get(entry.offset) == (
                            before if closed else stored(entry, tb.config, pattern)), entry.name
            await tb.regs.set(offset(switch), 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def limits_of_log2(dut):
    """No write makes a LOG2 register more, or less, than its ring or table may be."""
    async with Testbench(dut) as tb:
        for name, low, high in (("DDT_LOG2", 0, 16), ("CQ_LOG2", 1, 15), ("FQ_LOG2", 1, 15)):
            for value in range(32):
                await tb.regs.set(offset(name), value)
                assert await tb.regs.get(offset(name)) == min(max(value, low), high)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def indexes(dut):
    """CQ_TAIL and FQ_HEAD count modulo their rings; turning a queue on clears both its indexes."""
    async with Testbench(dut) as tb:
        for queue, index, other in (("CQ", "CQ_TAIL", "CQ_HEAD"), ("FQ", "FQ_HEAD", "FQ_TAIL")):
            for log2 in (1, 4, 8, 15):
                await tb.regs.set(offset(f"{queue}_LOG2"), log2)
                for value in (ALL, 0, 0x5A5A, 1 << log2, (1 << log2) - 1):
                    await tb.regs.set(offset(index), value)
                    assert await tb.regs.get(offset(index)) == value % (1 << log2)
                await tb.regs.set(offset(f"{queue}_CTRL"), 1)
                assert await tb.regs.get(offset(index)) == 0
                assert await tb.regs.get(offset(other)) == 0
                await tb.regs.set(offset(f"{queue}_CTRL"), 0)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def port_enables(dut):
    """PORT_ENABLE has a bit for each port; a port takes requests while its bit is set."""
    async with Testbench(dut) as tb:
        await tb.regs.set(CTRL, 2)
        tb.golden.mode = Mode.BYPASS
        everyone = (1 << len(tb.drivers)) - 1
        assert await tb.regs.get(PORT_ENABLE) == everyone
        for value in (*(1 << bit for bit in range(16)), 0, everyone, ALL):
            await tb.regs.set(PORT_ENABLE, value)
            assert await tb.regs.get(PORT_ENABLE) == value & everyone
            for number, port in enumerate(tb.drivers):
                ready = int(getattr(dut, f"{port.name}_req_ready").value)
                assert ready == value >> number & 1, f"{port.name}, PORT_ENABLE = {value:#x}"
        for port in tb.drivers:
            assert (await port.request(Access(0, 1, 3, 4, 0xABCDE, 7))).beats[0].cause == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def mode_field(dut):
    """MODE and CHECK_AD read back; 3 acts as ABORT."""
    async with Testbench(dut) as tb:
        access = Access(0, 1, 3, 4, 0xABCDE, 7)
        for value in (*range(8), *range(7, -1, -1)):
            await tb.regs.set(CTRL, value)
            assert await tb.regs.get(CTRL) == value
            tb.golden.mode, tb.golden.check_ad = value & 3, value >> 2
            tb.forget()
            done = await tb.port(value).request(access)
            cause = {1: Cause.DEVICE_INVALID, 2: Cause.OK}.get(value & 3, Cause.CORE_OFF)
            assert done.beats[0].cause == cause.value


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def under_pressure(dut):
    """Reads and writes at once, with every handshake of the master stalling at random."""
    async with Testbench(dut) as tb:
        rng = tb.rng
        tb.regs.stall(rng)
        await tb.regs.set(offset("DDT_BASE_LOW"), 0)

        async def reads():
            cycles = 0
            for _ in range(150):
                assert await tb.regs.get(offset("ID")) == 0x5349_4F4D
                _, response = await tb.regs.read(0xFFC)
                assert response == SLVERR
                now = await tb.regs.get(offset("CYCLES_LOW"))
                assert now > cycles
                cycles = now
        task = cocotb.start_soon(reads())
        for _ in range(150):
            value = rng.getrandbits(32)
            await tb.regs.set(offset("DDT_BASE_LOW"), value)
            assert await tb.regs.write(offset("ID"), value) == SLVERR
            assert await tb.regs.get(offset("DDT_BASE_LOW")) == value & 0xFFFF_F000
        await task


# -- interrupts --------------------------------------------------------------------------------

@cocotb.test(timeout_time=5, timeout_unit="ms")
async def interrupts_are_quiet(dut):
    """Nothing raises an interrupt that has nothing to tell, whatever is enabled."""
    async with Testbench(dut) as tb:
        await tb.enable(0, 0, Mode.TRANSLATE)
        await tb.regs.set(offset("IRQ_ENABLE"), ALL)
        await tb.port(0).request(Access(0, 0, 1, 0, 0, 0))
        await tb.cycles(20)
        for name in ("irq_command", "irq_fault", "irq_counter"):
            assert int(getattr(dut, name).value) == 0


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def interrupts(dut):
    """Each status bit raises its interrupt while its own bit of IRQ_ENABLE is set, and no other
    interrupt; clearing it ends that."""
    async with Testbench(dut) as tb:
        tb.name = "interrupts"
        scene = Scene(tb)
        queues = Queues(tb, fq_log2=1)
        space = scene.space()
        await scene.enable()
        nowhere = (1 << 52) - PAGE
        tb.memory.poison(nowhere, PAGE)

        async def faults(n=1):
            for _ in range(n):
                await tb.drivers[0].request(space.access(1, 0, AREA))

        async def command(*word):
            queues.put(word)
            await queues.ring()

        async def illegal():
            await command(int(Opcode.PREFETCH.value) + 1, 0)

        async def unstorable():
            await command(*fence(nowhere))

        async def raised():
            await command(*fence(signal=1))

        async def overflow():
            await faults(2)

        async def limited():
            await tb.regs.set(offset("FQ_QUOTA"), 1)
            await tb.regs.set(offset("FQ_HEAD"), 0)
            await faults(2)
            await tb.regs.set(offset("FQ_QUOTA"), 0)

        sources = {"CQ_ILLEGAL": illegal, "CQ_ERROR": unstorable, "CQ_FENCE": raised,
                   "FQ_RECORD": faults, "FQ_OVERFLOW": overflow, "FQ_LIMITED": limited,
                   "FQ_ERROR": faults}
        for name, provoke in sources.items():
            queue = name[:2]
            field = register("IRQ_ENABLE").field(name)
            status = register(f"{queue}_STATUS")
            bit = status.field(name).mask
            await queues.start()
            if name == "FQ_ERROR":
                await tb.regs.set(offset("FQ_CTRL"), 0)
                await tb.regs.set(offset("FQ_BASE_LOW"), nowhere & ALL)
                await tb.regs.set(offset("FQ_BASE_HIGH"), nowhere >> 32)
                await tb.regs.set(offset("FQ_CTRL"), 1)
            await provoke()
            await tb.cycles(400)
            found = await tb.regs.get(status.offset)
            assert found & bit, f"{name} is not provoked: {found:#x}"

            async def lines():
                await tb.cycles(3)
                return tuple(int(getattr(dut, irq).value)
                             for irq in ("irq_command", "irq_fault", "irq_counter"))

            for enabled in range(9):
                await tb.regs.set(offset("IRQ_ENABLE"), 1 << enabled)
                low = register("IRQ_ENABLE").field(
                    "CQ_ILLEGAL" if queue == "CQ" else "FQ_OVERFLOW").low
                expected = enabled >= low and found >> enabled - low & 1 and (
                    enabled < 3 if queue == "CQ" else 4 <= enabled < 8)
                wanted = (int(bool(expected)), 0, 0) if queue == "CQ" else (0, int(bool(expected)),
                                                                          0)
                assert await lines() == wanted, (name, enabled)
            await tb.regs.set(offset("IRQ_ENABLE"), field.mask)
            assert sum(await lines()) == 1
            for switch in ("CQ_CTRL", "FQ_CTRL"):
                await tb.regs.set(offset(switch), 0)
            while await tb.regs.get(STATUS):
                pass
            await tb.regs.set(status.offset, ALL & ~bit)
            assert await tb.regs.get(status.offset) == bit
            assert sum(await lines()) == 1
            await tb.regs.set(status.offset, bit)
            assert sum(await lines()) == 0
            for other in ("CQ_STATUS", "FQ_STATUS"):
                await tb.regs.set(offset(other), ALL)
        tb.log(f"{len(sources)} status bits")


# -- translations for software -----------------------------------------------------------------

async def debug(tb, access):
    """A debug translation: fields of DBG_RESULT, and DBG_PHYS."""
    regs = tb.regs
    for name, value in (("DBG_ADDR_LOW", access.addr & ALL), ("DBG_ADDR_HIGH", access.addr >> 32),
                        ("DBG_SOURCE", access.device), ("DBG_PASID", access.pasid)):
        await regs.set(offset(name), value)
    choice = access.write << 1 | access.ft << 2
    await regs.set(offset("DBG_CTRL"), 1 | choice)
    for _ in range(2000):
        now = await regs.get(offset("DBG_CTRL"))
        assert now & ~1 == choice
        if not now & 1:
            break
    else:
        raise AssertionError("it stays busy")
    result = await regs.get(offset("DBG_RESULT"))
    phys = await regs.get(offset("DBG_PHYS_LOW")) | await regs.get(offset("DBG_PHYS_HIGH")) << 32
    found = {field.name.lower(): (result & field.mask) >> field.low
             for field in register("DBG_RESULT").fields}
    return {**found, "phys": phys}


async def debugs(tb, *accesses):
    """Debug translations that must be what the golden model says; returns their results."""
    found = []
    for access in accesses:
        (answer,) = tb.golden.translate(access)
        granted = answer.cause is Cause.OK
        result = await debug(tb, access)
        assert result == {
            "cause": answer.cause.value, "disposition": answer.disposition.value,
            "read": int(granted and answer.read), "write": int(granted and answer.write),
            "size": answer.size.value if granted else 0,
            "phys": answer.addr if granted else 0}, f"{access}: {result}, {answer}"
        found.append(result)
    return found


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def debug_grants(dut):
    """Grants of every size, for reads and writes, memory and blocks; untranslated ones."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "debug_grants")
        space = scene.space()
        places = {Size.PAGE_4K: AREA, Size.PAGE_2M: 2 * AREA, Size.PAGE_1G: 3 * AREA}
        for ft in (0, 1):
            for size, addr in places.items():
                space.map(ft, addr, size=size)
            space.map(ft, AREA + (1 << 30), write=False)
        sizes = set()
        for ft in (0, 1):
            for write in (0, 1):
                for addr in places.values():
                    (result,) = await debugs(tb, space.access(ft, write, addr + 0xABC))
                    assert not result["cause"]
                    sizes.add(result["size"])
            (result,) = await debugs(tb, space.access(ft, 0, AREA + (1 << 30)))
            assert (result["read"], result["write"]) == (1, 0)
        assert sizes == {0, 1, 2}
        for ft, addr in enumerate((0xFEDC_BA98_7654_3210, 0x123_4567_89AB_CDEF)):
            bypassed = scene.space(device=6 + ft)
            scene.directory.set(6 + ft, devid=bypassed.devid, pasids=bypassed.pasids,
                                mem_bypass=not ft, sto_bypass=bool(ft))
            (result,) = await debugs(tb, bypassed.access(ft, 1, addr))
            assert (result["size"], result["phys"]) == (3, addr)
        await tb.set_mode(Mode.ABORT)
        (result,) = await debugs(tb, space.access(1, 0, AREA))
        assert result["cause"] == Cause.CORE_OFF.value
        await tb.set_mode(Mode.BYPASS)
        (result,) = await debugs(tb, space.access(1, 1, 0xFEDC_BA98_7654_3210, device=0xFFFF))
        assert (result["size"], result["phys"]) == (3, 0xFEDC_BA98_7654_3210)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def debug_faults(dut):
    """Faults tell cause and disposition; they leave no record, and debug translations are counted
    neither as requests nor as faults."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "debug_faults")
        space = scene.space()
        space.map(1, AREA, write=False)
        space.map(0, AREA + PAGE, user=False)
        space.map(1, AREA + 2 * PAGE, read=False)
        space.map(1, AREA + 3 * PAGE, devid=space.devid ^ 1)
        results = await debugs(
            tb, space.access(1, 1, AREA), space.access(0, 0, AREA + PAGE),
            space.access(1, 0, AREA + 2 * PAGE), space.access(1, 0, AREA + 3 * PAGE),
            space.access(1, 0, 2 * AREA), space.access(0, 0, 1 << 60),
            space.access(0, 0, AREA, device=200), space.access(0, 0, AREA, device=0xFFFF),
            space.access(1, 1, AREA, pasid=0xF_FFFF))
        causes = [Cause(result["cause"]) for result in results]
        assert causes[0] is Cause.WRITE_DENIED and results[0]["disposition"]
        assert set(causes) == {
            Cause.WRITE_DENIED, Cause.SUPERVISOR, Cause.READ_DENIED, Cause.DEVICE_MISMATCH,
            Cause.NOT_PRESENT, Cause.NON_CANONICAL, Cause.DEVICE_INVALID, Cause.PASID_INVALID}
        await tb.cycles(300)
        assert not await queues.take()
        assert await tb.regs.get(offset("FQ_STATUS")) == 0
        for name in ("requests", "pages", "faults", "faults_lost", "l1_hits"):
            assert await queues.counter(name) == 0, name
        await tb.drivers[0].request(space.access(1, 1, AREA))
        await tb.cycles(300)
        (record,) = await queues.take()
        assert record["port"] == 0


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def debug_uses_the_caches(dut):
    """A second one reads no table, nor does a device's request after it, nor one after a
    device's."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "debug_uses_the_caches")
        space = scene.space()
        space.map(1, AREA)
        space.map(1, 2 * AREA)
        await debugs(tb, space.access(1, 0, AREA))
        await tb.cycles(100)
        before = tb.axi.reads
        await debugs(tb, space.access(1, 0, AREA))
        await tb.drivers[0].request(space.access(1, 0, AREA))
        assert tb.axi.reads == before
        await tb.drivers[0].request(space.access(1, 0, 2 * AREA))
        await tb.cycles(100)
        before = tb.axi.reads
        await debugs(tb, space.access(1, 0, 2 * AREA))
        assert tb.axi.reads == before


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def debug_joins_a_walk(dut):
    """A debug translation of a page for which a port's walk is under way waits for that walk."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "debug_joins_a_walk")
        space = scene.space()
        space.map(1, AREA)
        tb.axi.hold = lambda addr: True
        tb.drivers[0].send(space.access(1, 0, AREA))
        await tb.cycles(50)
        asked = cocotb.start_soon(debugs(tb, space.access(1, 0, AREA)))
        await tb.cycles(300)
        tb.axi.hold = None
        await asked
        await tb.drain()
        assert await queues.counter("walks") == 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def debug_while_busy(dut):
    """GO reads 1 until the answer is there; asking once more meanwhile asks for nothing. Under
    traffic, and with every port disabled, it is answered all the same."""
    async with Testbench(dut) as tb:
        scene, queues = await start(tb, "debug_while_busy")
        space = scene.space()
        space.map(1, AREA, 64)
        tb.axi.latency = (400, 400)
        regs = tb.regs
        for name, value in (("DBG_ADDR_LOW", AREA & ALL), ("DBG_ADDR_HIGH", AREA >> 32),
                            ("DBG_SOURCE", space.device), ("DBG_PASID", space.pasid)):
            await regs.set(offset(name), value)
        await regs.set(offset("DBG_CTRL"), 5)
        for _ in range(20):
            assert await regs.get(offset("DBG_CTRL")) == 5
            assert await regs.get(STATUS) & 1, "a request is in flight"
            await regs.set(offset("DBG_CTRL"), 5)
        while await regs.get(offset("DBG_CTRL")) & 1:
            pass
        assert await regs.get(offset("DBG_RESULT")) & 0xFF == 0
        assert await queues.counter("walks") == 1
        await tb.cycles(1000)
        assert await regs.get(STATUS) == 0
        tb.axi.latency = (1, 20)
        for page in range(200):
            tb.port(page).send(space.access(1, 0, AREA + PAGE * (page % 64)))
        for page in range(8):
            await debugs(tb, space.access(1, 1, AREA + PAGE * 8 * page))
        await tb.drain()
        await tb.regs.set(PORT_ENABLE, 0)
        await debugs(tb, space.access(1, 1, AREA), space.access(1, 1, 2 * AREA))
