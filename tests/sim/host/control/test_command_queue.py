import pytest

from sim.host.control import (
    Command,
    CommandQueueError,
    CqStatus,
    FenceTimeout,
    Reg,
    inval_context,
    inval_tlb,
)

from .rig import Rig

ILLEGAL = Command(0x7F)


def test_setup():
    async def work(rig):
        base = rig.control.commands.base
        assert rig.register(Reg.CQ_BASE_LOW) == base and rig.register(Reg.CQ_LOG2) == 5
        assert rig.register(Reg.CQ_CTRL) == 1 and base % 4096 == 0
        assert rig.log.index((Reg.CQ_CTRL, 0)) < rig.log.index((Reg.CQ_BASE_LOW, base)) < \
            rig.log.index((Reg.CQ_CTRL, 1)) < rig.log.index((Reg.CTRL, 1))
    Rig(command_log2=5).run(work)


@pytest.mark.parametrize("interrupt", [False, True])
def test_fence_comes_after_everything_before_it(interrupt):
    async def work(rig):
        await rig.control.invalidate(pasid=3)
        await rig.control.fence(*inval_tlb(addr=0x5000), *inval_context(device=0x42),
                                interrupt=interrupt)
        assert rig.invalidated[1:] == [(0x0000_0003_0000_0201, 0), (0x801, 0x5000),
                                       (0x0042_0102, 0)]
        assert rig.count("invalidations") == 3 and rig.count("fences") == 1 and rig.word() == 1
        # One INVAL alone, then two and their fence in one go.
        assert rig.writes(Reg.CQ_TAIL) == [1, 4]
        assert rig.slot(3)[0] >> 8 & 3 == (3 if interrupt else 1)
        assert not rig.register(Reg.CQ_STATUS)
    Rig().run(work)


def test_many_fences_at_once_and_the_ring_wraps():
    async def work(rig):
        done = []

        async def one(index):
            await rig.control.fence(*inval_tlb(pasid=index), interrupt=index % 2)
            done.append(index)
        tasks = [rig.scheduler.start(one(index)) for index in range(100)]
        for task in tasks:
            await task
        assert sorted(done) == list(range(100))
        assert rig.count("fences") == rig.count("invalidations") == rig.word() == 100
        assert [word0 >> 32 for word0, _ in rig.invalidated[1:]] == list(range(100))
        assert rig.register(Reg.CQ_TAIL) == rig.register(Reg.CQ_HEAD) == 200 % 8
    Rig(command_log2=3).run(work)


def test_the_smallest_ring():
    async def work(rig):
        for _ in range(5):
            await rig.control.fence(*inval_tlb(), *inval_tlb(), *inval_context())
        assert rig.count("invalidations") == 15
    Rig(command_log2=1).run(work)


def test_a_full_ring_is_waited_for():
    async def work(rig):
        start = rig.scheduler.now
        for _ in range(6):
            await rig.control.invalidate()
        # Three slots can be filled; the fourth command has to wait for the first.
        assert rig.scheduler.now - start >= 100
        await rig.control.fence()
        assert rig.count("invalidations") == 6
    Rig(command_log2=2, command_cycles=100).run(work)


def test_a_full_ring_that_stays_so():
    async def work(rig):
        with pytest.raises(TimeoutError, match="full, and CQ_HEAD stays at 0 over 5 looks"):
            for _ in range(4):
                await rig.control.invalidate()
    Rig(command_log2=2, command_cycles=100_000, polls=5).run(work)


def test_the_numbers_of_fences_wrap():
    async def work(rig):
        rig.control.commands._number = (1 << 32) - 3
        rig.memory.write(rig.control.commands.word, b"\xfd\xff\xff\xff")
        for _ in range(5):
            await rig.control.fence()
        assert rig.word() == 2
    Rig().run(work)


# -- errors ------------------------------------------------------------------------------------

@pytest.mark.parametrize("interrupt", [False, True])
def test_illegal_command_and_resume(interrupt):
    async def work(rig):
        with pytest.raises(CommandQueueError, match="index 1: opcode 0x7f .* is illegal") as error:
            await rig.control.fence(*inval_tlb(), ILLEGAL, *inval_tlb(), interrupt=interrupt)
        assert (error.value.index, error.value.command, error.value.status) == \
            (1, ILLEGAL, CqStatus.ILLEGAL)
        assert rig.count("invalidations") == 1 and rig.register(Reg.CQ_HEAD) == 1
        await rig.scheduler.delay(100)
        assert rig.register(Reg.CQ_STATUS) & 1 and not rig.plane.interrupt("command")
        await rig.control.resume()
        assert rig.slot(1) == (3, 0)
        await rig.control.fence(interrupt=interrupt)
        assert rig.count("invalidations") == 2 and rig.count("fences") == 3
        assert not rig.register(Reg.CQ_STATUS) & 3
        await rig.control.resume()                      # nothing to do
    Rig().run(work)


