"""The operating system's part and the user library, over real ext4 and a core that caches."""

import mmap
import random
from errno import EACCES, EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ELOOP, ENODEV, ENOENT, EROFS

import pytest

from sim.device.ext4 import Ext4Image
from sim.device.nvme import Controller, Latency, Media
from sim.device.nvme.defs import Io, read_fault
from sim.host.control import Command as CoreCommand
from sim.host.control import GoldenControlPlane, Reg, RegisterControl
from sim.host.kernel import Kernel
from sim.host.userlib import AccessDenied, UserLibrary
from sim.memory import Memory
from sim.model.golden import Access, GoldenModel
from sim.model.translators import GoldenTranslator
from sim.time.scheduler import Scheduler
from siommu.arch.formats import Cause, Disposition

from ...support.caching_core import CachingModel

PAGE = 4096


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The image that every test gets a copy of."""
    folder = tmp_path_factory.mktemp("files")
    rng = random.Random(11)
    (folder / "home").mkdir()
    (folder / "private").mkdir()
    (folder / "home" / "large").write_bytes(rng.randbytes(2_500_001))
    (folder / "home" / "small").write_bytes(rng.randbytes(777))
    (folder / "private" / "secret").write_bytes(rng.randbytes(5000))
    with open(folder / "home" / "sparse", "wb") as file:
        file.write(rng.randbytes(6000))
        file.seek(400_000)
        file.write(rng.randbytes(6000))
        file.truncate((6 << 20) + 100)
    (folder / "home" / "link").symlink_to("small")
    image = Ext4Image.make(folder, folder.parent / "template.img", size=24 << 20)
    image.write_fragmented(folder / "home" / "large", "/home/fragments", 5)
    for path, uid, gid, mode in (("/home/large", 10, 20, 0o640), ("/home/small", 10, 20, 0o604),
                                 ("/home/sparse", 10, 20, 0o666), ("/private", 10, 20, 0o700),
                                 ("/private/secret", 10, 20, 0o666),
                                 ("/home/fragments", 10, 20, 0o664)):
        image.set_owner(path, uid, gid, mode)
    return image.path


class Rig:
    def __init__(self, template, tmp_path, lba=4096, levels=4, **options):
        path = tmp_path / "disk.img"
        path.write_bytes(template.read_bytes())
        self.image = Ext4Image(path)
        self.scheduler = Scheduler()
        self.memory = Memory(seed=1)
        model = CachingModel(self.memory)
        self.commands = []
        self.plane = GoldenControlPlane(self.scheduler, self.memory, model,
                                        invalidated=self._invalidated)
        self.core = GoldenTranslator(model, self.scheduler, 2, self.plane)
        self.control = RegisterControl(self.scheduler, self.memory, self.plane.platform, **options)
        self.kernel = Kernel(self.scheduler, self.memory, self.control, levels=levels)
        self.media = Media(Latency(read=20, write=20, units=4, transfer=2, command=2))
        # The image lies behind another namespace: its blocks do not begin at 0.
        self.media.add_namespace(bytearray(3 * PAGE))
        self.handle = open(path, "r+b")
        self.disk = mmap.mmap(self.handle.fileno(), 0)
        self.media.add_namespace(self.disk, lba)

    def run(self, work):
        async def main():
            await self.kernel.start()
            controller = Controller(self.scheduler, self.memory, self.media, self.core, 0x42)
            self.ssd = await self.kernel.add_ssd(controller, 5, self.image, nsid=2)
            return await work()
        try:
            return self.scheduler.run(main())
        finally:
            self.media.close()
            self.disk.close()
            self.handle.close()

    def user(self, name, uid, gids=()):
        return UserLibrary(self.kernel, self.kernel.spawn(name, uid, gids))

    def _invalidated(self, command):
        self.commands.append(command)
        self.core.model.invalidated(command)

    def count(self, name):
        return self.plane._counts[name]

    async def records(self, number, cycles=2000):
        """The last ``number`` entries of the fault log, once so many have come."""
        log = self.kernel.faults.log
        for _ in range(cycles):
            if len(log) >= number:
                return list(log)[-number:]
            await self.scheduler.delay(1)
        raise AssertionError(f"the fault log has {len(log)} entries")


@pytest.fixture(params=[(4096, 4), (512, 5)], ids=["4096", "512"])
def rig(template, tmp_path, request):
    return Rig(template, tmp_path, *request.param)


# -- opening -----------------------------------------------------------------------------------

@pytest.mark.parametrize("uid, gids, path, mode, error", [
    (10, [], "/home/large", "rw", None),
    (11, [20], "/home/large", "r", None),
    (11, [20], "/home/large", "rw", EACCES),
    (11, [20], "/home/large", "w", EACCES),
    (11, [], "/home/large", "r", EACCES),
    (11, [], "/home/small", "r", None),
    (11, [20], "/home/small", "r", EACCES),             # the group's bits decide, not the others'
    (11, [], "/private/secret", "r", EACCES),           # the directory cannot be searched
    (10, [], "/private/secret", "rw", None),
    (0, [], "/private/secret", "rw", None),
    (10, [], "/home/absent", "r", ENOENT),
    (10, [], "/home", "r", EISDIR),
    (10, [], "/home/link", "r", ELOOP),
    (10, [], "/home/small", "a", EINVAL),
])
def test_permissions(template, tmp_path, uid, gids, path, mode, error):
    rig = Rig(template, tmp_path)

    async def work():
        user = rig.user("user", uid, gids)
        if error is None:
            assert (await user.open(path, mode)).fd == 3
            return
        with pytest.raises(OSError) as caught:
            await user.open(path, mode)
        assert caught.value.errno == error or \
            error == ENOENT and isinstance(caught.value, FileNotFoundError)
        assert not user.process.files
    rig.run(work)


def test_the_file_table_is_built_once_and_shared(template, tmp_path):
    rig = Rig(template, tmp_path)

    async def work():
        owner, other = rig.user("owner", 10), rig.user("other", 11, [20])
        first = await owner.open("/home/large", "rw")
        second = await other.open("/home/large", "r")
        again = await other.open("/home/large", "r")
        assert first.shared is second.shared is again.shared
        assert first.shared.table.attachments == 3
        assert owner.process.sto.entry_address(first.vba) == \
            other.process.sto.entry_address(second.vba)
        assert (second.fd, again.fd) == (3, 4) and second.vba != again.vba
        await other.close(second)
        assert first.shared.table.attachments == 2
        assert (await other.open("/home/sparse")).fd == 3
        await owner.close(first)
        await other.close(again)
        assert (await owner.open("/home/large")).shared is not first.shared
    rig.run(work)


# -- reading and writing -----------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/home/large", "/home/fragments", "/home/small", "/home/sparse",
                                  "/private/secret"])
def test_whole_files(rig, path):
    expected = rig.image.content(path)

    async def work():
        user = rig.user("user", 10)
        opened = await user.open(path)
        assert await user.pread(opened, 1 << 24, 0) == expected
        assert await user.pread(opened, 10, len(expected)) == b""
        assert (user.through_kernel > 0) == (path == "/home/sparse")
    rig.run(work)


@pytest.mark.parametrize("seed", range(4))
def test_random_reads_and_writes(rig, seed):
    """Against a bytearray: unaligned, over holes, over the end, by two processes."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    path = ("/home/sparse", "/home/fragments")[seed % 2]
    expected = bytearray(rig.image.content(path))

    async def work():
        users = [rig.user("owner", 10), rig.user("member", 12, [20])]
        files = [await user.open(path, "rw") for user in users]
        for _ in range(40):
            user, opened = rng.choice(list(zip(users, files)))
            offset = rng.randrange(len(expected) + 3000)
            if rng.random() < 0.5:
                offset = offset // PAGE * PAGE
            length = rng.choice((1, 100, PAGE, rng.randrange(1, 40_000)))
            if rng.random() < 0.5:
                assert await user.pread(opened, length, offset) == \
                    expected[offset:offset + length]
            else:
                data = rng.randbytes(length)
                assert await user.pwrite(opened, data, offset) == length
                expected.extend(bytes(max(0, offset + length - len(expected))))
                expected[offset:offset + length] = data
        assert await users[0].pread(files[0], 1 << 24, 0) == expected
        if path == "/home/fragments":
            assert sum(user.direct for user in users) > 20
        else:
            assert sum(user.through_kernel for user in users) > 20
    rig.run(work)
    assert rig.image.content(path) == expected
    rig.image.check()


