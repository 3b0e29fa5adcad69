import pytest

from sim.host.control import FaultRecord, FqStatus, Reg
from sim.model.golden import Access, GoldenModel, expected_record
from siommu.arch.formats import Cause, Disposition

from .rig import VA, Rig


@pytest.mark.parametrize("record, words", [
    # Worked out by hand from §5.1.
    (FaultRecord(Cause.NOT_PRESENT, Disposition.REMAP, 1, 0, 1, 0x1234, 0xABCDE, 0xF1, 2,
                 0x7000_1234_5678, 0x1000_0008, 99),
     (0x2F1A_BCDE_1234_1607, 0x7000_1234_5678, 0x1000_0008, 99)),
    (FaultRecord(Cause.ACCESS_FLAG, Disposition.DENY, 0, 1, 7, 0xFFFF, 0, 0, 8, 1 << 63, 0,
                 1 << 40),
     (0x8000_0000_FFFF_780F, 1 << 63, 0, 1 << 40)),
])
def test_words(record, words):
    data = b"".join(word.to_bytes(8, "little") for word in words)
    assert record.pack() == data and FaultRecord.unpack(data) == record


def test_bit_15_must_be_0():
    with pytest.raises(ValueError, match="bit 15 must be 0"):
        FaultRecord.unpack(b"\x07\x80" + bytes(30))


def test_setup():
    async def work(rig):
        assert rig.register(Reg.FQ_BASE_LOW) == rig.control.faults.base
        assert (rig.register(Reg.FQ_LOG2), rig.register(Reg.FQ_QUOTA)) == (9, 12)
        assert rig.register(Reg.IRQ_ENABLE) == 0xF7
        assert len(rig.control.faults.pages) == 4 and len(rig.control.pages) == 6
        assert rig.log.index((Reg.FQ_CTRL, 1)) < rig.log.index((Reg.CTRL, 1))
    Rig(fault_log2=9, quota=12).run(work)


def test_records_of_three_ports():
    async def work(rig):
        assert (await rig.ask()).cause == 0
        assert await rig.control.faults.drain() == []
        await rig.scheduler.delay(5)
        await rig.ask(1, write=1, tag=9)
        await rig.ask(2, addr=VA + 0x1004)
        await rig.ask(0, device=0x43, ft=1)
        records = await rig.control.faults.wait()
        leaf = rig.table.entry_address(VA)
        assert records == [
            FaultRecord(Cause.WRITE_DENIED, Disposition.DENY, 1, 0, 1, 0x42, 3, 9, 1, VA, leaf, 11),
            FaultRecord(Cause.NOT_PRESENT, Disposition.DENY, 0, 0, 1, 0x42, 3, 0, 2, VA + 0x1004,
                        leaf + 8, 14),
            FaultRecord(Cause.DEVICE_INVALID, Disposition.DENY, 0, 1, 7, 0x43, 3, 0, 0, VA,
                        rig.devices.base + 0x430, 17)]
        assert not rig.plane.interrupt("fault") and rig.register(Reg.FQ_HEAD) == 3
        assert rig.count("faults") == 3 and not rig.count("faults_lost")
    Rig().run(work)


def test_the_ring_wraps_and_overflows():
    async def work(rig):
        for round_ in range(5):
            for index in range(5 if round_ == 3 else 3):
                await rig.ask(pasid=100 + index)
            records = await rig.control.faults.wait()
            assert [record.pasid for record in records] == [100, 101, 102]
        assert rig.control.faults.overflows == 1 and rig.count("faults_lost") == 2
        assert rig.count("faults") == 17 and not rig.register(Reg.FQ_STATUS)
        assert rig.register(Reg.FQ_TAIL) == rig.register(Reg.FQ_HEAD) == 15 % 4
    Rig(fault_log2=2).run(work)


def test_the_quota_leaves_room_for_the_others():
    async def work(rig):
        for _ in range(20):
            await rig.ask(0, pasid=100)
        await rig.ask(1, pasid=200)
        assert rig.register(Reg.FQ_STATUS) == FqStatus.LIMITED | FqStatus.RECORD
        records = await rig.control.faults.wait()
        assert [record.pasid for record in records] == [100, 100, 200]
        assert rig.control.faults.limits == 1 and not rig.control.faults.overflows
        assert rig.count("faults_lost") == 18
        await rig.ask(0, pasid=100)                     # a new quota
        assert len(await rig.control.faults.wait()) == 1
    Rig(fault_log2=4, quota=2).run(work)


