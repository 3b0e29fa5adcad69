"""A whole machine: QEMU with Debian's kernel, the core and the SSD behind it, from start to end."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

from siommu.generate.files import write_whole

from ..device.nvme import Controller, Latency, Media
from ..device.nvme.direct import DirectQueues
from ..model.lockstep import Difference
from ..time.scheduler import Scheduler
from ..verilated.journal import JournalCore, ReplayError
from . import guest, packages
from .guest_memory import GuestMemory
from .live_core import LiveCore, PortTranslator
from .pace import GuestTime, Timed, Untimed
from .qtest import Qtest
from .server import Server
from .siommu_function import SiommuFunction
from .ssd_function import SsdFunction

__all__ = ["Machine", "MachineError", "run"]

SIOMMU, SSD = 1, 2                      #: device numbers on PCI bus 0; of the first SSD
ALARM = 0x1E                            #: device number, with the guest's time
QTEST_SECONDS = 20                      #: until QEMU must have made its socket
END_SECONDS = 5                         #: until QEMU must have ended by itself
JOURNAL = packages.ROOT / "build" / "linux" / "replay.json"
DEATH_SIGNAL = 1                        #: PR_SET_PDEATHSIG


class MachineError(RuntimeError):
    """The machine did not start, or did not end as it should. The message has QEMU's words."""


@dataclass
class Machine:
    """What to start.

    Parameters
    ----------
    library : Path
        Of ``build_library``.
    disks : sequence of bytearray or mmap
        Content of namespace 1 of each SSD, whole 4 KiB pages; written in place. The core needs a
        port for each.
    script : str or None
        What the guest runs, in shell; ``None`` is a shell on the console.
    files : dict
        More files for the guest, as of ``guest.image``.
    pace : str
        What time is: "untimed", "timed", "guest" (``pace.py``).
    ssd : sim.device.nvme.Latency
        Of every SSD.
    latency : int
        Cycles that a read of main memory takes the core.
    lba_bytes : int
        512 or 4096.
    megabytes : int
        Main memory.
    seconds : float or None
        The run may take no longer.
    console : file or None
        Where the console's output goes; ``None`` is this process's terminal, input included.
    packages : Packages or None
        QEMU, kernel and the guest's programs; ``None`` is what ``packages.find`` finds.
    """

    library: Path
    disks: object
    script: str = None
    files: dict = field(default_factory=dict)
    pace: str = "untimed"
    ssd: Latency = Latency()
    latency: int = 20
    lba_bytes: int = 4096
    megabytes: int = 512
    seconds: float = None
    console: object = None
    packages: object = None


def run(machine):
    """Runs a machine until its guest powers off; returns its ``LiveCore``, closed, for counts.

    Raises
    ------
    MissingPackage
        QEMU or the kernel is missing.
    MachineError
        QEMU does not start, ends with an error, or takes longer than ``seconds``.
    ProtocolError, Difference, CoreError
        The run was stopped; the message says why.
    """
    found = machine.packages or packages.find()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="siommu-")))
        write_whole(folder / "initramfs", guest.image(found.guest, machine.script, machine.files))
        pairs = {}
        for slot in _slots(machine):
            pairs[slot] = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            for end in pairs[slot]:
                stack.enter_context(end)
        process = stack.enter_context(_qemu(found, machine, folder, pairs))
        for _, theirs in pairs.values():
            theirs.close()
        qtest = stack.enter_context(contextlib.closing(_connect(folder / "qtest", process)))
        return _serve(machine, stack, process, qtest, {slot: ours for slot, (ours, _)
                                                       in pairs.items()})


def _slots(machine):
    """Device numbers of the functions."""
    return [SIOMMU, *(SSD + index for index in range(len(machine.disks))),
            *[ALARM] * (machine.pace == "guest")]