def test_without_a_copy(rig):
    expected = rig.image.content("/home/large")

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large", "rw")
        buffer = rig.kernel.map_buffer(user.process, 2 << 20)
        assert await user.pread_into(opened, buffer, 1 << 20, 1 << 20) == 1 << 20
        assert user.process.read(buffer, 1 << 20) == expected[1 << 20:2 << 20]
        tail = 2_500_001 // PAGE * PAGE
        assert await user.pread_into(opened, buffer, 2 * PAGE, tail) == 2_500_001 - tail
        assert user.process.read(buffer, 2_500_001 - tail) == expected[tail:]
        assert await user.pread_into(opened, buffer, PAGE, tail + PAGE) == 0
        user.process.write(buffer, b"Z" * 2 * PAGE)
        assert await user.pwrite_from(opened, buffer, 2 * PAGE, PAGE) == 2 * PAGE
        assert user.through_kernel == 0
        await user.flush(opened)
        for arguments in ((buffer, PAGE, 100), (buffer, 100, 0), (buffer + 2, PAGE, 0),
                          (buffer, 0, 0)):
            with pytest.raises(ValueError, match="must be multiples"):
                await user.pread_into(opened, *arguments)
    rig.run(work)
    assert rig.image.content("/home/large") == \
        expected[:PAGE] + b"Z" * 2 * PAGE + expected[3 * PAGE:]


