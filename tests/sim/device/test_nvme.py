"""The emulated SSD, with scripted answers in place of a SIOMMU."""

import random
import struct

import pytest

from sim.device.nvme import AdminError, Controller, Driver, Latency, Media
from sim.device.nvme.defs import (
    DIRECT,
    Admin,
    Command,
    Completion,
    Identify,
    Io,
    Register,
    Status,
    read_fault,
)
from sim.memory import Memory
from sim.model.golden import Beat
from sim.time.scheduler import Deadlock, Scheduler
from siommu.arch.formats import Cause

PAGE = 4096
VA, VBA = 0x7000_0000_0000, 0x0100_0000_0000
LATENCY = Latency(read=100, write=200, units=4, transfer=10, command=5)
DISK = random.Random(7).randbytes(16 << 20)


class Script:
    """Translates with two dictionaries of pages; absent pages fault. Keeps what it was asked."""

    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.pages = {0: {}, 1: {}}             # ft -> virtual page -> physical page
        self.asked = []
        self.cycles = 0
        self.busy = set()
        self.spoil = None                       # changes the beats

    def map(self, ft, vaddr, paddr, count=1):
        for index in range(count):
            self.pages[ft][vaddr // PAGE + index] = paddr // PAGE + index

    async def translate(self, access):
        assert access.tag not in self.busy, "a tag is used twice"
        self.busy.add(access.tag)
        self.asked.append(access)
        await self.scheduler.delay(self.cycles)
        self.busy.remove(access.tag)
        beats = []
        for index in range(access.pages + 1):
            addr = access.addr + index * PAGE - (access.addr % PAGE if index else 0)
            page = self.pages[access.ft].get(addr // PAGE)
            last = int(index == access.pages)
            if page is None:
                beats.append(Beat(access.tag, 1, 7, 1, addr, 0, 0, 0, 0))
                break
            beats.append(Beat(access.tag, last, 0, 0, page * PAGE + addr % PAGE, 0, 1, 1, 0))
        return self.spoil(beats) if self.spoil else beats


class Rig:
    """A controller with two namespaces (4096 and 512 bytes) and its driver."""

    def __init__(self, entries=16, **options):
        self.scheduler = Scheduler()
        self.memory = Memory()
        self.script = Script(self.scheduler)
        self.disks = [bytearray(DISK), bytearray(DISK[:1 << 20][::-1])]
        self.media = Media(LATENCY)
        self.media.add_namespace(self.disks[0])
        self.media.add_namespace(self.disks[1], 512)
        self.controller = Controller(self.scheduler, self.memory, self.media, self.script, 0x77,
                                     **options)
        self.driver = Driver(self.scheduler, self.memory, self.controller, entries, poll=1)

    def run(self, work):
        async def main():
            await self.driver.start()
            return await work()
        return self.scheduler.run(main())


@pytest.fixture
def rig():
    return Rig()


def rw(opcode, slba, blocks, prp1, prp2=0, nsid=1, **fields):
    return Command(opcode, nsid=nsid, prp1=prp1, prp2=prp2, cdw10=slba & 0xFFFFFFFF,
                   cdw11=slba >> 32, cdw12=blocks - 1, **fields)


# -- formats -----------------------------------------------------------------------------------

def test_command_bytes():
    data = Command(0x02, 0x1234, 1, 0x1122334455667788, 0x99AABBCCDDEEFF00, 10, 11, 12, 13, 14, 15,
                   flags=0x40, mptr=0xABCD).pack()
    assert data.hex() == ("02403412" "01000000" "00000000" "00000000" "cdab000000000000"
                          "8877665544332211" "00ffeeddccbbaa99" "0a0000000b0000000c000000"
                          "0d0000000e0000000f000000")
    assert Command.unpack(data).pack() == data


def test_completion_bytes():
    completion = Completion(0x1234, 0x70A, 0x10A, 5, 3, 1, 1)
    assert completion.pack().hex() == "0a010000" "00000000" "05000300" "3412" "158e"
    assert Completion.unpack(completion.pack()) == completion
    assert read_fault(completion) == (10, 1, 0)
    assert read_fault(Completion(0, 0x080, 0x10A)) is None


# -- registers ---------------------------------------------------------------------------------

def test_capabilities(rig):
    cap = rig.controller.read_register(Register.CAP, 8)
    assert cap == rig.controller.read_register(0) | rig.controller.read_register(4) << 32
    assert cap & 0xFFFF == 1023 and cap >> 16 & 1 == 1 and cap >> 37 & 1 == 1
    assert 4 << (cap >> 32 & 15) == PAGE                # each doorbell in a page of its own
    assert rig.controller.read_register(Register.VS) == 0x00010400
    assert rig.controller.read_register(0x0C) == 0
    assert rig.controller.doorbell_offset(0) == 0x1000
    assert rig.controller.doorbell_offset(2, True) == 0x1000 + 5 * PAGE


def test_enable_handshake_and_reset(rig):
    async def work():
        controller = rig.controller
        assert controller.read_register(Register.CSTS) == 1
        await rig.driver.create_queue()
        controller.write_register(Register.CC, 1 << 14 | 0x460001)
        assert controller.read_register(Register.CSTS) >> 2 & 3 == 2    # shutdown complete
        controller.write_register(Register.CC, 0)
        assert controller.read_register(Register.CSTS) == 0
        assert not controller.sqs and not controller.cqs
        await rig.driver.start()
        assert controller.read_register(Register.CSTS) == 1
    rig.run(work)


@pytest.mark.parametrize("cc, aqa", [(1 | 1 << 7, 0x000F000F), (1 | 1 << 4, 0x000F000F),
                                     (1, 0x00000000)])
def test_impossible_configuration_is_fatal(rig, cc, aqa):
    async def work():
        rig.controller.write_register(Register.AQA, aqa)
        rig.controller.write_register(Register.CC, cc)
        await rig.scheduler.delay(50)
        return rig.controller.read_register(Register.CSTS)
    assert rig.scheduler.run(work()) == 2


def test_disable_during_enable(rig):
    async def work():
        rig.controller.write_register(Register.AQA, 0x000F000F)
        rig.controller.write_register(Register.CC, 1)
        rig.controller.write_register(Register.CC, 0)
        await rig.scheduler.delay(50)
        return rig.controller.read_register(Register.CSTS)
    assert rig.scheduler.run(work()) == 0


def test_bad_doorbells_are_ignored(rig):
    async def work():
        pair = await rig.driver.create_queue()
        for offset, value in ((rig.controller.doorbell_offset(9), 1),
                              (rig.controller.doorbell_offset(pair.qid) + 4, 1),
                              (rig.controller.doorbell_offset(pair.qid), 16),
                              (rig.controller.doorbell_offset(pair.qid, True), 1)):
            before = rig.controller.bad_doorbells
            rig.controller.write_register(offset, value)
            assert rig.controller.bad_doorbells == before + 1
        frame = rig.memory.alloc_pages()
        assert (await pair.submit(rw(Io.READ, 0, 1, frame))).ok
    rig.run(work)


# -- admin -------------------------------------------------------------------------------------

def test_identify(rig):
    async def work():
        assert rig.driver.namespaces == {1: (4096, 4096), 2: (2048, 512)}
        assert rig.driver.max_transfer == PAGE << 11
        data = await rig.driver.identify(Identify.CONTROLLER)
        assert data[24:64].decode().strip() == "SIOMMU emulated SSD"
        assert struct.unpack_from("<I", data, 516) == (2,) and data[512:514] == b"\x66\x44"
        data = await rig.driver.identify(Identify.NAMESPACE, 2)
        assert struct.unpack_from("<QQQ", data) == (2048, 2048, 2048)
        assert struct.unpack_from("<I", data, 128) == (9 << 16,)
        data = await rig.driver.identify(Identify.ACTIVE_NAMESPACES, 1)
        assert struct.unpack_from("<II", data) == (2, 0)
    rig.run(work)


def test_identify_across_two_pages(rig):
    async def work():
        one, two = rig.memory.alloc_pages(2, contiguous=False)
        await rig.driver.admin(Command(Admin.IDENTIFY, nsid=1, prp1=one + 4088, prp2=two))
        assert rig.memory.read(one + 4088, 8) == struct.pack("<Q", 4096)
        assert rig.memory.read(two, 8) == struct.pack("<Q", 4096)
    rig.run(work)


@pytest.mark.parametrize("command, status", [
    (Command(0x7F), Status.INVALID_OPCODE),
    (Command(Admin.IDENTIFY, cdw10=0x55), Status.INVALID_FIELD),
    (Command(Admin.IDENTIFY, nsid=9), Status.INVALID_NAMESPACE),
    (Command(Admin.IDENTIFY, nsid=1, prp1=2), Status.PRP_OFFSET_INVALID),
    (Command(Admin.IDENTIFY, nsid=1, prp1=0x5004, prp2=0x6004), Status.PRP_OFFSET_INVALID),
    (Command(Admin.IDENTIFY, nsid=1, prp1=0xBAD000), Status.DATA_TRANSFER_ERROR),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0000, cdw11=1), Status.INVALID_QUEUE_ID),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0001, cdw11=1), Status.INVALID_QUEUE_ID),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0021, cdw11=1), Status.INVALID_QUEUE_ID),
    (Command(Admin.CREATE_CQ, cdw10=0x00000002, cdw11=1), Status.INVALID_QUEUE_SIZE),
    (Command(Admin.CREATE_CQ, cdw10=0x04000002, cdw11=1), Status.INVALID_QUEUE_SIZE),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0002, cdw11=0), Status.INVALID_FIELD),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0002, cdw11=1, prp1=8), Status.PRP_OFFSET_INVALID),
    (Command(Admin.CREATE_CQ, cdw10=0x000F0002, cdw11=0x00210001),
     Status.INVALID_INTERRUPT_VECTOR),
    (Command(Admin.CREATE_SQ, cdw10=0x000F0002, cdw11=0x00050001), Status.CQ_INVALID),
    (Command(Admin.CREATE_SQ, cdw10=0x000F0002, cdw11=0x00000001), Status.CQ_INVALID),
    (Command(Admin.CREATE_SQ, cdw10=0x000F0002, cdw11=0x00010001, cdw13=1 << 20),
     Status.INVALID_FIELD),
    (Command(Admin.DELETE_SQ, cdw10=0), Status.INVALID_QUEUE_ID),
    (Command(Admin.DELETE_SQ, cdw10=7), Status.INVALID_QUEUE_ID),
    (Command(Admin.DELETE_CQ, cdw10=7), Status.INVALID_QUEUE_ID),
    (Command(Admin.DELETE_CQ, cdw10=1), Status.INVALID_QUEUE_DELETION),
    (Command(Admin.SET_FEATURES, cdw10=6), Status.INVALID_FIELD),
    (Command(Admin.SET_FEATURES, cdw10=7, cdw11=0xFFFF0000), Status.INVALID_FIELD),
    (Command(Admin.DRAIN_PASID, cdw10=1 << 20), Status.INVALID_FIELD),
])
def test_admin_errors(rig, command, status):
    rig.memory.poison(0xBAD000, PAGE)

    async def work():
        assert (await rig.driver.create_queue()).qid == 1
        with pytest.raises(AdminError) as error:
            await rig.driver.admin(command)
        assert Status(error.value.status) is status
        assert str(error.value).endswith(f"failed with {status.name}")
    rig.run(work)


