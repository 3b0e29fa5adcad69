"""The core in a machine without QEMU: both PCI functions, the judge, the loop."""

import random
import socket
import threading

import pytest

from sim.device.nvme.defs import Command, Completion, Io
from sim.device.nvme.direct import BUSY, CREATE
from sim.model.lockstep import Difference
from sim.qemu import protocol
from sim.qemu.pace import Timed, Untimed
from sim.qemu.protocol import ProtocolError
from sim.qemu.server import Server
from sim.verilated.journal import ReplayError, replay
from siommu.arch.formats import Cause, Disposition

from .rig import (
    COMMAND_RING,
    CQ_HEAD,
    CQ_STATUS,
    CQ_TAIL,
    CTRL,
    FENCE_WORD,
    PAGE,
    PASID,
    PORT_ENABLE,
    STATUS,
    VA,
    VBA,
    read_of,
)

# -- the judge in the machine ----------------------------------------------------------------------

def test_answers_are_judged(rig):
    (beat,) = rig.ask(read_of(VA + 5))
    assert (beat.cause, beat.addr) == (0, rig.frame + 5)
    (beat,) = rig.ask(read_of(VA + PAGE))
    assert Cause(beat.cause) is Cause.NOT_PRESENT
    (beat,) = rig.ask(read_of(VBA + 3 * PAGE, ft=1, pages=3))
    assert (beat.addr, beat.pages) == (3 * PAGE, 3)
    assert rig.live.judge.judged == 3


def test_a_stale_grant_passes_until_the_fence_and_no_longer(rig):
    assert rig.ask(read_of())[0].cause == 0
    rig.table.unmap(VA)
    assert rig.ask(read_of())[0].cause == 0                 # cached, and nothing forbids it
    rig.command((1 | 1 << 9 | PASID << 32, 0))              # INVAL_TLB by PASID
    rig.pump()
    assert rig.memory.read(FENCE_WORD, 4) == (0xCAFE).to_bytes(4, "little")
    (beat,) = rig.ask(read_of())
    assert Cause(beat.cause) is Cause.NOT_PRESENT
    # A core that ignored the fence would have answered with the old grant: that stops the run.
    (asked, until) = rig.core.cycles, rig.core.cycles + 10
    with pytest.raises(Difference):
        rig.live.judge.judge(read_of(), asked,
                             [(until, type(beat)(0, 1, 0, 0, rig.frame, 0, 1, 1, 0))])


def test_rings_wrap(rig):
    for _ in range(20):
        rig.command((1, 0))
        rig.pump()
    assert rig.read(0x158) == 20 and rig.read(CQ_HEAD) == rig.read(CQ_TAIL) == 40 % 16


def test_an_illegal_command_that_software_replaces(rig):
    rig.command((0x7F, 0))
    rig.pump()
    assert rig.read(CQ_STATUS) & 1 and rig.read(CQ_HEAD) == 0
    rig.memory.write_u64(COMMAND_RING, 1)                   # INVAL_TLB of everything
    rig.write(CQ_STATUS, 1)
    rig.pump()
    assert rig.read(CQ_HEAD) == 2


def test_abort_empties_the_caches(rig):
    assert rig.ask(read_of())[0].cause == 0
    rig.table.unmap(VA)
    rig.write(CTRL, 0)
    assert Cause(rig.ask(read_of())[0].cause) is Cause.CORE_OFF
    while rig.read(STATUS) & 3:
        rig.pump()
    rig.write(CTRL, 1)
    assert Cause(rig.ask(read_of())[0].cause) is Cause.NOT_PRESENT


def test_a_disabled_port_answers_nothing(rig):
    rig.write(PORT_ENABLE, 6)
    assert rig.ask(read_of()) == []
    rig.write(PORT_ENABLE, 7)
    assert rig.ask(read_of())[0].cause == 0
    tasks = [rig.scheduler.start(rig.live.translate(0, read_of(tag=tag))) for tag in range(4)]
    rig.scheduler.run_ready()
    rig.write(PORT_ENABLE, 6)                               # with requests under way
    rig.pump()
    assert all(task.done() for task in tasks)


def test_reset(rig):
    rig.siommu.reset()
    assert rig.read(CTRL) == 0
    assert Cause(rig.ask(read_of())[0].cause) is Cause.CORE_OFF