def test_append(rig):
    expected = rig.image.content("/home/small")

    async def work():
        user, reader = rig.user("user", 10), rig.user("reader", 11)
        opened, other = await user.open("/home/small", "rw"), await reader.open("/home/small")
        buffer = rig.kernel.map_buffer(user.process, 64 << 10)
        user.process.write(buffer, b"tail" * (16 << 10))
        invalidations = rig.count("invalidations")
        assert await rig.kernel.append(user.process, opened.fd, buffer, 64 << 10) == 777
        assert await rig.kernel.append(user.process, opened.fd, buffer, 4) == 777 + (64 << 10)
        assert rig.count("invalidations") == invalidations      # giving a right needs none
        # The reader, who had it open before, reads the new pages directly.
        data = await reader.pread(other, 1 << 20, 0)
        assert data == expected + b"tail" * (16 << 10) + b"tail"
        assert reader.through_kernel == 0
    rig.run(work)
    assert len(rig.image.content("/home/small")) == 777 + (64 << 10) + 4
    rig.image.check()


def test_what_was_behind_the_end_is_not_shown(template, tmp_path):
    """A process may write the whole last page; a longer file must not show what it left there."""
    rig = Rig(template, tmp_path, lba=4096)
    expected = rig.image.content("/home/small")

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/small", "rw")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        user.process.write(buffer, expected + b"!" * (PAGE - len(expected)))
        assert (await user.command(rig.ssd, Io.WRITE, opened.vba, buffer, PAGE)).ok
        assert await user.pwrite(opened, b"far", 3 * PAGE) == 3
        assert await user.pread(opened, 1 << 20, 0) == expected + bytes(3 * PAGE - 777) + b"far"
    rig.run(work)
    rig.image.check()


def test_growth_is_limited_while_open(template, tmp_path):
    rig = Rig(template, tmp_path)

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/small", "rw")
        with pytest.raises(OSError) as error:
            await user.pwrite(opened, b"x", 200 << 20)
        assert error.value.errno == EFBIG
    rig.run(work)
    rig.image.check()


def test_readonly_file_system(template, tmp_path):
    rig = Rig(template, tmp_path)
    rig.image.read_only = True

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/small", "rw")
        with pytest.raises(OSError) as error:
            await user.pwrite(opened, b"x" * 1000, 0)
        assert error.value.errno == EROFS
    rig.run(work)


