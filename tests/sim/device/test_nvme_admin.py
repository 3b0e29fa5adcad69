"""What an operating system's driver and nvme-cli ask of the SSD, and its direct queues."""

import struct
import uuid

import pytest

from sim.device.nvme import AdminError
from sim.device.nvme.defs import Admin, Command, Completion, Feature, Identify, Io, Register, Status
from sim.device.nvme.direct import BUSY, CREATE, DELETE, DRAIN, DirectQueues

from .test_nvme import VA, VBA, Rig, rw

PAGE = 4096
ALL = 0xFFFFFFFF


@pytest.fixture
def rig():
    return Rig()


def refused(rig, command, status):
    """The admin ``command`` fails with ``status``."""
    async def work():
        with pytest.raises(AdminError) as error:
            await rig.driver.admin(command)
        assert Status(error.value.status) is status
    rig.run(work)


def identify(rig, kind, nsid=0):
    return rig.run(lambda: rig.driver.identify(kind, nsid))


# -- Identify --------------------------------------------------------------------------------------

def test_identify_controller(rig):
    page = identify(rig, Identify.CONTROLLER)
    assert page[0:4] == b"\x1d\x1d\x1d\x1d" and page[4:24] == b"0077".ljust(20)
    assert page[111] == 1                                   # CNTRLTYPE: I/O controller
    name = page[768:1024].rstrip(b"\0")
    assert name.startswith(b"nqn.2014.08.org.nvmexpress:1d1d1d1d0077 ") and len(name) == 95
    assert page[256:258] == b"\0\0"                         # OACS: no Format, nothing optional
    assert page[259] == 3 and page[260] == 3 and page[261] == 6 and page[262] == 63
    assert struct.unpack_from("<HH", page, 266) == (343, 353)
    assert page[520] == 0x10 and page[2048:2050] == b"\xf4\x01"


def test_namespace_descriptors(rig):
    one, two = (identify(rig, Identify.DESCRIPTORS, nsid) for nsid in (1, 2))
    assert one[:4] == b"\x03\x10\0\0" and one[20:] == bytes(PAGE - 20)
    assert uuid.UUID(bytes=one[4:20]).version == 5 and one != two
    assert one == identify(Rig(), Identify.DESCRIPTORS, 1)  # the same in every run


@pytest.mark.parametrize("kind", [Identify.CONTROLLERS, Identify.ATTACHED_CONTROLLERS])
def test_controller_lists(rig, kind):
    assert identify(rig, kind, 1)[:4] == b"\x01\0\x01\0"
    assert identify(rig, kind | 2 << 16, 1)[:4] == bytes(4)


@pytest.mark.parametrize("cns, nsid, status", [
    (0x03, 3, Status.INVALID_NAMESPACE), (0x03, 0, Status.INVALID_NAMESPACE),
    (0x00, ALL, Status.INVALID_NAMESPACE), (0x12, 9, Status.INVALID_NAMESPACE),
    # Of NVMe 2.0, or of what this controller does not have.
    (0x04, 0, Status.INVALID_FIELD), (0x05, 1, Status.INVALID_FIELD),
    (0x06, 0, Status.INVALID_FIELD), (0x10, 0, Status.INVALID_FIELD)])
def test_identify_errors(rig, cns, nsid, status):
    refused(rig, Command(Admin.IDENTIFY, nsid=nsid, cdw10=cns, prp1=PAGE), status)


# -- features --------------------------------------------------------------------------------------

def get(feature, word=0, select=0):
    return Command(Admin.GET_FEATURES, cdw10=feature | select << 8, cdw11=word)


def put(feature, word, more=0):
    return Command(Admin.SET_FEATURES, cdw10=feature | more, cdw11=word)


@pytest.mark.parametrize("feature, word, default", [
    (Feature.ARBITRATION, 0x01020307, 0), (Feature.ERROR_RECOVERY, 0x1234, 0),
    (Feature.INTERRUPT_COALESCING, 0x0203, 0), (Feature.WRITE_ATOMICITY, 1, 0),
    (Feature.ASYNC_EVENTS, 0x0301, 0), (Feature.POWER_MANAGEMENT, 0, 0),
    (Feature.TEMPERATURE_THRESHOLD, 340, 0xFFFF), (Feature.VECTOR_CONFIGURATION, 1 << 16, 0)])