def test_features_and_abort(rig):
    async def work():
        assert await rig.driver.admin(Command(Admin.GET_FEATURES, cdw10=7)) == 0x001F001F
        assert await rig.driver.admin(Command(Admin.ABORT, cdw10=1)) == 1
    rig.run(work)


def test_queues_are_created_with_pasid_and_kind(rig):
    async def work():
        direct = await rig.driver.create_queue(pasid=0xABCDE, direct=True)
        kernel = await rig.driver.create_queue()
        sqs = rig.controller.sqs
        assert (sqs[direct.qid].direct, sqs[direct.qid].pasid) == (True, 0xABCDE)
        assert (sqs[kernel.qid].direct, sqs[kernel.qid].pasid) == (False, 0)
        await rig.driver.delete_queue(direct)
        assert direct.qid not in sqs
        assert (await rig.driver.create_queue()).qid == 3       # and freed numbers come back
    rig.run(work)


# -- kernel queues: PRPs -----------------------------------------------------------------------

def build_prps(memory, addr_offset, length, list_offset=0):
    """Scattered frames for ``length`` bytes; returns (prp1, prp2, frames as (addr, n))."""
    count = -(-(addr_offset + length) // PAGE)
    frames = memory.alloc_pages(count, contiguous=False) if count > 1 else [memory.alloc_pages()]
    pieces = [(frames[0] + addr_offset, min(length, PAGE - addr_offset))]
    rest = length - pieces[0][1]
    for frame in frames[1:]:
        pieces.append((frame, min(rest, PAGE)))
        rest -= pieces[-1][1]
    if count == 1:
        return pieces[0][0], 0, pieces
    if count == 2:
        return pieces[0][0], frames[1], pieces
    entries = frames[1:]
    head = place = memory.alloc_pages() + list_offset
    while entries:
        room = (PAGE - place % PAGE) // 8
        if len(entries) > room:
            following = memory.alloc_pages()
            page, entries = entries[:room - 1] + [following], entries[room - 1:]
        else:
            page, entries, following = entries, [], None
        memory.write(place, b"".join(entry.to_bytes(8, "little") for entry in page))
        place = following
    return pieces[0][0], head, pieces


@pytest.mark.parametrize("nsid, slba, blocks", [
    (1, 0, 1), (1, 4095, 1), (1, 7, 2), (1, 5, 3), (1, 100, 514), (1, 0, 1030), (2, 1, 1),
    (2, 2047, 1), (2, 3, 7), (2, 3, 8), (2, 9, 60)])
@pytest.mark.parametrize("offset", [0, 4, 2048, 4092])
@pytest.mark.parametrize("list_offset", [0, 8, 4080, 4088])
def test_kernel_transfers(nsid, slba, blocks, offset, list_offset):
    """Reads and writes with every form of PRPs; guard bytes around both stay."""
    rig = Rig()
    disk, lba = rig.disks[nsid - 1], (4096, 512)[nsid - 1]
    length = blocks * lba

    async def work():
        pair = await rig.driver.create_queue()
        prp1, prp2, pieces = build_prps(rig.memory, offset, length, list_offset)
        for addr, _ in pieces:
            rig.memory.write(addr // PAGE * PAGE, b"\xEE" * PAGE)
        completion = await pair.submit(rw(Io.READ, slba, blocks, prp1, prp2, nsid))
        assert completion.ok and completion.dw0 == 0
        got = b"".join(rig.memory.read(*piece) for piece in pieces)
        assert got == disk[slba * lba:slba * lba + length]
        first, last = pieces[0], pieces[-1]
        assert rig.memory.read(first[0] - offset, offset) == b"\xEE" * offset
        end = last[0] + last[1]
        assert rig.memory.read(end, -end % PAGE) == b"\xEE" * (-end % PAGE)
        data = random.Random(1).randbytes(length)
        before = bytes(disk)
        done = 0
        for addr, part in pieces:
            rig.memory.write(addr, data[done:done + part])
            done += part
        assert (await pair.submit(rw(Io.WRITE, slba, blocks, prp1, prp2, nsid))).ok
        assert disk == before[:slba * lba] + data + before[slba * lba + length:]
    rig.run(work)
    assert rig.script.asked == []                       # a kernel queue asks nobody


@pytest.mark.parametrize("command, status", [
    (rw(0x55, 0, 1, 0x5000), Status.INVALID_OPCODE),
    (rw(Io.READ, 0, 1, 0x5000, nsid=3), Status.INVALID_NAMESPACE),
    (rw(Io.READ, 0, 1, 0x5000, nsid=0), Status.INVALID_NAMESPACE),
    (rw(Io.READ, 4096, 1, 0x5000), Status.LBA_OUT_OF_RANGE),
    (rw(Io.READ, 4095, 2, 0x5000, 0x6000), Status.LBA_OUT_OF_RANGE),
    (rw(Io.READ, (1 << 64) - 1, 1, 0x5000), Status.LBA_OUT_OF_RANGE),
    (rw(Io.READ, 2048, 1, 0x5000, nsid=2), Status.LBA_OUT_OF_RANGE),
    (rw(Io.READ, 0, 2049, 0x5000, 0x6000), Status.INVALID_FIELD),
    (rw(Io.READ, 0, 1, 0x5000, flags=0x40), Status.INVALID_FIELD),
    (rw(Io.READ, 0, 1, 0x5002), Status.PRP_OFFSET_INVALID),
    (rw(Io.READ, 0, 2, 0x5000, 0x6008), Status.PRP_OFFSET_INVALID),
    (rw(Io.READ, 0, 3, 0x5000, 0x6004), Status.PRP_OFFSET_INVALID),
    (rw(Io.READ, 0, 3, 0x5000, 0x8000), Status.PRP_OFFSET_INVALID),
    (rw(Io.READ, 0, 3, 0x5000, 0x9FF8), Status.PRP_OFFSET_INVALID),
    (rw(Io.READ, 0, 3, 0x5000, 0xBAD000), Status.DATA_TRANSFER_ERROR),
    (rw(Io.WRITE, 0, 1, 0xBAD000), Status.DATA_TRANSFER_ERROR),
    (rw(Io.READ, 0, 1, 0xBAD000), Status.DATA_TRANSFER_ERROR),
    (Command(Io.FLUSH, nsid=5), Status.INVALID_NAMESPACE),
])
def test_io_errors(rig, command, status):
    rig.memory.poison(0xBAD000, PAGE)
    rig.memory.write_u64(0x8000, 0xA000)
    rig.memory.write_u64(0x8008, 0xB010)                # a list entry with an offset
    rig.memory.write_u64(0x9FF8, 0x9FF8)                # a list that points at its own end
    disk = bytes(rig.disks[0])

    async def work():
        pair = await rig.driver.create_queue()
        completion = await pair.submit(command)
        assert Status(completion.status) is status and completion.dw0 == 0
        assert (await pair.submit(Command(Io.FLUSH, nsid=1))).ok
        assert (await pair.submit(Command(Io.FLUSH, nsid=0xFFFFFFFF))).ok
    rig.run(work)
    assert rig.disks[0] == disk


# -- direct queues -----------------------------------------------------------------------------

def test_direct_read_asks_for_blocks_and_memory(rig):
    rig.script.map(1, VBA, 0x30_0000, 3)
    frames = rig.memory.alloc_pages(2, contiguous=False)
    for index, frame in enumerate(frames):
        rig.script.map(0, VA + index * PAGE, frame)
    slba = VBA // PAGE + 1

    async def work():
        pair = await rig.driver.create_queue(pasid=0x12345, direct=True)
        rig.script.cycles = 50
        return await pair.submit(rw(Io.READ, slba, 1, VA + 0x800, VA + PAGE))
    assert rig.run(work).ok
    blocks, memory = sorted(rig.script.asked, key=lambda access: -access.ft)
    assert (blocks.ft, blocks.write, blocks.device, blocks.pasid, blocks.addr, blocks.pages) == \
        (1, 0, 0x77, 0x12345, VBA + PAGE, 0)
    assert (memory.ft, memory.write, memory.device, memory.pasid, memory.addr, memory.pages) == \
        (0, 1, 0x77, 0x12345, VA + 0x800, 1)
    assert blocks.tag != memory.tag
    expected = rig.disks[0][0x30_1000:0x30_2000]
    assert rig.memory.read(frames[0] + 0x800, 0x800) == expected[:0x800]
    assert rig.memory.read(frames[1], 0x800) == expected[0x800:]
    assert rig.memory.read(frames[0], 0x800) == bytes(0x800)


def test_direct_write_and_512_byte_blocks(rig):
    start = rig.media.namespaces[2].start
    rig.script.map(1, VBA, start + 0x3000)
    frame = rig.memory.alloc_pages()
    rig.memory.write(frame, bytes(range(256)) * 16)
    rig.script.map(0, VA, frame)
    before = bytes(rig.disks[1])

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(Io.WRITE, VBA // 512 + 3, 2, VA + 0x100, nsid=2))
    assert rig.run(work).ok
    blocks, memory = sorted(rig.script.asked, key=lambda access: -access.ft)
    assert (blocks.write, blocks.addr, blocks.pages) == (1, VBA + 0x600, 0)
    assert (memory.write, memory.addr, memory.pages) == (0, VA + 0x100, 0)
    data = (bytes(range(256)) * 16)[0x100:0x500]
    assert rig.disks[1] == before[:0x3600] + data + before[0x3A00:]


def test_direct_large_transfer_is_split(rig):
    """1030 pages: several requests of at most 256, a PRP list of three chained pages."""
    count = 1030
    rig.script.map(1, VBA, 0, count)
    frames = rig.memory.alloc_pages(count + 1, contiguous=False)
    for index, frame in enumerate(frames):
        rig.script.map(0, VA + index * PAGE, frame)
    lists = rig.memory.alloc_pages(3, contiguous=False)
    for index, frame in enumerate(lists):
        rig.script.map(0, VA + (0x5000 + index) * PAGE, frame)
    entries = [VA + index * PAGE for index in range(1, count + 1)]
    for index, frame in enumerate(lists):
        page, entries = (entries, []) if len(entries) <= 512 else (entries[:511], entries[511:])
        if entries:
            page = page + [VA + (0x5001 + index) * PAGE]
        rig.memory.write(frame, b"".join(entry.to_bytes(8, "little") for entry in page))

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(Io.READ, VBA // PAGE, count, VA + 0x10, VA + 0x5000 * PAGE))
    assert rig.run(work).ok
    got = b"".join(rig.memory.read(frame, PAGE) for frame in frames)
    assert got[0x10:0x10 + count * PAGE] == rig.disks[0][:count * PAGE]
    blocks = sorted((access.addr, access.pages) for access in rig.script.asked if access.ft)
    assert [pages for _, pages in blocks] == [255] * 4 + [5]
    writes = sorted((access.addr, access.pages) for access in rig.script.asked
                    if not access.ft and access.write)
    assert [pages for _, pages in writes] == [255] * 4 + [6]
    reads = [access for access in rig.script.asked if not access.ft and not access.write]
    assert [access.addr for access in reads] == [VA + (0x5000 + index) * PAGE
                                                 for index in range(3)]


@pytest.mark.parametrize("opcode", [Io.READ, Io.WRITE])
@pytest.mark.parametrize("missing", ["first block", "last block", "first page", "last page",
                                     "list"])
def test_no_byte_moves_without_a_grant(rig, opcode, missing):
    """Whatever part of 300 pages is refused: nothing of either side changes."""
    count = 300
    frames = rig.memory.alloc_pages(count, contiguous=False)
    rig.script.map(1, VBA, 0, count)
    for index, frame in enumerate(frames):
        rig.script.map(0, VA + index * PAGE, frame)
        rig.memory.write(frame, b"\x5A" * PAGE)
    table = rig.memory.alloc_pages()
    rig.script.map(0, VA + 0x500_0000, table)
    rig.memory.write(table, b"".join((VA + index * PAGE).to_bytes(8, "little")
                                     for index in range(1, count)))
    ft, addr = {"first block": (1, VBA), "last block": (1, VBA + (count - 1) * PAGE),
                "first page": (0, VA), "last page": (0, VA + (count - 1) * PAGE),
                "list": (0, VA + 0x500_0000)}[missing]
    del rig.script.pages[ft][addr // PAGE]
    disk = bytes(rig.disks[0])

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(opcode, VBA // PAGE, count, VA, VA + 0x500_0000))
    completion = rig.run(work)
    assert (completion.status_type, completion.status_code) == (7, Cause.NOT_PRESENT.value)
    assert completion.dw0 == 7 | 1 << 8 | ft << 10 and completion.dnr == 0
    assert read_fault(completion) == (7, 1, ft)
    assert rig.disks[0] == disk
    assert all(rig.memory.read(frame, PAGE) == b"\x5A" * PAGE for frame in frames)


def test_no_byte_moves_before_the_grant(rig):
    frame = rig.memory.alloc_pages()
    rig.script.map(1, VBA, 0)
    rig.script.map(0, VA, frame)

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        rig.script.cycles = 10_000
        task = rig.scheduler.start(pair.submit(rw(Io.READ, VBA // PAGE, 1, VA)))
        await rig.scheduler.delay(9_000)
        assert rig.memory.read(frame, PAGE) == bytes(PAGE)
        assert (await task).ok
    rig.run(work)
    assert rig.memory.read(frame, PAGE) == rig.disks[0][:PAGE]


@pytest.mark.parametrize("spoil", [
    lambda beats: beats[:-1],
    lambda beats: [],
    lambda beats: [*beats, beats[-1]],
    lambda beats: [Beat(**{**beat.__dict__, "tag": beat.tag ^ 1}) for beat in beats],
    lambda beats: [Beat(**{**beat.__dict__, "read": 0, "write": 0}) for beat in beats],
    lambda beats: [Beat(**{**beats[0].__dict__, "last": 1})],
])
def test_answers_that_are_no_grant_for_all_of_it(rig, spoil):
    frames = rig.memory.alloc_pages(2)
    rig.script.map(1, VBA, 0, 2)
    rig.script.map(0, VA, frames, 2)
    rig.script.spoil = spoil

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(Io.READ, VBA // PAGE, 2, VA, VA + PAGE))
    assert Status(rig.run(work).status) is Status.INTERNAL_ERROR
    assert rig.memory.read(frames, 2 * PAGE) == bytes(2 * PAGE)


@pytest.mark.parametrize("nsid, pba", [(1, 16 << 20), (1, (16 << 20) - PAGE), (1, 1 << 40),
                                       (2, (16 << 20) - PAGE), (2, 17 << 20)])
def test_grants_outside_of_the_namespace(rig, nsid, pba):
    lba = (4096, 512)[nsid - 1]
    rig.script.map(1, VBA, pba, 2)
    rig.script.map(0, VA, rig.memory.alloc_pages(2), 2)

    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(Io.WRITE, VBA // lba, 2 * PAGE // lba, VA, VA + PAGE, nsid))
    before = [bytes(disk) for disk in rig.disks]
    assert Status(rig.run(work).status) is Status.LBA_OUT_OF_RANGE
    assert rig.disks == before


def test_a_block_address_beyond_64_bits(rig):
    async def work():
        pair = await rig.driver.create_queue(pasid=1, direct=True)
        return await pair.submit(rw(Io.READ, 1 << 52, 1, VA))
    assert Status(rig.run(work).status) is Status.LBA_OUT_OF_RANGE
    assert all(access.ft == 0 for access in rig.script.asked)


# -- queues under load -------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(3))
def test_many_commands_through_small_rings(seed):
    """Rings of 4 entries wrap hundreds of times; every read has its own data."""
    print(f"seed {seed}")
    rig = Rig(entries=4)
    rng = random.Random(seed)
    frames = rig.memory.alloc_pages(24)
    rig.script.map(0, VA, frames, 24)
    rig.script.map(1, VBA, 0, 4096)

    async def reader(pair, index, direct):
        addr, base = (VA, VBA // PAGE) if direct else (frames, 0)
        for _ in range(20):
            block = rng.randrange(4096)
            completion = await pair.submit(rw(Io.READ, base + block, 1, addr + index * PAGE))
            assert completion.ok
            assert rig.memory.read(frames + index * PAGE, PAGE) == \
                rig.disks[0][block * PAGE:(block + 1) * PAGE]

    async def work():
        rig.script.cycles = 3
        direct = await rig.driver.create_queue(pasid=5, direct=True)
        kernel = await rig.driver.create_queue()
        for task in [rig.scheduler.start(reader(direct if index % 2 else kernel, index, index % 2))
                     for index in range(24)]:
            await task
    rig.run(work)


def test_a_full_completion_queue_holds_commands_back(rig):
    """A host that takes no completions stops its own queue, and nothing is lost."""
    async def work():
        pair = await rig.driver.create_queue()
        other = await rig.driver.create_queue()
        frame = rig.memory.alloc_pages()
        for cid in range(15):
            rig.memory.write(pair.sq + 64 * cid, rw(Io.READ, cid, 1, frame, cid=cid).pack())
        bell = rig.controller.doorbell_offset(pair.qid)
        rig.controller.write_register(bell, 15)
        await rig.scheduler.delay(5_000)
        for cid in range(15, 25):
            rig.memory.write(pair.sq + 64 * (cid % 16), rw(Io.READ, 0, 1, frame, cid=cid).pack())
        rig.controller.write_register(bell, 25 % 16)
        await rig.scheduler.delay(5_000)
        phases = [rig.memory.read(pair.cq + 16 * index + 14, 1)[0] & 1 for index in range(16)]
        assert phases == [1] * 15 + [0]
        assert (await other.submit(rw(Io.READ, 0, 1, frame))).ok
        seen = []
        head, phase = 0, 1
        while len(seen) < 25:
            entry = Completion.unpack(rig.memory.read(pair.cq + 16 * head, 16))
            if entry.phase != phase:
                await rig.scheduler.delay(10)
                continue
            seen.append(entry.cid)
            head = (head + 1) % 16
            phase ^= head == 0
            rig.controller.write_register(rig.controller.doorbell_offset(pair.qid, True), head)
        assert sorted(seen) == list(range(25))
    rig.run(work)


def test_reset_in_the_middle_moves_nothing(rig):
    frame = rig.memory.alloc_pages()

    async def work():
        pair = await rig.driver.create_queue()
        task = rig.scheduler.start(pair.submit(rw(Io.READ, 0, 1, frame)))
        await rig.scheduler.delay(20)
        rig.controller.write_register(Register.CC, 0)
        cq = rig.memory.read(pair.cq, PAGE)
        await rig.scheduler.delay(1_000)
        assert rig.memory.read(frame, PAGE) == bytes(PAGE)
        assert rig.memory.read(pair.cq, PAGE) == cq
        pair.abandon()
        assert Status((await task).status) is Status.ABORTED_SQ_DELETED
    rig.run(work)


def test_delete_queue_waits_for_its_commands(rig):
    frame = rig.memory.alloc_pages()
    disk = bytes(rig.disks[0])

    async def work():
        pair = await rig.driver.create_queue()
        task = rig.scheduler.start(pair.submit(rw(Io.WRITE, 0, 1, frame)))
        await rig.scheduler.delay(20)
        await rig.driver.delete_queue(pair)
        assert Status((await task).status) is Status.ABORTED_SQ_DELETED
    rig.run(work)
    assert rig.disks[0] == disk


def test_drain_waits_for_one_pasid(rig):
    rig.script.map(1, VBA, 0)
    rig.script.map(0, VA, rig.memory.alloc_pages())

    async def work():
        one = await rig.driver.create_queue(pasid=1, direct=True)
        two = await rig.driver.create_queue(pasid=2, direct=True)
        rig.script.cycles = 1_000
        task = rig.scheduler.start(one.submit(rw(Io.READ, VBA // PAGE, 1, VA)))
        await rig.scheduler.delay(500)
        start = rig.scheduler.now
        await rig.driver.drain(2)
        assert rig.scheduler.now - start < 100
        rig.scheduler.start(two.submit(rw(Io.READ, VBA // PAGE, 1, VA)))
        await rig.driver.drain(1)
        assert rig.scheduler.now - start > 500
        await rig.scheduler.delay(5)
        assert task.done()
    rig.run(work)


def test_bus_errors_in_rings_are_fatal(rig):
    async def work():
        pair = await rig.driver.create_queue()
        rig.memory.write(pair.sq, Command(Io.FLUSH, nsid=1).pack())
        rig.memory.poison(pair.sq, 64)
        rig.controller.write_register(rig.controller.doorbell_offset(pair.qid), 1)
        await rig.scheduler.delay(100)
        assert rig.controller.read_register(Register.CSTS) & 2
    rig.run(work)


def test_interrupts():
    vectors = []
    rig = Rig(interrupt=vectors.append)

    async def work():
        pair = await rig.driver.create_queue()
        cq = rig.memory.alloc_pages()
        sq = rig.memory.alloc_pages()
        vectors.clear()
        await rig.driver.admin(Command(Admin.CREATE_CQ, prp1=cq, cdw10=0x000F0009,
                                       cdw11=3 << 16 | 3))
        await rig.driver.admin(Command(Admin.CREATE_SQ, prp1=sq, cdw10=0x000F0009,
                                       cdw11=9 << 16 | 1, cdw13=DIRECT | 4))
        rig.memory.write(sq, Command(Io.FLUSH, nsid=1).pack())
        rig.controller.write_register(rig.controller.doorbell_offset(9), 1)
        await rig.scheduler.delay(100)
        assert (await pair.submit(Command(Io.FLUSH, nsid=1))).ok
    rig.run(work)
    assert vectors == [0, 0, 3]                         # the polled queue has none


# -- latency -----------------------------------------------------------------------------------

@pytest.mark.parametrize("opcode, cycles", [(Io.READ, 5 + 100 + 10), (Io.WRITE, 5 + 10 + 200)])
def test_latency_of_one_page(rig, opcode, cycles):
    async def work():
        pair = await rig.driver.create_queue()
        frame = rig.memory.alloc_pages()
        start = rig.scheduler.now
        await pair.submit(rw(opcode, 0, 1, frame))
        return rig.scheduler.now - start
    assert cycles <= rig.run(work) <= cycles + 3


@pytest.mark.parametrize("extents, write, end", [
    ([(0, PAGE)], False, 110),
    ([(0, 4 * PAGE)], False, 140),              # four units at once, one link
    ([(0, 8 * PAGE)], False, 240),              # each unit twice
    ([(0, PAGE), (4 * PAGE, PAGE)], False, 210),        # the same unit
    ([(100, 8)], False, 110),
    ([(PAGE - 4, 8)], False, 120),
    ([(0, PAGE)], True, 210),
    ([(0, 4 * PAGE)], True, 240),
])
def test_latency_model(extents, write, end):
    media = Media(LATENCY)
    assert media.schedule(1_000, extents, write) == 1_000 + end


def test_errors_of_construction():
    media = Media()
    with pytest.raises(ValueError, match="choose 512 or 4096"):
        media.add_namespace(bytearray(PAGE), 1024)
    with pytest.raises(ValueError, match="4 KiB pages"):
        media.add_namespace(bytearray(100))
    with pytest.raises(ValueError, match="units must be at least 1"):
        Latency(units=0)
    with pytest.raises(ValueError, match="tags allow 1 to 256"):
        Rig(depth=257)
    with pytest.raises(ValueError, match="outside of namespace 1"):
        media.read(media.add_namespace(bytearray(PAGE)), PAGE - 1, 2)


def test_driver_notices_a_dead_controller(rig):
    rig.controller.write_register = lambda *_: None
    with pytest.raises((TimeoutError, Deadlock), match="CSTS.RDY = 1"):
        rig.run(None)