# -- faults ------------------------------------------------------------------------------------

async def refused(rig, user, opcode, vba, vaddr, cause, disposition=Disposition.DENY, ft=1):
    completion = await user.command(rig.ssd, opcode, vba, vaddr, PAGE)
    assert read_fault(completion) == (cause.value, disposition.value, ft)


def test_open_modes_are_enforced(rig):
    async def work():
        user = rig.user("user", 10)
        reading, writing = await user.open("/home/large", "r"), await user.open("/home/large", "w")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        await refused(rig, user, Io.WRITE, reading.vba, buffer, Cause.WRITE_DENIED)
        await refused(rig, user, Io.READ, writing.vba, buffer, Cause.READ_DENIED)
        assert (await user.command(rig.ssd, Io.READ, reading.vba, buffer, PAGE)).ok
        assert (await user.command(rig.ssd, Io.WRITE, writing.vba, buffer, PAGE)).ok
        with pytest.raises(AccessDenied, match="WRITE_DENIED, DENY") as error:
            await user.pwrite_from(reading, buffer, PAGE, 0)
        assert (error.value.cause, error.value.ft, error.value.errno) == \
            (Cause.WRITE_DENIED, 1, EACCES)
        with pytest.raises(OSError, match="not open for writing"):
            await user.pwrite(reading, b"x", 10 << 20)
        with pytest.raises(OSError, match="not open for reading"):
            await rig.kernel.pread(user.process, writing.fd, buffer, 1, 0)
    rig.run(work)


def test_close_takes_effect_despite_the_caches(rig):
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large", "r")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
        await user.close(opened)
        await refused(rig, user, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT)
        with pytest.raises(OSError) as error:
            await user.close(opened)
        assert error.value.errno == EBADF
    rig.run(work)


def test_revoke_reaches_every_process(rig):
    async def work():
        users = [rig.user("a", 10), rig.user("b", 11, [20])]
        files = [await user.open("/home/large") for user in users]
        untouched = await users[0].open("/home/small")
        buffers = [rig.kernel.map_buffer(user.process, PAGE) for user in users]
        for user, opened, buffer in zip(users, files, buffers):
            assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
        await rig.kernel.revoke("/home/large")
        for user, opened, buffer in zip(users, files, buffers):
            await refused(rig, user, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT)
            with pytest.raises(OSError):
                await rig.kernel.pread(user.process, opened.fd, buffer, 1, 0)
            await user.close(opened)
        assert await users[0].pread(untouched, 777, 0) == rig.image.content("/home/small")
        await rig.kernel.revoke("/home/large")          # nobody has it open: nothing to do
    rig.run(work)


def test_close_waits_for_a_transfer_that_was_granted(rig):
    """Granted before, still moving: the blocks must not get a new owner under it."""
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large", "rw")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        rig.media.latency.__dict__["write"] = 50_000
        task = rig.scheduler.start(user.command(rig.ssd, Io.WRITE, opened.vba, buffer, PAGE))
        await rig.scheduler.delay(100)
        await user.close(opened)
        assert rig.scheduler.now > 50_000
        assert (await task).ok
    rig.run(work)


def test_commands_during_a_blunt_revocation_are_sent_again(rig):
    """The command queue is in error: all caches are emptied, and requests get CORE_OFF."""
    expected = rig.image.content("/home/large")

    async def work():
        user, other = rig.user("user", 10), rig.user("other", 10)
        opened, closing = await user.open("/home/large"), await other.open("/home/small")
        assert await other.pread(closing, 10, 0)
        await rig.control.commands.submit(CoreCommand(0x99))
        rig.core.cycles = 3000                          # so that being off takes long enough
        task = rig.scheduler.start(user.pread(opened, PAGE, 0))
        await rig.scheduler.delay(100)
        rig.core.cycles = 2
        closed = rig.scheduler.start(other.close(closing))
        await rig.scheduler.delay(100)
        assert await user.pread(opened, PAGE, PAGE) == expected[PAGE:2 * PAGE]
        assert user.through_kernel == 0
        assert await task == expected[:PAGE]
        await closed
        assert rig.kernel.blunt_revocations == 1 and not rig.plane.read(Reg.CQ_STATUS)[0] & 3
        buffer = rig.kernel.map_buffer(other.process, PAGE)
        await refused(rig, other, Io.READ, closing.vba, buffer, Cause.NOT_PRESENT)
        await user.close(opened)                        # the queue works again
        assert rig.kernel.blunt_revocations == 1
    rig.run(work)