def test_features_are_kept_until_a_reset(rig, feature, word, default):
    async def work():
        assert await rig.driver.admin(get(feature)) == default
        await rig.driver.admin(put(feature, word))
        assert await rig.driver.admin(get(feature)) == word
        assert await rig.driver.admin(get(feature, select=1)) == default
        assert await rig.driver.admin(get(feature, select=3)) == 4
        await rig.driver.start()
        assert await rig.driver.admin(get(feature)) == default
    rig.run(work)


@pytest.mark.parametrize("command, status", [
    (get(0x55), Status.INVALID_FIELD), (put(0x55, 0), Status.INVALID_FIELD),
    (get(Feature.ARBITRATION, select=4), Status.INVALID_FIELD),
    (put(Feature.ARBITRATION, 0, 1 << 31), Status.FEATURE_NOT_SAVEABLE),
    (put(Feature.POWER_MANAGEMENT, 1), Status.INVALID_FIELD),
    (put(Feature.TEMPERATURE_THRESHOLD, 1 << 16), Status.INVALID_FIELD),
    (put(Feature.VECTOR_CONFIGURATION, 33), Status.INVALID_FIELD),
    (put(Feature.ERROR_RECOVERY, 1 << 16), Status.INVALID_FIELD)])
def test_feature_errors(rig, command, status):
    refused(rig, command, status)


@pytest.mark.parametrize("asked, granted", [(0, 0), (0x0003_0001, 0x0003_0001),
                                            (0x00FF_00FF, 0x001F_001F), (0x0002_FFFE, 0x0002_001F)])
def test_number_of_queues_as_asked(rig, asked, granted):
    async def work():
        assert await rig.driver.admin(put(Feature.NUMBER_OF_QUEUES, asked)) == granted
        assert await rig.driver.admin(get(Feature.NUMBER_OF_QUEUES)) == granted
        assert await rig.driver.admin(get(Feature.NUMBER_OF_QUEUES, select=1)) == 0x001F_001F
        last = max(granted & 0xFFFF, granted >> 16) + 1
        with pytest.raises(AdminError, match="INVALID_QUEUE_ID"):
            await rig.driver.admin(Command(Admin.CREATE_CQ, cdw10=last + 1 | 15 << 16, cdw11=1))
        await rig.driver.create_queue()
        with pytest.raises(AdminError, match="COMMAND_SEQUENCE_ERROR"):
            await rig.driver.admin(put(Feature.NUMBER_OF_QUEUES, asked))
    rig.run(work)


# -- logs ------------------------------------------------------------------------------------------

async def log(rig, kind, length, offset=0, nsid=ALL, retain=0):
    pages = rig.memory.alloc_pages(4)
    rig.memory.write(pages, b"\xEE" * 4 * PAGE)
    words = length // 4 - 1
    # PRP2 is a list when there are more than two pages; the last page has room for it.
    rig.memory.write(pages + 3 * PAGE, b"".join(struct.pack("<Q", pages + PAGE * index)
                                                for index in (1, 2)))
    await rig.driver.admin(Command(
        Admin.GET_LOG_PAGE, nsid=nsid, prp1=pages,
        prp2=pages + (3 * PAGE if length > 2 * PAGE else PAGE),
        cdw10=kind | retain << 15 | (words & 0xFFFF) << 16, cdw11=words >> 16, cdw12=offset))
    data = rig.memory.read(pages, 3 * PAGE)
    assert data[length:] == b"\xEE" * (3 * PAGE - length)
    return data[:length]


def test_health(rig):
    async def work():
        pair = await rig.driver.create_queue()
        frame = rig.memory.alloc_pages()
        before = await log(rig, 2, 512)
        for _ in range(3):
            assert (await pair.submit(rw(Io.READ, 0, 1, frame))).ok
        assert (await pair.submit(rw(Io.WRITE, 0, 1, frame))).ok
        after = await log(rig, 2, 512)
        assert before[64] == 0 and after[64] == 3 and after[80] == 1
        assert after[32] == after[48] == 1                  # 12 KiB are one data unit
        assert struct.unpack_from("<H", after, 1) == (300,) and after[3:6] == bytes([100, 10, 0])
    rig.run(work)


