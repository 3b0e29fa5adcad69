"""The driver of ``sim.host.control`` on the RTL: what it promises over the model holds here."""

import os

import cocotb

from sim.host.control import (
    Command,
    CommandQueueError,
    CqStatus,
    FaultRecord,
    FenceTimeout,
    RegisterControl,
    inval_context,
    inval_tlb,
)
from sim.model.golden import expected_record
from sim.time.cocotb_scheduler import CocotbScheduler
from siommu.arch.formats import Cause, Disposition

from ..regression.bench import Testbench
from ..regression.scene import Scene
from .platform import platform

TIME = dict(timeout_time=5, timeout_unit="ms")
VA = 0x7000_0000_0000


class Rig:
    """A core with one space: VA is mapped read-only for both kinds, the page after it absent."""

    def __init__(self, dut, tb, **options):
        self.tb = tb
        tb.name = "driver"
        tb.expect = lambda transaction: None
        self.scheduler = CocotbScheduler(dut.clk, 10, "ns")
        self.control = RegisterControl(self.scheduler, tb.memory, platform(dut, tb.regs), **options)
        self.scene = Scene(tb)
        self.space = self.scene.space()
        self.pa = [self.space.map(ft, VA, write=False) for ft in (0, 1)]
        self.space.tables[0].set_disposition(VA + 0x1000, 1, Disposition.REMAP)

    async def enable(self):
        """Turns the core on; the golden model follows."""
        directory = self.scene.directory
        await self.control.enable(directory.base, directory.log2)
        golden = self.tb.golden
        golden.mode, golden.ddt_base, golden.ddt_log2 = 1, directory.base, directory.log2

    async def cause(self, ft=0, write=0, addr=VA, port=0):
        """The cause of the last beat of a request for one page."""
        done = await self.tb.port(port).request(self.space.access(ft, write, addr))
        return Cause(done.beats[-1].cause)


@cocotb.test(**TIME)
async def fences(dut):
    """Rings wrap, many fence at once, by polling and by interrupt; what they cover is gone."""
    async with Testbench(dut) as tb:
        rig = Rig(dut, tb, command_log2=3)
        await rig.enable()
        done = []

        async def one(index):
            await rig.control.fence(*inval_tlb(pasid=index), interrupt=index % 2)
            done.append(index)
        for task in [rig.scheduler.start(one(index)) for index in range(30)]:
            await task
        assert sorted(done) == list(range(30))
        counters = await rig.control.counters()
        assert counters["fences"] == counters["invalidations"] == 30
        for ft in (0, 1):
            assert await rig.cause(ft) is Cause.OK
            rig.space.tables[ft].unmap(VA)
            assert await rig.cause(ft) is Cause.OK              # still cached
            await rig.control.fence(*inval_tlb(pasid=rig.space.pasid, ft=ft, addr=VA),
                                    interrupt=True)
            assert await rig.cause(ft) is Cause.NOT_PRESENT
        rig.space.map(0, VA)
        assert await rig.cause() is Cause.OK
        rig.space.pasids.remove(rig.space.pasid)
        await rig.control.fence(*inval_context(pasid=rig.space.pasid))
        assert await rig.cause() is Cause.PASID_INVALID


@cocotb.test(**TIME)
async def errors(dut):
    """The queue stops at an illegal command and at a failed store, and goes on."""
    async with Testbench(dut) as tb:
        rig = Rig(dut, tb)
        await rig.enable()
        for interrupt in (False, True):
            try:
                await rig.control.fence(*inval_tlb(), Command(0x7F), interrupt=interrupt)
            except CommandQueueError as error:
                assert (error.command, error.status) == (Command(0x7F), CqStatus.ILLEGAL)
            else:
                raise AssertionError("an illegal command was executed")
            await rig.control.resume()
            await rig.control.fence(interrupt=interrupt)
        tb.memory.poison(0x9000, 4)
        try:
            await rig.control.fence(Command(0x0000_0007_0000_0103, 0x9000))
        except CommandQueueError as error:
            assert error.status == CqStatus.ERROR and "FENCE store 0x7 at 0x9000" in str(error)
        else:
            raise AssertionError("a store into nothing succeeded")
        tb.memory.cure()
        await rig.control.resume(retry=True)
        await rig.control.fence()
        assert tb.memory.read(0x9000, 4) == b"\x07\0\0\0"
        assert await rig.cause() is Cause.OK
        await rig.control.empty_caches()
        assert await rig.cause() is Cause.OK