def test_what_is_invalidated(template, tmp_path):
    """Selectively, by PASID, kind and range, for all devices; one fence each."""
    rig = Rig(template, tmp_path)

    async def work():
        user, other = rig.user("user", 10), rig.user("other", 11, [20])
        files = [await user.open("/home/large"), await user.open("/home/small", "rw"),
                 await other.open("/home/large")]
        buffer = rig.kernel.map_buffer(user.process, 3 * PAGE)
        rig.commands.clear()
        assert rig.count("fences") == 0
        await user.close(files[1])
        # 65 level-2 entries of 512 pages each: 2^16 pages in one command.
        assert files[1].shared.table.reserve == 65 and files[1].vba % (1 << 28) == 0
        assert rig.commands == [(0x0100_0001_0000_1E01, files[1].vba)]
        assert rig.count("fences") == 1
        rig.commands.clear()
        await rig.kernel.unmap_buffer(user.process, buffer)
        assert [(word0 & 0xF_FFFF_0000_FFFF, word1) for word0, word1 in rig.commands][0] == \
            (0x0000_0001_0000_0E01, buffer)
        assert rig.count("fences") == 2
        await rig.kernel.revoke("/home/large")          # two processes, one fence
        assert rig.count("fences") == 3
        rig.commands.clear()
        await rig.kernel.exit(user.process)
        assert rig.commands == [(0x0000_0001_0000_0202, 0), (0x0000_0001_0000_0201, 0)]
        assert rig.count("fences") == 4 and None not in rig.commands
    rig.run(work)


@pytest.mark.parametrize("missing", ["INVAL_TLB", "INVAL_CONTEXT"])
def test_the_caching_core_would_show_a_missing_invalidation(template, tmp_path, missing):
    rig = Rig(template, tmp_path)
    drop = rig.core.model.invalidated
    rig.core.model.invalidated = lambda command: None if missing == "INVAL_TLB" or \
        command is not None and command[0] & 0xFF == 2 else drop(command)

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
        if missing == "INVAL_TLB":
            await user.close(opened)
            assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
            return
        await rig.kernel.exit(user.process)
        assert any(key[0] == "context" for key in rig.core.model.cache)
    rig.run(work)


def test_two_that_close_at_once(rig):
    """The file table is freed after the last fence, not after the first."""
    async def work():
        users = [rig.user("a", 10), rig.user("b", 10), rig.user("c", 10)]
        files = [await user.open("/home/large") for user in users]
        buffers = [rig.kernel.map_buffer(user.process, PAGE) for user in users]
        for user, opened, buffer in zip(users, files, buffers):
            assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
        tasks = [rig.scheduler.start(user.close(opened)) for user, opened in zip(users, files)]
        tasks.append(rig.scheduler.start(rig.kernel.revoke("/home/large")))
        for task in tasks:
            await task
        for user, opened, buffer in zip(users, files, buffers):
            await refused(rig, user, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT)
        assert files[0].shared.attached == 0 and not files[0].shared.table._chunks
    rig.run(work)


def test_prefetch_at_open(rig):
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large", prefetch=True)
        await user.open("/home/small", prefetch=True)
        await user.open("/home/small")
        await rig.control.fence()
        assert rig.count("prefetches") == 2
        assert rig.memory.read_u64(rig.control.commands.base) == 0x0080_0001_0042_1004
        assert rig.memory.read_u64(rig.control.commands.base + 8) == opened.vba
    rig.run(work)