def test_errors_are_logged_newest_first(rig):
    async def work():
        pair = await rig.driver.create_queue()
        assert not (await pair.submit(rw(Io.READ, 1 << 40, 1, 0))).ok
        assert not (await pair.submit(rw(Io.READ, 0, 1, 0, nsid=9))).ok
        data = await log(rig, 1, 4096)
        count, qid, _, status, _, block, nsid = struct.unpack_from("<QHHHHQI", data)
        assert (count, qid, nsid) == (2, pair.qid, 9)
        assert status >> 1 & 0x7FF == Status.INVALID_NAMESPACE and status >> 15
        count, _, _, status, _, block, nsid = struct.unpack_from("<QHHHHQI", data, 64)
        assert (count, block, nsid) == (1, 1 << 40, 1)
        assert data[128:] == bytes(4096 - 128)
        assert (await log(rig, 2, 512))[176] == 2
    rig.run(work)


def test_firmware_and_effects(rig):
    async def work():
        assert (await log(rig, 3, 512))[:16] == b"\1" + bytes(7) + b"1.0     "
        data = await log(rig, 5, 4096)
        supported = [opcode for opcode in range(256) if data[4 * opcode] & 1]
        assert supported == sorted(Admin) and data[1024 + 4 * Io.WRITE] == 3
    rig.run(work)


@pytest.mark.parametrize("length, offset", [(4, 0), (512, 100), (4096, 4092), (3 * PAGE, 0)])
def test_parts_of_a_log(rig, length, offset):
    async def work():
        whole = (await log(rig, 5, 4096)).ljust(4 * PAGE, b"\0")
        assert await log(rig, 5, length, offset) == whole[offset:offset + length]
    rig.run(work)


@pytest.mark.parametrize("fields, status", [
    (dict(cdw10=0x7F), Status.INVALID_LOG_PAGE), (dict(cdw10=0), Status.INVALID_LOG_PAGE),
    (dict(cdw10=2, nsid=1), Status.INVALID_FIELD), (dict(cdw10=5, cdw12=2), Status.INVALID_FIELD),
    (dict(cdw10=5, cdw12=4100), Status.INVALID_FIELD), (dict(cdw10=5, cdw13=1),
                                                        Status.INVALID_FIELD),
    (dict(cdw10=5, cdw11=0xFFFF), Status.INVALID_FIELD)])
def test_log_errors(rig, fields, status):
    refused(rig, Command(Admin.GET_LOG_PAGE, prp1=PAGE, prp2=2 * PAGE, **fields), status)


# -- asynchronous events and Abort -----------------------------------------------------------------

def test_an_event_is_told_once_until_its_log_is_read(rig):
    controller = rig.controller

    async def work():
        tasks = [rig.scheduler.start(rig.driver.admin(Command(Admin.ASYNC_EVENT)))
                 for _ in range(2)]
        await rig.scheduler.delay(50)
        assert not any(task.done() for task in tasks)
        controller.write_register(controller.doorbell_offset(9), 1)
        assert await tasks[0] == 0x00010000                 # error status, register, log 1
        controller.write_register(controller.doorbell_offset(0), 99)
        await rig.scheduler.delay(50)
        assert not tasks[1].done()                          # masked
        await log(rig, 1, 64, retain=1)
        controller.write_register(controller.doorbell_offset(0), 99)
        await rig.scheduler.delay(50)
        assert not tasks[1].done()                          # the log was read, but retained
        await log(rig, 1, 64)
        controller.write_register(controller.doorbell_offset(0), 99)
        assert await tasks[1] == 0x00010100                 # error status, value, log 1
    rig.run(work)


def test_an_event_that_nobody_waits_for_is_kept(rig):
    async def work():
        rig.controller.write_register(rig.controller.doorbell_offset(9), 1)
        assert await rig.driver.admin(Command(Admin.ASYNC_EVENT)) == 0x00010000
    rig.run(work)


def test_too_many_event_requests(rig):
    async def work():
        for _ in range(4):
            rig.scheduler.start(rig.driver.admin(Command(Admin.ASYNC_EVENT)))
        await rig.scheduler.delay(50)
        with pytest.raises(AdminError, match="TOO_MANY_EVENTS"):
            await rig.driver.admin(Command(Admin.ASYNC_EVENT))
        await rig.driver.start()                            # a reset forgets them
        rig.controller.write_register(rig.controller.doorbell_offset(9), 1)
        assert await rig.driver.admin(Command(Admin.ASYNC_EVENT)) == 0x00010000
    rig.run(work)