@cocotb.test(**TIME)
async def debug_and_prefetch(dut):
    """Debug translations say what the golden model says, and count as nothing."""
    async with Testbench(dut) as tb:
        rig = Rig(dut, tb)
        await rig.enable()
        space = rig.space
        for ft in (0, 1):
            for write in (0, 1):
                for addr in (VA + 0x123, VA + 0x1000, 1 << 60):
                    found = await rig.control.translate(space.device, space.pasid, addr, ft=ft,
                                                        write=write)
                    (answer,) = tb.golden.translate(space.access(ft, write, addr))
                    assert (found.cause, found.disposition) == (answer.cause, answer.disposition)
                    if answer.granted:
                        assert (found.addr, found.read, found.write, found.size) == \
                            (answer.addr, answer.read, answer.write, answer.size)
        counters = await rig.control.counters()
        assert counters["requests"] == counters["faults"] == counters["pages"] == 0
        await rig.control.prefetch(space.device, space.pasid, 1, VA, 2)
        await rig.control.fence()
        assert await rig.cause(1) is Cause.OK
        counters = await rig.control.counters()
        assert (counters["prefetches"], counters["requests"], counters["pages"]) == (1, 1, 1)
        assert await rig.control.faults.drain() == []
        await rig.control.freeze_counters()
        await rig.control.clear_counters()
        assert not any((await rig.control.counters()).values())


@cocotb.test(**TIME)
async def fault_records(dut):
    """Records are those of the golden model; a storm at one port leaves room for the other."""
    async with Testbench(dut, int(os.environ.get("SEED", "0"))) as tb:
        rig = Rig(dut, tb, fault_log2=4, quota=5)
        await rig.enable()
        space, expected = rig.space, []
        for ft, write, addr, more in ((0, 1, VA, {}), (1, 1, VA + 0xFFC, {}),
                                      (0, 0, VA + 0x1000, {}), (0, 0, 1 << 60, {}),
                                      (0, 0, VA, {"device": 9}),
                                      (1, 0, VA, {"pasid": 4}), (0, 0, VA, {"pages": 7})):
            port = len(expected) % 2
            done = await tb.port(port).request(space.access(ft, write, addr, **more))
            expected.append(expected_record(done.access, tb.golden.translate(done.access)[-1],
                                            port))
        records = []
        while len(records) < len(expected):
            records += await rig.control.faults.wait()
        assert sorted(_words(record) for record in records) == sorted(expected)
        assert all(0 < record.cycles <= tb.cycle for record in records)
        transactions = [tb.port(0).send(space.access(0, 1, VA)) for _ in range(40)]
        for transaction in transactions:
            await transaction.wait()
        assert await rig.cause(port=1, write=1) is Cause.WRITE_DENIED
        await tb.cycles(200)
        records = await rig.control.faults.drain()
        assert [record.port for record in records].count(0) == 5 and \
            [record.port for record in records].count(1) == 1
        assert rig.control.faults.limits == 1
        counters = await rig.control.counters()
        assert (counters["faults"], counters["faults_lost"]) == (len(expected) + 41, 35)
        # Fault, record, interrupt, mapping, and the same request again.
        assert await rig.cause(addr=VA + 0x1000) is Cause.NOT_PRESENT
        (record,) = await rig.control.faults.wait()
        assert record.disposition is Disposition.REMAP and record.addr == VA + 0x1000
        space.map(0, record.addr)
        assert await rig.cause(addr=VA + 0x1000) is Cause.OK


def _words(record: FaultRecord):
    data = record.pack()
    return tuple(int.from_bytes(data[index:index + 8], "little") for index in (0, 8, 16))


@cocotb.test(**TIME)
async def stuck_device(dut):
    """A device takes no beats: the fence names its port, and completes once that is disabled."""
    async with Testbench(dut) as tb:
        rig = Rig(dut, tb, polls=100)
        await rig.enable()
        port = tb.port("dev1")
        port.take_rate = 0.0
        port.send(rig.space.access(0, 0, VA))
        await tb.until(lambda: port.holds_beat)
        try:
            await rig.control.fence(*inval_tlb())
        except FenceTimeout as error:
            assert error.ports == [1]
        else:
            raise AssertionError("the fence does not wait for a beat that rests on old values")
        assert await rig.cause(port="dev0") is Cause.OK         # others go on
        port.disabled = True
        await rig.control.enable_port(1, False)
        port.drop()
        await rig.control.fence()
        port.take_rate, port.disabled = 1.0, False
        await rig.control.enable_port(1)
        assert await rig.cause(port="dev1") is Cause.OK
