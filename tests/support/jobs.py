"""Jobs of a campaign that end in every way."""

from ..campaign.jobs import Job

__all__ = ["ENDINGS", "jobs_in"]

#: Module of a job, its text, and how it ends. ``mark``: it was tried before.
ENDINGS = {
    "fine": ("print('all is well')", "passed"),
    "wrong": ("print('a grant that was none')\nraise SystemExit(3)", "failed"),
    "slow": ("import time\ntime.sleep(100)", "too long"),
    "killed_once": ("import os, pathlib\nmark = pathlib.Path('mark')\nif not mark.exists():\n"
                    "    mark.touch()\n    os.kill(os.getpid(), 9)", "passed"),
    "killed_always": ("import os\nos.kill(os.getpid(), 9)", "lost"),
    "worker_killed": ("import os, pathlib, time\nmark = pathlib.Path('mark_2')\n"
                      "if not mark.exists():\n    mark.touch()\n    os.kill(os.getppid(), 9)\n"
                      "    time.sleep(1)", "passed"),
}


def jobs_in(folder):
    """Writes the modules of the jobs into ``folder``; the jobs by name."""
    for name, (text, _) in ENDINGS.items():
        (folder / f"{name}.py").write_text(text)
    return {name: Job("test", name, (name,), limit=2 if name == "slow" else 60)
            for name in ENDINGS}