def test_a_write_error_stops_recording_until_the_driver_has_seen_it():
    async def work(rig):
        await rig.ask(pasid=9, tag=1)
        rig.memory.poison(rig.control.faults.base + 32, 32)
        await rig.ask(pasid=9, tag=2)
        rig.memory.cure()
        await rig.ask(pasid=9, tag=3)
        assert rig.register(Reg.FQ_STATUS) == FqStatus.ERROR | FqStatus.RECORD
        assert [record.tag for record in await rig.control.faults.wait()] == [1]
        assert rig.control.faults.errors == 1 and rig.count("faults_lost") == 2
        await rig.ask(pasid=9, tag=4)
        assert [record.tag for record in await rig.control.faults.wait()] == [4]
    Rig().run(work)


def test_what_is_not_recorded():
    async def work(rig):
        rig.devices.set(0x42, devid=5, pasids=rig.pasids, quiet=True)
        await rig.ask(write=1)
        rig.devices.set(0x44, pasids=rig.pasids, quiet=True, mem=False)
        await rig.ask(device=0x44)
        rig.plane.write(Reg.CTRL, 0)
        await rig.ask()
        assert rig.count("faults") == 3 and not rig.register(Reg.FQ_STATUS)
        rig.plane.write(Reg.CTRL, 1)
        rig.devices.set(0x42, devid=5, pasids=rig.pasids)
        rig.plane.write(Reg.FQ_CTRL, 0)
        await rig.ask(write=1)
        assert rig.count("faults") == 4 and not rig.count("faults_lost")
        await rig.control.translate(0x42, 3, VA, ft=0, write=1)
        assert rig.count("faults") == 4
    Rig().run(work)


def test_quiet_counts_only_where_the_entry_says_so():
    rig = Rig()
    model = GoldenModel(rig.memory, 1, 0, rig.devices.base, rig.devices.log2)

    def quiet(**fields):
        answer = model.translate_page(Access(**{**dict(ft=0, write=0, device=0x42, pasid=3, addr=VA,
                                                       pages=0), **fields}), 0)
        return answer.cause, answer.quiet
    assert quiet(write=1) == (Cause.WRITE_DENIED, 0)
    rig.devices.set(0x42, devid=5, pasids=rig.pasids, quiet=True)
    assert quiet(write=1) == (Cause.WRITE_DENIED, 1)
    assert quiet() == (Cause.OK, 0)
    assert quiet(pasid=1 << 19) == (Cause.PASID_INVALID, 1)
    assert quiet(addr=1 << 60) == (Cause.NON_CANONICAL, 1)
    entry = rig.devices.entry_address(0x42)
    word0 = rig.memory.read_u64(entry)
    rig.memory.write_u64(entry, word0 & ~1)
    assert quiet() == (Cause.DEVICE_INVALID, 0)
    rig.memory.write_u64(entry, word0 | 1 << 8)
    assert quiet() == (Cause.ENTRY_RESERVED, 1)
    rig.memory.write_u64(entry, word0)
    rig.memory.poison(entry + 8, 8)
    assert quiet() == (Cause.TABLE_ERROR, 0)
    rig.memory.cure()
    rig.memory.poison(rig.pasids.base, 4096)
    assert quiet() == (Cause.TABLE_ERROR, 1)
    assert quiet(device=0xFFFF) == (Cause.DEVICE_INVALID, 0)
    model.mode = 0
    assert quiet() == (Cause.CORE_OFF, 0)


def test_expected_record():
    rig = Rig()
    model = GoldenModel(rig.memory, 1, 0, rig.devices.base, rig.devices.log2)
    leaf = rig.table.entry_address(VA)

    def words(port=0, **fields):
        access = Access(**{**dict(ft=0, write=0, device=0x42, pasid=3, addr=VA, pages=0),
                           **fields})
        return expected_record(access, model.translate(access)[-1], port)
    assert words(1, write=1, tag=0x9A, addr=VA + 0xFFC) == \
        (0x19A0_0003_0042_140B, 0x7000_1234_5FFC, leaf)
    # The second page faults: its address is that of the page.
    assert words(addr=VA + 8, pages=3, tag=0xFF) == \
        (0x0FF0_0003_0042_1007, 0x7000_1234_6000, leaf + 8)
    assert words(2, ft=1) == \
        (0x2000_0003_0042_6805, VA, rig.pasids.context_address(3))
    assert words(addr=1 << 60) == (0x0000_0003_0042_0006, 1 << 60, 0)
    assert words(8, device=0x41) == (0x8000_0003_0041_7002, VA, rig.devices.base + 0x410)
    rig.table.set_disposition(VA + 0x1000, 1, Disposition.REMAP)
    assert words(addr=VA + 0x1000) == (0x0000_0003_0042_1207, VA + 0x1000, leaf + 8)
