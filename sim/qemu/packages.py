"""QEMU, the guest's kernel and its programs: Debian packages, unpacked below build/, not installed.

``apt-get download`` and ``dpkg -x`` need no root and change nothing on the host. QEMU is taken from
the host where it is installed. What is fetched stays as it is until its folder is removed.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from siommu.generate.files import write_whole

from ..folders import digest, once

__all__ = ["MissingPackage", "Packages", "fetch", "find"]

ROOT = Path(__file__).resolve().parents[2]
QEMU = "qemu-system-x86"
PROGRAM = "qemu-system-x86_64"
KERNEL = "linux-image-cloud-amd64"      #: depends on the package with the kernel
HEADERS = "linux-headers"               #: of its version, with what they depend on
#: What the headers' own programs are linked with, on the host.
HOST_LIBRARIES = ("libelf1", "zlib1g")
#: The guest's programs and the libraries that they load.
GUEST = ("busybox-static", "nvme-cli", "libnvme1", "libjson-c5", "libuuid1", "libssl3", "zlib1g",
         "libdbus-1-3", "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblzma5",
         "libzstd1", "liblz4-1", "libc6", "coreutils", "libselinux1", "libacl1", "libattr1",
         "libgmp10", "libpcre2-8-0", "sqlite3", "libsqlite3-0", "libreadline8", "libtinfo6")
#: Another list of packages is another folder.
FOLDER = ROOT / "build" / "linux" / \
    f"packages-{digest(QEMU, KERNEL, HEADERS, HOST_LIBRARIES, GUEST)}"
FETCH = "python -m sim.qemu fetch"


class MissingPackage(RuntimeError):
    """Something of Debian's is missing. The message names it, and the command that brings it."""


@dataclass(frozen=True)
class Packages:
    """What a machine is started from.

    Parameters
    ----------
    qemu : tuple of str
        Beginning of QEMU's command line.
    environment : dict
        More environment for it.
    kernel : Path
    guest : Path
        Tree of the guest's packages.
    headers : Path
        What modules of that kernel are built against.
    """

    qemu: tuple
    environment: dict
    kernel: Path
    guest: Path
    headers: Path


def find():
    """The packages that are here.

    Raises
    ------
    MissingPackage
        Some are not.
    """
    kernels = sorted((FOLDER / "guest" / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise MissingPackage(f"Debian's cloud kernel is missing in {FOLDER}: make test-linux, or "
                             f"{FETCH}, brings it")
    version = kernels[-1].name.removeprefix("vmlinuz-")
    headers = FOLDER / "headers" / "usr" / "src" / f"{HEADERS}-{version}"
    qemu, environment = _qemu()
    if not headers.exists():
        raise MissingPackage(f"the headers of Debian's cloud kernel {version} are missing in "
                             f"{FOLDER}: make test-linux, or {FETCH}, brings them")
    return Packages(qemu, environment, kernels[-1], FOLDER / "guest", headers)


def _qemu():
    installed = shutil.which(PROGRAM)
    if installed:
        return (installed,), {}
    root = FOLDER / "host"
    program = root / "usr" / "bin" / PROGRAM
    if not program.exists():
        raise MissingPackage(f"{PROGRAM} is missing: apt-get install {QEMU}, or {FETCH}")
    libraries = [root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu"]
    return (str(program), "-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios")
            ), {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
                "QEMU_MODULE_DIR": str(libraries[0] / "qemu")}


def fetch():
    """Downloads and unpacks what is missing. ``SIOMMU_INSTALL=no`` prevents that.

    Raises
    ------
    MissingPackage
        It may not or cannot be downloaded.
    WriteError
        The folder cannot be written.
    """
    wanted = {} if (FOLDER / "guest").exists() else {"guest": lambda: [_kernel(), *GUEST]}
    if not (FOLDER / "headers").exists():
        wanted["headers"] = _headers
    if not shutil.which(PROGRAM) and not (FOLDER / "host").exists():
        wanted["host"] = lambda: _closure(QEMU)
    if not wanted:
        return
    if os.environ.get("SIOMMU_INSTALL") == "no":
        raise MissingPackage(f"Debian's cloud kernel or QEMU is missing, and SIOMMU_INSTALL=no "
                             f"forbids to download it; without, {FETCH} does")
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if not shutil.which(tool):
            raise MissingPackage(f"{tool} is missing: the kernel comes from Debian's packages, so "
                                 f"a Debian host is needed")
    for name, resolve in wanted.items():
        once(FOLDER / name, lambda scratch, name=name, resolve=resolve: _unpack(
            resolve(), scratch, name))


def _kernel():
    """The package behind the meta package."""
    for line in _run(["apt-cache", "depends", KERNEL]).splitlines():
        word, _, name = line.strip().partition(" ")
        if word == "Depends:" and name.startswith("linux-image-"):
            return name
    raise MissingPackage(f"apt-cache knows no {KERNEL}: apt-get update brings the lists, as root")


def _headers():
    """The packages to build modules of the guest's kernel with."""
    (kernel,) = (FOLDER / "guest" / "boot").glob("vmlinuz-*")
    headers = kernel.name.replace("vmlinuz", HEADERS)
    lines = [line.split() for line in _run(["apt-cache", "depends", headers]).splitlines()]
    return [headers, *HOST_LIBRARIES,
            *(words[1] for words in lines
              if words[0] == "Depends:" and words[1].startswith("linux-"))]


def _mend(root, place):
    """Mends the one absolute path in kernel headers below ``root``, which will be ``place``."""
    for makefile in root.glob(f"usr/src/{HEADERS}-*/Makefile"):
        text = makefile.read_text()
        if text.startswith("include /usr/src/"):
            write_whole(makefile, text.replace("/usr/src/", f"{place}/usr/src/", 1))


def _closure(package):
    """The package and what it needs that is not installed here."""
    said = _run(["apt-get", "--simulate", "-o", "Debug::NoLocking=1", "--no-install-recommends",
                 "install", package])
    return [line.split()[1] for line in said.splitlines() if line.startswith("Inst ")]


def _unpack(names, target, label):
    print(f"siommu: downloading {len(names)} Debian packages for the {label} (once)",
          file=sys.stderr, flush=True)
    cache = target / "debs"
    cache.mkdir()
    _run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names], cache)
    for path in sorted(cache.iterdir()):
        _run(["dpkg", "-x", str(path), str(target)])
    shutil.rmtree(cache)
    _mend(target, FOLDER / label)


def _run(command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "no reason given"
        raise MissingPackage(f"{' '.join(command[:2])} failed: {said.splitlines()[-1]}")
    return done.stdout
