"""The parts of the fault queue: what each of them relies on is told of when it does not hold."""

import pytest

from siommu.arch.config import Config
from siommu.control.fault_ring import RecordResponses
from siommu.control.fault_wait import WaitingFaults
from siommu.control.record_writer import RecordWriter

from ...support.simulate import simulate

CONFIG = Config(device_ports=1, cpu_port=False, port_depth=4)


def test_waiting_faults_have_room():
    """The contract: more faults than the ports may have requests outstanding are told of."""
    dut = WaitingFaults(CONFIG)

    async def bench(ctx):
        ctx.set(dut.fault.valid, 1)
        for _ in range(8):
            await ctx.tick()

    with pytest.raises(AssertionError, match="room to wait"):
        simulate(dut, bench)


def test_waiting_faults_come_in_order():
    """Three cycles behind its arrival a fault may be decided about; what is taken is gone."""
    dut = WaitingFaults(CONFIG)

    async def bench(ctx):
        for tag in range(3):
            ctx.set(dut.fault.valid, 1)
            ctx.set(dut.fault.payload, {"tag": tag, "port": tag, "quiet": tag & 1})
            assert not ctx.get(dut.ready)
            await ctx.tick()
        ctx.set(dut.fault.valid, 0)
        for tag in range(3):
            while not ctx.get(dut.ready):
                await ctx.tick()
            oldest = ctx.get(dut.oldest)
            assert (oldest.tag, oldest.port, oldest.quiet) == (tag, tag, tag & 1)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            assert not ctx.get(dut.ready)

    simulate(dut, bench, cycles=100)


def test_one_record_is_written_at_a_time():
    """The contract: a record that begins while another one is on the bus is told of."""
    dut = RecordWriter(CONFIG)

    async def bench(ctx):
        ctx.set(dut.begins, 1)
        for _ in range(2):
            await ctx.tick()

    with pytest.raises(AssertionError, match="one record is written at a time"):
        simulate(dut, bench)


def test_a_response_belongs_to_a_record():
    """The contract: a response without a record is told of."""
    dut = RecordResponses()

    async def bench(ctx):
        ctx.set(dut.b.valid, 1)
        for _ in range(2):
            await ctx.tick()

    with pytest.raises(AssertionError, match="belongs to a record"):
        simulate(dut, bench)