def test_unmapped_buffer(rig):
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large")
        buffer = rig.kernel.map_buffer(user.process, 2 * PAGE)
        other = rig.user("other", 10)
        await refused(rig, user, Io.READ, opened.vba, buffer + 2 * PAGE, Cause.NOT_PRESENT, ft=0)
        assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer, PAGE)).ok
        await rig.kernel.unmap_buffer(user.process, buffer)
        await refused(rig, user, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT, ft=0)
        with pytest.raises(AccessDenied):
            await user.pread_into(opened, buffer, PAGE, 0)
        with pytest.raises(OSError) as error:
            await rig.kernel.unmap_buffer(user.process, buffer)
        assert error.value.errno == EFAULT
        with pytest.raises(OSError):
            other.process.read(buffer, 1)
    rig.run(work)


def test_lazy_buffer(rig):
    """Interrupt, record, mapping: the process only sends its command again."""
    expected = rig.image.content("/home/large")

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large")
        buffer = rig.kernel.map_buffer(user.process, 40 * PAGE, lazy=True)
        await refused(rig, user, Io.READ, opened.vba, buffer + 2 * PAGE, Cause.NOT_PRESENT,
                      Disposition.REMAP, 0)
        (entry,) = await rig.records(1)
        record = entry.record
        assert (entry.process, entry.outcome) == ("user", "mapped")
        assert (record.cause, record.disposition, record.ft, record.write, record.pasid,
                record.device, record.addr, record.level) == \
            (Cause.NOT_PRESENT, Disposition.REMAP, 0, 1, user.process.pasid, 0x42,
             buffer + 2 * PAGE, 1)
        assert record.entry == user.process.mem.entry_address(buffer + 2 * PAGE)
        assert user.process.find(buffer, 1).mapped == set(range(16))
        assert (await user.command(rig.ssd, Io.READ, opened.vba, buffer + 2 * PAGE, PAGE)).ok
        # The library, over pages that are mapped and two more rounds of faults.
        assert await user.pread_into(opened, buffer + PAGE, 35 * PAGE, 0) == 35 * PAGE
        assert user.process.read(buffer + PAGE, 36 * PAGE) == expected[:35 * PAGE] + bytes(PAGE)
        assert (user.remapped, user.direct) == (2, 1)
        assert rig.kernel.faults.outcomes == {"mapped": 3} and not rig.kernel.own_remaps
        await rig.kernel.unmap_buffer(user.process, buffer)
        await refused(rig, user, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT, ft=0)
    rig.run(work)


def test_lazy_buffer_without_a_record(rig):
    """The device is quiet, so no record comes: the process has the kernel map its buffer."""
    expected = rig.image.content("/home/large")

    async def work():
        user = rig.user("user", 10)
        rig.kernel.devices.set(0x42, devid=5, pasids=rig.kernel.pasids, quiet=True)
        await rig.control.fence(CoreCommand(0x0042_0102))
        opened = await user.open("/home/large")
        buffer = rig.kernel.map_buffer(user.process, 3 * PAGE, lazy=True)
        assert await user.pread_into(opened, buffer, 3 * PAGE, 0) == 3 * PAGE
        assert user.process.read(buffer, 3 * PAGE) == expected[:3 * PAGE]
        assert rig.kernel.own_remaps == 1 and not rig.kernel.faults.log
        assert rig.count("faults") == 1 and not rig.count("faults_lost")
    rig.run(work)


def test_a_storm_of_faults_does_not_keep_others_from_their_memory(template, tmp_path):
    rig = Rig(template, tmp_path, fault_log2=3, quota=2)

    async def work():
        user, bad = rig.user("user", 10), rig.user("bad", 10)
        opened = await user.open("/home/large")
        await bad.open("/home/small")
        vaddr = rig.kernel.map_buffer(bad.process, PAGE)

        async def storm():
            for index in range(60):
                await bad.command(rig.ssd, Io.READ, (1 << 45) + index * PAGE, vaddr, PAGE)
        storms = [rig.scheduler.start(storm()) for _ in range(4)]
        buffer = rig.kernel.map_buffer(user.process, 64 * PAGE, lazy=True)
        assert await user.pread_into(opened, buffer, 64 * PAGE, 0) == 64 * PAGE
        for task in storms:
            await task
        assert rig.count("faults") == rig.count("faults_lost") + len(rig.kernel.faults.log)
        assert len(bad.process.faults) and {entry.outcome for entry in bad.process.faults} == \
            {"refused"}
    rig.run(work)


