"""What happens on a node: one job, to its end."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["JobDied", "execute"]

LINES = 40      #: of what a job says, kept


class JobDied(RuntimeError):
    """The job was killed: by the machine, not by what it tests. It is worth another try."""


def execute(command, limit, folder, root):
    """Runs ``python -m`` with the words of ``command`` in ``root``; returns what came of it.

    It may be called on another machine, which sees the same files. Simulations run in ``folder``,
    which is removed if all is well.

    Parameters
    ----------
    command : list of str
    limit : float
        Seconds.
    folder, root : str

    Returns
    -------
    result : dict
        ``status``: "passed", "failed" or "too long"; ``seconds``; ``said``: its last lines;
        ``node``.

    Raises
    ------
    JobDied
        A signal ended it.
    """
    environment = {**os.environ, "SIOMMU_RUNS": folder,
                   "PYTHONPATH": os.pathsep.join((str(Path(root) / "hdl"), root))}
    began = time.time()
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=root, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.returncode is None:      # with all that it has started
                os.killpg(process.pid, 9)
                process.wait()
        said.seek(0)
        lines = said.read().splitlines()[-LINES:]
    if status is not None and (status < 0 or status > 128):
        raise JobDied(f"a signal ended it, status {status}: {' / '.join(lines[-3:])}")
    if status == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return {"status": "too long" if status is None else "failed" if status else "passed",
            "seconds": round(time.time() - began, 1), "said": lines, "node": socket.gethostname()}
