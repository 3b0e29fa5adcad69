"""Folders that a later step trusts because they exist: filled beside their place, and made once."""

import contextlib
import fcntl
import hashlib
import os
import shutil

from siommu.generate.files import WriteError

__all__ = ["digest", "locked", "made", "once", "replaced"]


def digest(*parts):
    """16 hexadecimal digits that name what is made from ``parts``, bytes or anything with a text.
    """
    state = hashlib.sha256()
    for part in parts:
        state.update(part if isinstance(part, bytes) else str(part).encode())
        state.update(b"\0")
    return state.hexdigest()[:16]


@contextlib.contextmanager
def made(folder):
    """A folder that is filled under another name first, so that it is complete or absent.

    Raises
    ------
    WriteError
        The operating system refuses.
    """
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        yield scratch
        try:
            scratch.rename(folder)
        except OSError:                     # another run may have been faster
            if not folder.exists():
                raise
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(folder, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def replaced(folder):
    """As :func:`made`, for a folder that may be there: it stays as it was until the new one is
    complete.

    Raises
    ------
    WriteError
        The operating system refuses.
    """
    old = folder.with_name(f"{folder.name}.{os.getpid()}.old")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    with made(fresh) as scratch:
        yield scratch
    try:
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as error:
        raise WriteError(folder, error) from error
    finally:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)


@contextlib.contextmanager
def locked(folder):
    """A lock on making ``folder``: of several processes that need it, one makes it.

    The lock ends with the process that holds it, however that ends.

    Raises
    ------
    WriteError
        The operating system refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f"{folder.name}.lock").open("w")
    except OSError as error:
        raise WriteError(folder, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(folder, make):
    """Makes ``folder`` if it is not there: ``make(scratch)`` fills a folder that then takes its
    place. Of several processes one makes it, and the others wait.

    Raises
    ------
    WriteError
        The operating system refuses. What ``make`` raises goes on.
    """
    if not folder.exists():
        with locked(folder):
            if not folder.exists():
                with made(folder) as scratch:
                    make(scratch)