@pytest.mark.parametrize("word0, word1, legal", [
    (0x0000_0801, 0x1000, True), (0x0000_0801, 0x1008, False),
    (0x0010_0000_0000_0801, 0x1000, False), (0x0010_0000_0000_0801, 0x2000, True),
    (0x0010_0000_0000_0001, 0x1234, True),              # not by address: not looked at
    (0x0000_0002, 0x1234, True), (0x03F0_0000_0000_0801, 0, True),
    (0x0000_0003, 0x3, True), (0x0000_0103, 0x7002, False), (0x0000_0103, 0x7004, True),
    (0x0080_0000_0000_0004, 0x10_0000, True), (0x0080_0000_0000_0004, 0x1000, False),
    (0x0090_0000_0000_0004, 0x20_0000, False), (0x0000_0004, 0x1001, False),
    (0xFC00_0000_0000_E001, 0, True),                   # ignored bits
    (0, 0, False), (5, 0, False), (0x101, 0, True)])
def test_which_commands_are_legal(word0, word1, legal):
    async def work(rig):
        if legal:
            await rig.control.fence(Command(word0, word1))
        else:
            with pytest.raises(CommandQueueError, match="is illegal"):
                await rig.control.fence(Command(word0, word1))
    Rig().run(work)


def test_a_store_error_is_tried_again():
    async def work(rig):
        rig.memory.poison(0x9000, 4)
        failing = Command(0x0000_0007_0000_0103, 0x9000)
        with pytest.raises(CommandQueueError, match="FENCE store 0x7 at 0x9000 could not be"):
            await rig.control.fence(failing)
        rig.memory.cure()
        await rig.control.resume(retry=True)
        await rig.control.fence()
        assert rig.memory.read(0x9000, 1) == b"\x07" and rig.count("fences") == 3
    Rig().run(work)


def test_a_fetch_error():
    async def work(rig):
        memory = rig.memory
        read, broken = memory.read_u64, [True]

        def read_u64(addr):
            if broken[0] and addr == rig.control.commands.base:
                memory.poison(addr, 1)
                try:
                    return read(addr)
                finally:
                    memory.cure()
            return read(addr)
        memory.read_u64 = read_u64
        with pytest.raises(CommandQueueError, match="index 0: INVAL_TLB .* could not be fetched"):
            await rig.control.fence(*inval_tlb())
        broken[0] = False
        await rig.control.resume(retry=True)
        await rig.control.fence()
        assert rig.count("invalidations") == 1
    Rig().run(work)


def test_who_waits_for_a_command_that_is_left_out_learns_it():
    """Somebody else resumes: the fence completes, but its promise does not hold."""
    async def work(rig):
        async def revoke():
            await rig.control.fence(ILLEGAL)
        task = rig.scheduler.start(revoke())
        await rig.until(lambda: rig.register(Reg.CQ_STATUS) & 1)
        await rig.control.resume()
        with pytest.raises(CommandQueueError, match="is illegal"):
            await task
    Rig(poll=50).run(work)


def test_the_full_ring_of_a_core_that_stopped():
    async def work(rig):
        with pytest.raises(CommandQueueError, match="index 0"):
            for _ in range(10):
                await rig.control.commands.submit(ILLEGAL)
        for _ in range(4):
            await rig.control.resume()
            await rig.scheduler.delay(10)
        await rig.control.fence(*inval_tlb())
    Rig(command_log2=2).run(work)


def test_a_fence_that_does_not_complete_names_the_port():
    async def work(rig):
        rig.plane._in_flight[1] = 1
        with pytest.raises(FenceTimeout, match="ports with requests in flight: 1") as error:
            await rig.control.fence()
        assert error.value.ports == [1]
    Rig(command_cycles=10_000, polls=5).run(work)


def test_without_interrupts():
    async def work(rig):
        await rig.control.fence(*inval_tlb())
        assert Reg.IRQ_ENABLE not in [offset for offset, _ in rig.log]
        with pytest.raises(ValueError, match="has no interrupts"):
            await rig.control.fence(interrupt=True)
    Rig(interrupts=False).run(work)


def test_enabling_again_begins_anew():
    async def work(rig):
        await rig.control.fence(*inval_tlb())
        base = rig.control.commands.base
        await rig.control.enable(rig.devices.base, rig.devices.log2)
        assert rig.register(Reg.CQ_HEAD) == 0 and rig.control.commands.base == base
        await rig.control.fence()
        assert rig.word() == 2
    Rig().run(work)