def test_faults_by_disposition(rig):
    async def work():
        user = rig.user("user", 10)
        sparse = await user.open("/home/sparse")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        await user.command(rig.ssd, Io.WRITE, sparse.vba, buffer, PAGE)
        await user.command(rig.ssd, Io.READ, sparse.vba + 600 * PAGE, buffer, PAGE)
        records = await rig.records(2)
        assert [(entry.record.cause, entry.outcome, entry.record.write, entry.record.ft)
                for entry in records] == [(Cause.WRITE_DENIED, "refused", 1, 1),
                                          (Cause.NOT_PRESENT, "left to the kernel", 0, 1)]
        assert list(user.process.faults) == records
        # What a record says is only believed if the process has such memory.
        forged = records[0].record.__class__(
            **{**records[0].record.__dict__, "disposition": Disposition.REMAP})
        for changes in ({}, {"ft": 0, "addr": buffer + PAGE}, {"ft": 0, "pasid": 77}):
            rig.kernel.faults.handle(type(forged)(**{**forged.__dict__, **changes}))
        assert [entry.outcome for entry in rig.kernel.faults.log][2:] == ["no such memory"] * 3
        assert rig.kernel.faults.log[-1].process == "-" and user.process.remaps == 0
    rig.run(work)


def test_read_only_buffer(rig):
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/large", "rw")
        buffer = rig.kernel.map_buffer(user.process, PAGE, writable=False)
        await refused(rig, user, Io.READ, opened.vba, buffer, Cause.WRITE_DENIED, ft=0)
        assert (await user.command(rig.ssd, Io.WRITE, opened.vba, buffer, PAGE)).ok
    rig.run(work)


def test_holes_say_os_and_the_end_says_deny(rig):
    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/sparse", "rw")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        for page in (2, 50, 96, 511, 512, 1000, 1535, 1536):
            await refused(rig, user, Io.READ, opened.vba + page * PAGE, buffer, Cause.NOT_PRESENT,
                          Disposition.OS)
        for page in (1537, 1538, 2048, 100_000):
            await refused(rig, user, Io.READ, opened.vba + page * PAGE, buffer, Cause.NOT_PRESENT)
        await user.pwrite(opened, b"now there is a block", 600 * PAGE)
        assert (await user.command(rig.ssd, Io.READ, opened.vba + 600 * PAGE, buffer, PAGE)).ok
        assert user.process.read(buffer, 20) == b"now there is a block"
        await refused(rig, user, Io.READ, opened.vba + 601 * PAGE, buffer, Cause.NOT_PRESENT,
                      Disposition.OS)
    rig.run(work)
    rig.image.check()


def test_a_write_into_the_last_page_does_not_extend_the_file(rig):
    expected = bytearray(rig.image.content("/home/sparse"))

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/sparse", "rw")
        await user.pwrite(opened, b"end", (6 << 20) + 97)
        assert opened.shared.size == (6 << 20) + 100 and user.through_kernel
    rig.run(work)
    expected[-3:] = b"end"
    assert rig.image.content("/home/sparse") == expected


def test_blocks_beyond_the_end_are_not_mapped(template, tmp_path):
    """A file system may have allocated more than the size says; that is nobody's data."""
    rig = Rig(template, tmp_path)
    number = rig.image.inode("/home/small").number
    rig.image.mark_written(number, rig.image.allocate(number, range(1, 4)))
    assert sum(extent.count for extent in rig.image.inode("/home/small").extents) == 4

    async def work():
        user = rig.user("user", 10)
        opened = await user.open("/home/small", "rw")
        buffer = rig.kernel.map_buffer(user.process, PAGE)
        for page in (1, 2, 3, 4):
            await refused(rig, user, Io.READ, opened.vba + page * PAGE, buffer, Cause.NOT_PRESENT)
    rig.run(work)


