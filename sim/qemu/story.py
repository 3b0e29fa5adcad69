"""``make linux``: what a program under Linux can do with the core, and what it cannot, as a table.

The guest runs ``linux/tests/story.sh``, whose every line is checked. What only the host can see
comes behind it: the images after the guest has ended, and the judge of the core's answers.
"""

import hashlib
import mmap
import re
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

from ..demo.files import ALICE, BOB, SHARED_GROUP, make_image
from ..device.ext4 import Ext4Error, Ext4Image
from ..text_table import table
from ..verilated import build_library
from . import driver, machine, packages

__all__ = ["Story", "StoryFailed", "guest_files", "tell"]

SECOND_BYTES = 32 << 20                 #: of the second SSD
SECONDS = 600                           #: a guest that hangs is ended
OVERWRITE = 4096                        #: bytes of a block of the dd in the script
#: Programs of Debian's that the guest runs unmodified: name to their folder in the package.
DEBIAN = {"sha256sum": "usr/bin", "dd": "bin", "cp": "bin", "sqlite3": "usr/bin"}
#: Programs of linux/, with what they are made of.
PROGRAMS = {"as": ("tests/as.c",), "rights": ("tests/rights.c", "tests/files.c"),
            "misuse": ("tests/misuse.c", "tests/files.c"), "direct": ("tests/direct.c",),
            "traffic": ("tests/traffic.c", "tests/files.c"), "reads": ("bench/reads.c",)}
#: Steps of the script, and how many checks each has at least: what is not told has failed.
STEPS = {"probe": 4, "mount, and the kernel's way": 3, "direct reads": 4, "direct writes": 5,
         "sqlite3": 4, "different rights on one file": 7, "what must fail": 20,
         "traffic, and the kernel at work under it": 12, "the core": 1, "the end": 6}


def guest_files(found):
    """Module, programs and the preload library for a guest: path to content, as of
    ``machine.Machine``.

    Raises
    ------
    DriverError
        Something does not compile.
    """
    files = {"story/siommu.ko": driver.module(found),
             "story/preload.so": (driver.preload(), 0o755)}
    for name, place in DEBIAN.items():
        files[f"debian/{name}"] = ((found.guest / place / name).read_bytes(), 0o755)
    for name, sources in PROGRAMS.items():
        paths = [driver.LINUX / source for source in sources]
        files[f"story/{name}"] = (driver.program(*paths), 0o755)
    return files


class StoryFailed(RuntimeError):
    """Something that must hold does not. The message says what."""


class Story:
    """Images and programs for the guest, in a folder.

    Parameters
    ----------
    folder : Path
    found : Packages

    Attributes
    ----------
    images : list of Ext4Image
        Of the SSDs.
    files : dict
        As of ``machine.Machine``.
    """

    def __init__(self, folder, found):
        first, self._demo = make_image(folder)
        (folder / "empty").mkdir()
        self.images = [first, Ext4Image.make(folder / "empty", folder / "second.img",
                                             SECOND_BYTES)]
        self.files = guest_files(found)
        self._content = {file.path: file.source.read_bytes() for file in self._demo}
        self._sums()

    def _readable(self, user):
        return [file.path for file in self._demo
                if file.mode & 4 or file.uid == user and file.mode & 0o400
                or file.gid in (user, SHARED_GROUP) and file.mode & 0o40]

    def _sums(self):
        def sums(name, contents):
            self.files[f"story/{name}"] = "".join(
                f"{hashlib.sha256(data).hexdigest()}  {path}\n"
                for path, data in contents.items()).encode()
        sums("sums", {f"/mnt/one{path}": data for path, data in self._content.items()})
        for user in (ALICE, BOB):
            sums(f"sums.{user}", {f"/mnt/one{path}": self._content[path]
                                  for path in self._readable(user)})
        sums("sums.written", self.written)

    @property
    def written(self):
        """Path in the guest to content, of what the script writes."""
        library = self._content["/home/alice/library.tar"]
        manual = self._content["/shared/manual.txt"]
        over = bytearray(library)
        over[5 * OVERWRITE:45 * OVERWRITE] = manual[3 * OVERWRITE:43 * OVERWRITE]
        return {"/mnt/one/copy": bytes(over), "/mnt/two/copy": library}

    def check_images(self):
        """(checks, failures) of the images, after the guest has ended."""
        good, failures = 0, []
        for image, place in zip(self.images, ("/mnt/one", "/mnt/two")):
            try:
                image.check()
                good += 1
            except Ext4Error as error:
                failures.append(f"e2fsck of {place}: {error}")
                continue
            for path, content in self.written.items():
                if path.startswith(place):
                    same = self._has(image, path.removeprefix(place), content)
                    good += same
                    failures += [f"{path} is not what was written"] * (not same)
        return good, failures

    @staticmethod
    def _has(image, path, content):
        try:
            return image.content(path) == content
        except FileNotFoundError:
            return False


