"""Verilator's own library, which is the same for every model: compiled once, since it is a third of
the time that a model takes."""

import contextlib
import os
import shutil

from sim.folders import digest, once

__all__ = ["shared_runtime"]


@contextlib.contextmanager
def shared_runtime(folder, flags, *key):
    """Around the compilation of a model in ``folder``: it is linked with the objects of Verilator's
    library that an earlier one has left beside that folder, or leaves its own.

    Parameters
    ----------
    folder : Path
    flags : str
        What MAKEFLAGS is to be.
    key
        What the objects depend on beside the flags: the version, and what the model can do.

    Raises
    ------
    WriteError
        The folder cannot be written.
    """
    objects = folder.parent / f"runtime-{digest(flags, os.environ.get('CXX'), *key)}"
    if objects.exists():        # make has none of its own to compile
        flags += f" VM_GLOBAL_FAST= VM_GLOBAL_SLOW= LOADLIBES=../{objects.name}/*.o"
    os.environ["MAKEFLAGS"] = flags
    yield
    once(objects, lambda scratch: _keep(folder, scratch))


def _keep(folder, scratch):
    for each in folder.glob("verilated*.o"):
        shutil.copyfile(each, scratch / each.name)