def test_exit_frees_everything(rig):
    async def work():
        first = rig.user("first", 10)
        await rig.kernel.exit(first.process)            # the allocator has what it needs now
        used = len(rig.memory._used)
        for _ in range(3):
            user = rig.user("user", 10)
            opened = await user.open("/home/large", "rw")
            await user.open("/home/sparse")
            await user.pread(opened, 300_000, 0)
            buffer = rig.kernel.map_buffer(user.process, PAGE)
            await rig.kernel.exit(user.process)
            assert user.process.pasid not in rig.kernel.processes
            ghost = UserLibrary(rig.kernel, user.process)
            await refused(rig, ghost, Io.READ, opened.vba, buffer, Cause.PASID_INVALID)
            await rig.ssd.driver.delete_queue(user.process.queues[rig.ssd])
        assert len(rig.memory._used) == used
    rig.run(work)


def test_queues_are_bound_to_their_process(rig):
    """The PASID is the queue's: nothing in a command can name another process."""
    async def work():
        user, other = rig.user("user", 10), rig.user("other", 10)
        opened = await user.open("/home/large")
        await other.open("/home/small")
        queue = await rig.kernel.queue(other.process, rig.ssd)
        sq = rig.ssd.controller.sqs[queue.qid]
        assert sq.direct and sq.pasid == other.process.pasid != user.process.pasid
        buffer = rig.kernel.map_buffer(other.process, PAGE)
        await refused(rig, other, Io.READ, opened.vba, buffer, Cause.NOT_PRESENT)
    rig.run(work)


def test_there_must_be_a_file_system(template, tmp_path):
    rig = Rig(template, tmp_path)

    async def work():
        rig.ssd.filesystem = None
        with pytest.raises(OSError) as error:
            await rig.user("user", 0).open("/home/small")
        assert error.value.errno == ENODEV
    rig.run(work)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_old_is_granted(template, tmp_path, seed):
    """Random opens, closes, buffers, revocations and exits, several at once. Whatever the caching
    core grants afterwards, of all that was ever granted, the tables grant as well, alike."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    rig = Rig(template, tmp_path, command_log2=2)
    known = set()

    def look():
        fresh = GoldenModel(rig.memory)
        cached = rig.core.model
        fresh.mode, fresh.ddt_base, fresh.ddt_log2 = cached.mode, cached.ddt_base, cached.ddt_log2
        granted = 0
        for access in sorted(known, key=repr):
            ours, truth = cached.translate_page(access, 0), fresh.translate_page(access, 0)
            assert (ours.cause, ours.addr) == (truth.cause, truth.addr), access
            granted += ours.granted
        return granted

    async def one():
        """What a user does: files and buffers come and go, and are used."""
        user = rig.user("user", 10)
        files, buffers = [], []
        for _ in range(rng.randrange(4, 12)):
            await rig.scheduler.delay(rng.randrange(40))
            what = rng.randrange(6)
            if what <= 1 or not files:
                files.append(await user.open(rng.choice(("/home/large", "/home/fragments")),
                                             rng.choice(("r", "rw")), prefetch=rng.random() < .3))
                buffers.append(rig.kernel.map_buffer(user.process, rng.randrange(1, 9) * PAGE,
                                                     lazy=rng.random() < .5))
            elif what == 2:
                await user.close(files.pop(rng.randrange(len(files))))
            elif what == 3 and buffers:
                await rig.kernel.unmap_buffer(user.process,
                                              buffers.pop(rng.randrange(len(buffers))))
            elif what == 4 and rng.random() < .3:
                await rig.kernel.revoke("/home/large")
            elif buffers and not files[-1].revoked:
                offset, buffer = rng.randrange(100) * PAGE, rng.choice(buffers)
                known.add(Access(1, 0, 0x42, user.process.pasid, files[-1].vba + offset, 0))
                known.add(Access(0, 1, 0x42, user.process.pasid, buffer, 0))
                await user.command(rig.ssd, Io.READ, files[-1].vba + offset, buffer, PAGE)
        if rng.random() < .5:
            await rig.kernel.exit(user.process)

    async def work():
        granted = 0
        for _ in range(5):
            for task in [rig.scheduler.start(one()) for _ in range(3)]:
                await task
            granted += look()
        assert granted and rig.count("invalidations") > 20
    rig.run(work)