def _serve(machine, stack, process, qtest, sockets):
    scheduler = Scheduler()
    memory = stack.enter_context(contextlib.closing(GuestMemory()))
    core = stack.enter_context(JournalCore(machine.library))
    core.set_latency(machine.latency)
    memory.changed = core.map
    live = LiveCore(core, memory, scheduler)
    if not 1 <= len(machine.disks) <= live.device_ports:
        raise MachineError(f"{len(machine.disks)} SSDs; this core has ports for 1 to "
                           f"{live.device_ports}: generate one with more device_ports")
    siommu = SiommuFunction(live, qtest.send)
    functions = {sockets[SIOMMU]: siommu}
    for index, disk in enumerate(machine.disks):
        functions[sockets[SSD + index]] = _ssd(machine, stack, index, disk, live, memory, scheduler,
                                               qtest)
    pace = {"untimed": Untimed, "timed": Timed}.get(machine.pace)
    if pace is None:
        pace = GuestTime(scheduler, live, qtest, siommu.look)
        functions[sockets[ALARM]] = pace.alarm
    else:
        pace = pace(scheduler, live)
    end = None if machine.seconds is None else time.monotonic() + machine.seconds
    late = False

    def stop():
        nonlocal late
        late = end is not None and time.monotonic() > end
        return late or process.poll() is not None
    with _journal(core, live):
        Server(functions, siommu, memory, qtest, pace).run(stop)
    if late:
        raise MachineError(f"the guest did not power off within {machine.seconds} s")
    try:
        status = process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        raise MachineError("QEMU closed its sockets and goes on running") from None
    if status:
        raise MachineError(f"QEMU ended with status {status}")
    return live


def _ssd(machine, stack, index, disk, live, memory, scheduler, qtest):
    """An SSD's PCI function; it asks at a port of its own."""
    media = Media(machine.ssd)
    media.add_namespace(disk, machine.lba_bytes)
    stack.callback(media.close)
    controller = Controller(scheduler, memory, media, PortTranslator(live, index),
                            SSD + index << 3)
    return SsdFunction(controller, DirectQueues(controller), qtest.send)


@contextlib.contextmanager
def _journal(core, live):
    """Writes the journal of a run that a difference stops, and says how to replay it."""
    try:
        yield
    except Difference as error:
        try:
            core.journal.write(JOURNAL, live.difference)
        except (ReplayError, OSError) as reason:
            raise Difference(f"{error}\nNo replay: {reason}") from error
        raise Difference(f"{error}\nReplay, with waves: python -m sim.qemu replay --journal "
                         f"{JOURNAL} --waves build/linux/replay.vcd") from error


def _arguments(found, machine, folder, pairs):
    devices = []
    for slot, (_, theirs) in pairs.items():
        devices += ["-device", f"x-pci-proxy-dev,addr={slot:#x},fd={theirs.fileno()}"]
    options = "console=ttyS0 panic=-1 loglevel=5"
    if machine.pace == "guest":
        # An instruction is a nanosecond; who waits, waits no time of ours.
        devices += ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm,base=2024-01-01",
                    "-global", "hpet.msi=on"]
        options += " hpet=disable nokaslr"
    size = f"{machine.megabytes}M"
    # One CPU: with more, QEMU drops accesses of one while another's is in the proxy.
    return [*found.qemu, "-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", size,
            "-object", f"memory-backend-memfd,id=ram,size={size},share=on",
            "-machine", "q35,memory-backend=ram", "-no-user-config", "-nodefaults", "-no-reboot",
            "-display", "none",
            # Ctrl-C on the terminal is the guest's.
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-kernel", str(found.kernel), "-initrd", str(folder / "initramfs"),
            "-append", options,
            *devices, "-qtest", f"unix:{folder / 'qtest'},server=on,wait=off",
            "-qtest-log", "none"]


@contextlib.contextmanager
def _qemu(found, machine, folder, pairs):
    """QEMU, running; it ends with the context, and with this process, however that ends."""
    prctl = ctypes.CDLL(None).prctl
    arguments = _arguments(found, machine, folder, pairs)
    captured = machine.console is not None
    terminal = None if captured or not sys.stdin.isatty() else termios.tcgetattr(sys.stdin)
    process = subprocess.Popen(
        arguments, env={**os.environ, **found.environment},
        pass_fds=[theirs.fileno() for _, theirs in pairs.values()],
        stdin=subprocess.DEVNULL if captured else None, stdout=machine.console,
        stderr=subprocess.STDOUT if captured else None,
        preexec_fn=lambda: prctl(DEATH_SIGNAL, signal.SIGKILL))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if terminal is not None:        # a QEMU that is killed leaves the terminal raw
            termios.tcsetattr(sys.stdin, termios.TCSANOW, terminal)


def _connect(path, process):
    end = time.monotonic() + QTEST_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise MachineError(f"QEMU ended with status {process.returncode} before it began; "
                               f"its output says why")
        try:
            return Qtest(path)
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(.02)
    raise MachineError(f"QEMU made no qtest socket within {QTEST_SECONDS} s")
