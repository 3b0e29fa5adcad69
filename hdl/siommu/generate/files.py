"""Files that are whole or absent.

A write can end half way: the disk is full, a limit is reached, somebody presses Ctrl-C. What stands
at the path then looks finished, and a later step takes it for that. Every command of the project
therefore writes beside the path, and renames when everything is on the disk.
"""

import contextlib
import errno
import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ..arch.config import ConfigError

__all__ = ["WriteError", "command", "whole", "write_whole"]


class WriteError(OSError):
    """A file cannot be written. The message is a sentence with its path and the reason."""

    def __init__(self, path, error):
        reason = error.strerror or str(error)
        # Not by position: OSError would make another class and another text of two arguments.
        super().__init__(f"cannot write {path}: {reason}")
        self.errno = error.errno


def _is_special(path):
    """Whether ``path`` is a device or a pipe: a rename would put a file in its place."""
    return path.exists() and not path.is_file() or path.parts[:2] in (("/", "dev"), ("/", "proc"))


@contextlib.contextmanager
def whole(path):
    """A context with a path to write to; the file takes its place at ``path`` when it ends well.

    The path has the same file name, because tools choose a format or a name by it, in a folder of
    its own beside the target. Missing folders are made. If anything fails, what stood at ``path``
    stays as it was and nothing is left behind. A device or a pipe is written straight.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    WriteError
        The operating system refuses. Other exceptions of the context's body pass through.
    """
    path = Path(path)
    scratch = None
    try:
        if _is_special(path):
            yield path
            return
        target = Path(os.path.realpath(path))       # a link stays a link
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:                     # a file stands where a folder must be
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        made = scratch / target.name
        yield made
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, made)
        with made.open("rb") as file:               # a full disk may tell only now
            os.fsync(file.fileno())
        made.replace(target)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(path, error) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def write_whole(path, content):
    """Writes a file so that it is whole or, if that fails, as it was before.

    Parameters
    ----------
    path : str or Path
        Missing folders are made.
    content : str or bytes
        Text is written as UTF-8.

    Raises
    ------
    WriteError
        The operating system refuses.
    """
    data = content.encode() if isinstance(content, str) else content
    with whole(path) as scratch:
        scratch.write_bytes(data)


def command(main):
    """Decorates a command's ``main``: a configuration that cannot be built, a file or a folder that
    cannot be opened or written, are one sentence and status 1."""
    @functools.wraps(main)
    def run(*arguments, **options):
        try:
            return main(*arguments, **options)
        except (WriteError, ConfigError) as error:
            print(f"siommu: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            if error.filename is None:
                raise
            print(f"siommu: cannot open {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
    return run
