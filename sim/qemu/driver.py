"""The kernel module of ``linux/``, and programs with its library, built for the guest.

Both are made once for each text of their sources, below build/linux, so that the sources' folders
stay as they are.
"""

import os
import subprocess
from pathlib import Path

from siommu.generate.files import write_whole

from ..folders import digest, once

__all__ = ["DriverError", "libraries", "module", "preload", "program"]

ROOT = Path(__file__).resolve().parents[2]
LINUX, HEADERS = ROOT / "linux", ROOT / "hdl" / "include"
BUILD = ROOT / "build" / "linux"
#: The library; the one to be preloaded is built with it.
LIBRARY = [LINUX / "lib" / name for name in ("async.c", "direct.c", "queue.c")]


class DriverError(RuntimeError):
    """The module or a program could not be built. The message has the compiler's words."""


def module(packages, linux=LINUX):
    """The bytes of siommu.ko, for the kernel of ``packages``, without debug information.

    Parameters
    ----------
    packages : Packages
    linux : Path
        The folder of its sources.

    Raises
    ------
    DriverError
        The kernel's build system fails, or gcc, make or strip is missing.
    """
    sources = [*sorted(linux.glob("*.[ch]")), linux / "Kbuild", *sorted(linux.glob("include/*.h"))]
    folder = BUILD / f"module-{_digest(sources, packages.headers)}"

    def make(scratch):
        for source in sources:
            _copy(source, scratch / "linux" / source.relative_to(linux))
        for header in HEADERS.glob("*.h"):
            _copy(header, scratch / header.relative_to(ROOT))
        _run(["make", "-C", str(packages.headers), f"M={scratch / 'linux'}", "modules"],
             libraries(packages.headers))
        _run(["strip", "--strip-debug", str(scratch / "linux" / "siommu.ko")])
    once(folder, make)
    return (folder / "linux" / "siommu.ko").read_bytes()


def program(*sources):
    """The bytes of a program: C files, with the library, linked statically.

    Raises
    ------
    DriverError
        It does not compile.
    """
    return _compiled([*sources, *LIBRARY], ["-static"], ["-lpthread"])


def preload():
    """The bytes of the library that unmodified programs are started with (``lib/preload.c``). It
    runs with the C library that it was built with, or a later one.

    Raises
    ------
    DriverError
        It does not compile.
    """
    return _compiled([LINUX / "lib" / "preload.c", *LIBRARY], ["-shared", "-fPIC"],
                     ["-lpthread", "-ldl"])


def _compiled(sources, options, libraries):
    headers = sorted([*LINUX.glob("*.h"), *LINUX.glob("lib/*.h"), *LINUX.glob("tests/*.h")])
    folder = BUILD / f"program-{_digest([*sources, *headers], options)}"
    once(folder, lambda scratch: _run(
        [os.environ.get("CC", "gcc"), *options, "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall",
         "-Wextra", "-Werror", f"-I{LINUX / 'lib'}", f"-I{LINUX}", f"-I{HEADERS}", "-o",
         str(scratch / "program"), *map(str, sources), *libraries]))
    return (folder / "program").read_bytes()


def _digest(sources, *more):
    return digest(*(path.read_bytes() for path in sources), *sorted(
        path.read_bytes() for path in HEADERS.glob("*.h")), *more)


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, source.read_bytes())


def libraries(headers):
    """The environment in which the libraries are found that came with the headers."""
    root = headers.parents[2]
    found = [root / place / "x86_64-linux-gnu" for place in ("lib", "usr/lib")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, found))}


def _run(command, environment=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C", "MAKEFLAGS": "",
                                   **(environment or {})})
    except FileNotFoundError:
        raise DriverError(f"{command[0]} is missing") from None
    if done.returncode:
        raise DriverError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