def steps(text):
    """The guest's output by steps, without what the kernel says: name to lines."""
    parts = re.split(r"^== (.*)\n", re.sub(r"^\[ *\d+\.\d+\] .*\n", "", text, flags=re.M),
                     flags=re.M)
    return {name: lines.splitlines() for name, lines in zip(parts[1::2], parts[2::2])}


def verdicts(found):
    """Rows of the table: step, checks that passed, "ok" or what is wrong, what was seen."""
    rows = []
    for name, least in STEPS.items():
        lines = found.get(name, [])
        passed = sum(line.startswith("pass: ") for line in lines)
        failed = [line.removeprefix("FAIL: ") for line in lines if line.startswith("FAIL: ")]
        wrong = "; ".join(failed) or ("" if passed >= least else f"{least - passed} not told")
        seen = [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]
        rows.append((name, passed, wrong or "ok", "; ".join(seen)))
    return rows


def _follow(file, over):
    """Says each step of the guest when it begins."""
    began, shown = time.monotonic(), 0
    while not over.wait(.5):
        for line in file.read_bytes().decode(errors="replace").splitlines()[shown:]:
            shown += 1
            if line.startswith("== "):
                print(f"siommu: {time.monotonic() - began:5.1f} s: {line[3:].strip()}", flush=True)


def tell(verilog, found=None, verbose=False):
    """Runs the story on the core in the file ``verilog`` and prints its table.

    Parameters
    ----------
    verilog : Path
    found : Packages or None
        What the machine is started from; ``None`` is Debian's.
    verbose : bool
        Print the guest's output, too.

    Raises
    ------
    StoryFailed
        A check failed. The table and the guest's output have been printed.
    MissingPackage, BuildError, DriverError, MachineError, Difference
        As of ``machine.run``.
    """
    with tempfile.TemporaryDirectory(prefix="siommu-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        print("siommu: making images, module and programs", flush=True)
        found = found or packages.find()
        story, library = Story(folder, found), build_library(verilog)
        disks = [stack.enter_context(closing(mmap.mmap(
            stack.enter_context(open(image.path, "r+b")).fileno(), 0))) for image in story.images]
        console = folder / "console"
        over = threading.Event()
        with console.open("wb") as out:
            follower = threading.Thread(target=_follow, args=(console, over))
            follower.start()
            print("siommu: booting Linux on two SSDs behind the core", flush=True)
            begin = time.monotonic()
            try:
                live = machine.run(machine.Machine(
                    library, disks, (driver.LINUX / "tests" / "story.sh").read_text(),
                    files=story.files, seconds=SECONDS, console=out, packages=found))
            finally:
                over.set()
                follower.join()
        for disk in disks:
            disk.flush()
        text = console.read_text(errors="replace").replace("\r", "")
        rows = verdicts(steps(text))
        good, failures = story.check_images()
    rows.append(("the images, by e2fsck and byte by byte", good, "; ".join(failures) or "ok", ""))
    rows.append(("the golden model beside the core", live.judge.judged, "ok",
                 f"every answer judged, {live.judge.pages} pages"))
    _print(rows, text, verbose, time.monotonic() - begin)
    if any(row[2] != "ok" for row in rows):
        raise StoryFailed("not all of the story holds; see the table")


def _print(rows, text, verbose, seconds):
    if verbose or any(row[2] != "ok" for row in rows):
        print(text)
    else:
        for line in steps(text).get("what must fail", []):
            if line.startswith("pass: ") and ";" in line:
                print(f"  {line.removeprefix('pass: ')}")
    print("\n".join(table("A program under Linux, its files, and the core between them",
                          ("step", "checks", "result", "seen"), rows)))
    print(f"\nsiommu: {seconds:.0f} s of running")
    sys.stdout.flush()