def random_command(rng):
    """An INVAL of random scope, in places that are used and others."""
    page = (VA // PAGE + rng.randrange(64)) if rng.random() < .5 else VBA // PAGE
    log2 = rng.choice((0, 0, 3, 9))
    word = (rng.choice((1, 1, 1, 2)) | rng.randrange(16) << 8 | rng.randrange(2) << 12
            | rng.choice((0x10, 0x10, 3)) << 16 | rng.choice((PASID, PASID, 5)) << 32
            | log2 << 52)
    return (word, page >> log2 << log2 + 12) if word & 0xFF == 1 else (word & 0xFFFFF_FFFF_0302, 0)


@pytest.mark.parametrize("seed", range(4))
def test_revocation_under_traffic(rig, seed):
    """Pages come and go while requests and INVALs are under way, and the judge never objects."""
    rng = random.Random(seed)
    rig.core.set_latency((1, 30, 150)[seed % 3])
    frames = rig.memory.alloc_pages(64)
    mapped = {0}
    tags = list(range(64))

    async def request(access):
        await rig.live.translate(0, access)
        tags.append(access.tag)

    def change():
        page = rng.randrange(64)
        if page in mapped:
            rig.table.unmap(VA + page * PAGE)
            mapped.remove(page)
        else:
            rig.table.map(VA + page * PAGE, frames + rng.randrange(64) * PAGE,
                          write=rng.random() < .7)
            mapped.add(page)
    for _ in range(150):
        for _ in range(min(rng.randrange(12), len(tags))):
            ft = int(rng.random() < .3)
            rig.scheduler.start(request(read_of(
                (VBA if ft else VA) + rng.randrange(64) * PAGE, ft=ft, tag=tags.pop(0),
                write=rng.randrange(2), pages=rng.choice((0, 0, 0, 1, 3, 7)))))
        rig.scheduler.run_ready()
        for _ in range(rng.randrange(4)):
            change()
            rig.live.run(rng.randrange(1, 40))
        if rng.random() < .3 and rig.read(CQ_HEAD) == rig.read(CQ_TAIL):
            rig.command(*(random_command(rng) for _ in range(rng.randrange(1, 5))))
            if rng.random() < .5:
                rig.pump()
    rig.pump()
    assert rig.read(CQ_STATUS) & 3 == 0 and rig.live.judge.judged > 100 and len(tags) == 64


# -- the SIOMMU's function -------------------------------------------------------------------------

def test_registers_by_size(rig):
    assert rig.read(0) == 0x53494F4D and rig.read(1, 1) == 0x4F and rig.read(2, 2) == 0x5349
    assert rig.read(0, 8) == 0x53494F4D | rig.read(4) << 32
    rig.write(0x64, 0xFFFF)
    rig.write(0x65, 0, 1)
    assert rig.read(0x64) == 0xF7
    rig.write(0x80, 0x1122334455667788, 8)
    assert rig.read(0x80, 8) == 0x1122334455667788


def test_a_line_is_sent_again_after_an_acknowledge(rig):
    for offset, value in ((0, 0xFEE0_0000), (8, 0x41), (12, 0)):
        rig.siommu._table[offset:offset + 4] = value.to_bytes(4, "little")
    rig.siommu.config_write(4, 6, 2)
    rig.siommu.config_write(0x42, 0x8000, 2)
    rig.write(0x64, 7)
    rig.command()
    rig.pump()
    assert rig.sent == [(0xFEE0_0000, 0x41)]
    rig.command((0x7F, 0))                                  # another reason for the same line
    rig.pump()
    assert len(rig.sent) == 1 and rig.read(CQ_STATUS) & 5 == 5
    rig.write(CQ_STATUS, 4)                                 # one of two: the line stays high
    assert len(rig.sent) == 2
    rig.write(CQ_STATUS, 4)
    rig.memory.write_u64(COMMAND_RING + 16, 1)
    rig.write(CQ_STATUS, 1)
    rig.pump()
    assert len(rig.sent) >= 3                               # the FENCE behind it, after all


# -- a direct queue --------------------------------------------------------------------------------

def enable_controller(rig):
    admin = rig.memory.alloc_pages(2)
    for offset, value in ((0x24, 0x000F000F), (0x28, admin), (0x30, admin + PAGE),
                          (0x14, 1 | 6 << 16 | 4 << 20)):
        rig.ssd.bar_write(0, offset, 4, value)
    rig.pump()
    assert rig.ssd.bar_read(0, 0x1C, 4) == 1


def direct_queue(rig, index=3):
    """A direct queue of PASID; returns (submission ring, completion ring)."""
    rings = rig.memory.alloc_pages(), rig.memory.alloc_pages()
    for offset, value in ((0x10, index), (0x14, PASID), (0x18, rings[0]), (0x20, rings[1]),
                          (0x28, 15 | 15 << 16), (0x30, CREATE)):
        rig.ssd.bar_write(2, offset, 4, value)
    rig.pump()
    assert rig.ssd.bar_read(2, 0x34, 4) == 0 and rig.ssd.bar_read(2, 0x38, 4) == 1
    return rings


def test_a_direct_read_through_the_core(rig):
    """A user's command with virtual addresses: the RTL translates both, the bytes are there."""
    enable_controller(rig)
    sq, cq = direct_queue(rig)
    for index, (block, cause) in enumerate(((7, None), (64, Cause.NOT_PRESENT))):
        rig.memory.write(sq + 64 * index, Command(Io.READ, cid=index, nsid=1, prp1=VA,
                                                  cdw10=VBA // PAGE + block).pack())
        rig.ssd.bar_write(2, 4 * PAGE, 4, index + 1)
        rig.pump()
        completion = Completion.unpack(rig.memory.read(cq + 16 * index, 16))
        assert (completion.cid, completion.phase) == (index, 1)
        assert completion.ok if cause is None else completion.status_code == cause.value
    assert rig.memory.read(rig.frame, PAGE) == rig.disk[7 * PAGE:8 * PAGE]
    assert rig.live.judge.judged == 4


def test_a_hanging_translation_does_not_hang_the_queue(rig):
    """The port is disabled with a command in it; DELETE ends all the same."""
    enable_controller(rig)
    sq, _ = direct_queue(rig)
    rig.memory.write(sq, Command(Io.READ, nsid=1, prp1=VA, cdw10=VBA // PAGE).pack())
    rig.write(PORT_ENABLE, 6)
    rig.ssd.bar_write(2, 4 * PAGE, 4, 1)
    rig.ssd.bar_write(2, 0x30, 4, 2)
    assert rig.ssd.bar_read(2, 0x34, 4) & BUSY
    rig.pump()
    assert rig.ssd.bar_read(2, 0x34, 4) == 0 and rig.ssd.bar_read(2, 0x38, 4) == 0


# -- the loop --------------------------------------------------------------------------------------

class Silent:
    """In place of ``Qtest``: a socket on which nothing happens."""

    def __init__(self):
        self.ends = socket.socketpair()

    def fileno(self):
        return self.ends[0].fileno()

    def drain(self):
        return True

    def close(self):
        for end in self.ends:
            end.close()


def serve(rig, timed=False, stop=lambda: False):
    """Starts a server for both functions; returns (thread, QEMU's ends, list of errors)."""
    ours, theirs = zip(*(socket.socketpair() for _ in range(2)))
    silent = Silent()
    pace = (Timed if timed else Untimed)(rig.scheduler, rig.live)
    server = Server({ours[0]: rig.siommu, ours[1]: rig.ssd}, rig.siommu, rig.memory, silent, pace)
    errors = []

    def run():
        try:
            server.run(stop)
        except Exception as error:
            errors.append(error)
        for end in (*ours, silent):
            end.close()
    thread = threading.Thread(target=run)
    thread.start()
    return thread, theirs, errors


def exchange(end, kind, payload):
    end.sendall(protocol.HEADER.pack(kind, len(payload)) + payload)
    end.settimeout(10)
    return protocol.RETURN.unpack(end.recv(24)[16:])[0]


@pytest.mark.parametrize("timed", [False, True])
def test_the_loop(rig, timed):
    thread, (siommu, ssd), errors = serve(rig, timed)
    kind, config = protocol.Kind, protocol.CONFIG
    assert exchange(siommu, kind.PCI_CFGREAD, config.pack(0, 0, 4)) == 0x494D_1D1D
    for end, base in ((siommu, 0xFEB0_0000), (ssd, 0xFEC0_0000)):
        exchange(end, kind.PCI_CFGWRITE, config.pack(0x10, base, 4))
        exchange(end, kind.PCI_CFGWRITE, config.pack(4, 6, 2))
    bar = protocol.BAR
    assert exchange(siommu, kind.BAR_READ, bar.pack(0xFEB0_0000, 0, 4, 1)) == 0x53494F4D
    for offset, value in ((0x24, 0x000F000F), (0x14, 1 | 6 << 16 | 4 << 20)):
        exchange(ssd, kind.BAR_WRITE, bar.pack(0xFEC0_0000 + offset, value, 4, 1))
    for _ in range(1000):
        if exchange(ssd, kind.BAR_READ, bar.pack(0xFEC0_001C, 0, 4, 1)) == 1:
            break
    else:
        raise AssertionError("the controller does not become ready")
    assert exchange(ssd, kind.DEVICE_RESET, b"") == 0
    ssd.close()
    thread.join(10)
    assert not thread.is_alive() and errors == []
    siommu.close()


def test_the_loop_ends_with_a_bad_message(rig):
    thread, (siommu, ssd), errors = serve(rig)
    siommu.sendall(b"\xff" * 16)
    thread.join(10)
    assert not thread.is_alive() and isinstance(errors[0], ProtocolError)
    siommu.close()
    ssd.close()


def test_the_loop_stops_when_told(rig):
    told = threading.Event()
    thread, ends, errors = serve(rig, stop=told.is_set)
    told.set()
    thread.join(10)
    assert not thread.is_alive() and errors == []
    for end in ends:
        end.close()


def test_dispositions_reach_the_device(rig):
    rig.table.set_disposition(VA + PAGE, 1, Disposition.REMAP)
    (beat,) = rig.ask(read_of(VA + PAGE))
    assert Disposition(beat.disposition) is Disposition.REMAP
    rig.table.map(VA + PAGE, rig.frame)                     # a right is given: no fence is needed
    assert rig.ask(read_of(VA + PAGE))[0].cause == 0


# -- a run that is stopped -------------------------------------------------------------------------

def stopped(rig):
    """The judge knows another register than the core has, as if the core ignored it."""
    assert rig.ask(read_of())[0].cause == 0
    rig.command((1 | 1 << 9 | PASID << 32, 0))
    rig.pump()
    rig.table.unmap(VA + 0)
    rig.table.map(VA, rig.frame + PAGE)
    rig.live.judge.flushed(rig.core.cycles + 1_000_000)
    with pytest.raises(Difference, match="Request, at cycle"):
        rig.ask(read_of(VA + 8))


def test_a_difference_is_replayed(rig, library, tmp_path):
    stopped(rig)
    path = tmp_path / "replay.json"
    rig.core.journal.write(path, rig.live.difference)
    port, access, (beat,) = replay(path, library)
    assert (port, access) == (0, read_of(VA + 8)) and beat["addr"] == rig.frame + PAGE + 8


@pytest.mark.parametrize("change, sentence", [
    (("\"cause\": 0", "\"cause\": 7"), "otherwise than it did"),
    (("\"format\": 1", "\"format\": 9"), "another format"),
    (("\"port\"", "\"door\""), "is no journal"), (("{", "["), "is no journal")])
def test_a_journal_that_is_not_right(rig, library, tmp_path, change, sentence):
    stopped(rig)
    path = tmp_path / "replay.json"
    rig.core.journal.write(path, rig.live.difference)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ReplayError, match=sentence):
        replay(path, library)


def test_a_journal_begins_at_a_reset(rig, library, tmp_path):
    rig.ask(read_of())
    rig.siommu.reset()
    rig.live.judge.configure(type(rig.live.judge._settings[0][1])(1), rig.core.cycles)
    with pytest.raises(Difference):
        rig.ask(read_of())
    assert len(rig.core.journal.entries) < 10
    path = tmp_path / "replay.json"
    rig.core.journal.write(path, rig.live.difference)
    assert replay(path, library)[2][0]["cause"] == 1


def test_a_run_that_is_too_long(rig, monkeypatch, tmp_path):
    monkeypatch.setattr("sim.verilated.journal.LIMIT", 5)
    stopped(rig)
    with pytest.raises(ReplayError, match="too long for a replay"):
        rig.core.journal.write(tmp_path / "replay.json", rig.live.difference)
    assert not list(tmp_path.iterdir())
