"""The engine on a real Slurm of one node: jobs of all endings, and a node that goes away."""

import dataclasses
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.campaign.engine import run, site_of
from tests.campaign.jobs import Job

from ..support.jobs import ENDINGS, jobs_in
from .one_node import PACKAGES, one_node

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("slurmctld", path="/usr/sbin"),
                       reason=f"it needs root, and: apt-get install {' '.join(PACKAGES)}"),
    # Parsl leaves sockets open with which it looked for this machine's address.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def slurm():
    """Outside of pytest's folders, which only their user may enter: munge refuses those."""
    folder = Path(tempfile.mkdtemp(prefix="siommu-slurm-"))
    before = os.environ.get("SLURM_CONF")
    with one_node(folder) as node:
        os.environ["SLURM_CONF"] = node.environment["SLURM_CONF"]
        yield node
    if before is None:
        del os.environ["SLURM_CONF"]
    shutil.rmtree(folder, ignore_errors=True)


def site():
    return dataclasses.replace(site_of("slurm", Path("none")), jobs=2, heartbeat=2,
                               walltime="00:10:00", partition="test")


def test_every_ending(slurm, tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    results = {job.name: result for job, result in
               run(jobs_in(root), site(), tmp_path / "campaign", root)}
    assert {name: result["status"] for name, result in results.items()} == \
        {name: status for name, (_, status) in ENDINGS.items()}
    assert results["fine"]["node"] == slurm.host


def test_a_node_that_goes_away(slurm, tmp_path):
    """With all its processes, under way; when it is there again, what was lost is done again."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "long.py").write_text(
        "import pathlib, sys, time\nname = sys.argv[1]\n"
        "with pathlib.Path(name).open('a') as began:\n    began.write('.')\n"
        "time.sleep(12)\nprint(name)")
    jobs = {name: Job("test", name, ("long", name), limit=60) for name in ("a", "b", "c")}

    def go_away():
        while not ((root / "a").exists() and (root / "b").exists()):
            time.sleep(.1)
        slurm.kill_node()
        time.sleep(5)
        slurm.start_node()
    away = threading.Thread(target=go_away)
    away.start()
    results = {job.name: result for job, result in run(jobs, site(), tmp_path / "campaign", root)}
    away.join()
    assert {name: (result["status"], result["said"]) for name, result in results.items()} == \
        {name: ("passed", [name]) for name in jobs}
    assert (root / "a").read_text() == (root / "b").read_text() == ".."     # began twice