def test_abort_of_an_event_request_loses_no_event(rig):
    async def work():
        task = rig.scheduler.start(rig.driver._admin.submit(Command(Admin.ASYNC_EVENT)))
        await rig.scheduler.delay(50)
        (cid,) = rig.driver._admin._waiting
        assert await rig.driver.admin(Command(Admin.ABORT, cdw10=cid << 16)) == 0
        assert (await task).status == Status.ABORT_REQUESTED
        rig.controller.write_register(rig.controller.doorbell_offset(9), 1)
        assert await rig.driver.admin(Command(Admin.ASYNC_EVENT)) == 0x00010000
    rig.run(work)


def hang(rig):
    """From now on no translation is answered."""
    async def translate(access):
        await rig.scheduler.event().wait()
    rig.controller.client._translator = type("Silent", (), {"translate": staticmethod(translate)})


@pytest.mark.parametrize("way", ["abort", "delete", "reset"])
def test_a_command_that_hangs(rig, way):
    """It does not make anything else hang, and moves no byte."""
    async def work():
        pair = await rig.driver.create_queue(pasid=5, direct=True)
        hang(rig)
        task = rig.scheduler.start(pair.submit(rw(Io.READ, VBA // PAGE, 1, VA)))
        await rig.scheduler.delay(100)
        if way == "abort":
            (cid,) = pair._waiting
            assert await rig.driver.admin(Command(Admin.ABORT, cdw10=pair.qid | cid << 16)) == 0
            assert (await task).status == Status.ABORT_REQUESTED
            assert await rig.driver.admin(Command(Admin.ABORT, cdw10=pair.qid | cid << 16)) == 1
        elif way == "delete":
            begin = rig.scheduler.now
            await rig.driver.delete_queue(pair)
            assert rig.scheduler.now - begin < rig.controller.DELETE_CYCLES + 100
        else:
            await rig.driver.start()
        await rig.driver.drain(5)                           # nothing of it is in execution
    rig.run(work)


def test_subsystem_reset(rig):
    async def work():
        rig.controller.write_register(Register.NSSR, 0x12345678)
        assert rig.controller.read_register(Register.CSTS) == 1
        rig.controller.write_register(Register.NSSR, 0x4E564D65)
        assert rig.controller.read_register(Register.CC) == 0
        assert rig.controller.read_register(Register.CSTS) == 1 << 4
        rig.controller.write_register(Register.CSTS, 1 << 4)
        assert rig.controller.read_register(Register.CSTS) == 0
        await rig.driver.start()
    rig.run(work)


# -- direct queues in a BAR of their own -----------------------------------------------------------

class Face:
    """A second driver: direct queues by registers, no admin command."""

    def __init__(self, rig):
        self.rig, self.direct = rig, DirectQueues(rig.controller, 4)
        self.rings = rig.memory.alloc_pages(), rig.memory.alloc_pages()

    async def command(self, opcode, **words):
        """Writes registers and a command; returns STATUS once it is over."""
        offsets = dict(index=0x10, pasid=0x14, sq=0x18, cq=0x20, entries=0x28, vector=0x2C)
        for name, value in words.items():
            self.direct.write_register(offsets[name], value)
        self.direct.write_register(0x30, opcode)
        while self.direct.read_register(0x34) & BUSY:
            await self.rig.scheduler.delay(1)
        return Status(self.direct.read_register(0x34))

    async def create(self, **words):
        return await self.command(CREATE, **{**dict(
            index=2, pasid=9, sq=self.rings[0], cq=self.rings[1], entries=7 | 7 << 16), **words})


@pytest.fixture
def face(rig):
    return Face(rig)


def test_the_face_tells_what_it_is(face):
    read = face.direct.read_register
    assert [read(offset) for offset in (0, 4, 8, 12, 0x34, 0x38)] == [0x31514453, 1, 4, 1024, 0, 0]
    assert read(0, 8) == 1 << 32 | 0x31514453 and read(1, 1) == 0x44 and read(0x1000) == 0
    assert face.direct.bytes == 5 * PAGE
    face.direct.write_register(0, 5)
    face.direct.write_register(0x18, 0x1122334455667000, 8)
    assert read(0) == 0x31514453 and read(0x18, 8) == 0x1122334455667000


def test_a_direct_queue_from_create_to_delete(rig, face):
    frame = rig.memory.alloc_pages()
    rig.script.map(0, VA, frame)
    rig.script.map(1, VBA, 3 * PAGE)
    sq, cq = face.rings

    async def work():
        assert await face.create() is Status.SUCCESS
        assert face.direct.read_register(0x38) == 1
        for index in range(20):                             # the rings wrap
            slot = index % 8
            rig.memory.write(sq + 64 * slot, rw(Io.READ, VBA // PAGE, 1, VA, cid=index).pack())
            face.direct.write_register(3 * PAGE, (slot + 1) % 8)
            await rig.scheduler.delay(500)
            done = Completion.unpack(rig.memory.read(cq + 16 * slot, 16))
            assert done.ok and done.cid == index and done.phase == 1 - index // 8 % 2
            face.direct.write_register(3 * PAGE + 8, (slot + 1) % 8)
        assert {access.pasid for access in rig.script.asked} == {9}
        assert rig.controller.bad_doorbells == 0
        assert await face.command(DELETE) is Status.SUCCESS
        assert face.direct.read_register(0x38) == 0
        face.direct.write_register(3 * PAGE, 1)
        assert rig.controller.bad_doorbells == 1
        assert await face.create() is Status.SUCCESS
    rig.run(work)
    assert rig.memory.read(frame, PAGE) == bytes(rig.disks[0][3 * PAGE:4 * PAGE])


def test_a_vector_of_a_direct_queue(rig, face):
    vectors = []
    rig.controller.interrupt = vectors.append

    async def work():
        await face.create(vector=5 | 1 << 31)
        vectors.clear()
        rig.memory.write(face.rings[0], Command(Io.FLUSH, nsid=1).pack())
        face.direct.write_register(3 * PAGE, 1)
        await rig.scheduler.delay(100)
    rig.run(work)
    assert vectors == [5]


@pytest.mark.parametrize("words, status", [
    (dict(index=4), Status.INVALID_QUEUE_ID), (dict(sq=8), Status.PRP_OFFSET_INVALID),
    (dict(cq=8), Status.PRP_OFFSET_INVALID), (dict(entries=0), Status.INVALID_QUEUE_SIZE),
    (dict(entries=7 | 1024 << 16), Status.INVALID_QUEUE_SIZE),
    (dict(pasid=1 << 20), Status.INVALID_FIELD), (dict(vector=1 << 16), Status.INVALID_FIELD),
    (dict(vector=1 << 31 | 33), Status.INVALID_INTERRUPT_VECTOR)])
def test_creates_that_are_refused(rig, face, words, status):
    async def work():
        assert await face.create(**words) is status
        assert await face.create(**{**dict(index=0, vector=0), **{
            name: value for name, value in dict(pasid=9, sq=face.rings[0], cq=face.rings[1],
                                                entries=7 | 7 << 16).items()}}) is Status.SUCCESS
    rig.run(work)


def test_other_errors_of_the_face(rig, face):
    async def work():
        assert await face.create() is Status.SUCCESS
        assert await face.create() is Status.INVALID_QUEUE_ID       # it exists
        assert await face.command(DELETE, index=3) is Status.INVALID_QUEUE_ID
        assert await face.command(99) is Status.INVALID_OPCODE
        assert await face.command(DRAIN, pasid=9) is Status.SUCCESS
        assert await face.command(DRAIN, pasid=1 << 20) is Status.INVALID_FIELD
        # The NVMe driver's commands do not reach it, nor do the controller's doorbells.
        qid = rig.controller.queues + 3
        for opcode in (Admin.DELETE_SQ, Admin.DELETE_CQ):
            with pytest.raises(AdminError, match="INVALID_QUEUE_ID"):
                await rig.driver.admin(Command(opcode, cdw10=qid))
        rig.controller.write_register(rig.controller.doorbell_offset(qid), 1)
        assert rig.controller.bad_doorbells == 1
        rig.controller.write_register(Register.CC, 0)
        assert face.direct.read_register(0x38) == 0
        assert await face.create() is Status.COMMAND_SEQUENCE_ERROR
    rig.run(work)
