"""Runs jobs with Parsl, on this machine or on a cluster that sees the same files."""

import os
import shutil
import tomllib
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SimpleLauncher
from parsl.providers import LocalProvider, LSFProvider, SlurmProvider

from .archive import FOLDER
from .jobs import ROOT
from .work import execute

__all__ = ["SITES", "Site", "SiteError", "run", "site_of"]

TRIES = 3           #: of a job that a signal ended, or whose node went away
SETTINGS = ROOT / "campaign.toml"


class SiteError(ValueError):
    """There is no such place to run at. The message says what to write."""


@dataclass(frozen=True)
class Site:
    """Where jobs run.

    Attributes
    ----------
    name : str
        ``local``, ``slurm`` or ``lsf``.
    jobs : int
        At a time on each node.
    nodes : int
        At most.
    walltime : str
        Of a pilot job, hh:mm:ss. A job that it ends is tried again.
    partition, account, options, init : str
        Of the cluster's scheduler: its partition or queue, the account or project, lines of
        options, and shell commands in front of the work.
    heartbeat : int
        Seconds between signs of life of a node; four without one, and it is lost.
    """

    name: str
    jobs: int = os.cpu_count() or 1
    nodes: int = 1
    walltime: str = "04:00:00"
    partition: str = ""
    account: str = ""
    options: str = ""
    init: str = ""
    heartbeat: int = 30


def site_of(name, settings=SETTINGS):
    """The site of that name, as the file ``settings`` says, which need not be there.

    Raises
    ------
    SiteError
        There is no such site, or the file has something else.
    """
    if name not in SITES:
        raise SiteError(f"there is no site {name!r}; choose among {', '.join(SITES)}")
    site = Site(name)
    if not settings.exists():
        return site
    try:
        said = tomllib.loads(settings.read_text()).get(name, {})
        unknown = set(said) - set(asdict(site)) | {"name"} & set(said)
        if unknown:
            raise SiteError(f"{settings} has {', '.join(sorted(unknown))} for {name}; choose among "
                            f"{', '.join(list(asdict(site))[1:])}")
    except tomllib.TOMLDecodeError as error:
        raise SiteError(f"{settings} is no TOML: {error}") from None
    return replace(site, **said)


def _local(site):
    return LocalProvider(max_blocks=1, init_blocks=1, launcher=SimpleLauncher())


def _slurm(site):
    return SlurmProvider(partition=site.partition or None, account=site.account or None,
                         exclusive=False, **_pilots(site))


def _lsf(site):
    return LSFProvider(queue=site.partition or None, project=site.account or None, **_pilots(site))


def _pilots(site):
    """What every cluster is told about pilot jobs: one node each."""
    return {"nodes_per_block": 1, "init_blocks": 0, "max_blocks": site.nodes,
            "walltime": site.walltime, "scheduler_options": site.options,
            "worker_init": _environment(site), "cmd_timeout": 60, "launcher": SimpleLauncher()}


SITES = {"local": _local, "slurm": _slurm, "lsf": _lsf}


def _environment(site):
    """Shell commands in front of the work on a node."""
    return (f"cd {ROOT}\nexport PATH={ROOT}/.venv/bin:$PATH PYTHONPATH={ROOT}/hdl:{ROOT}\n"
            f"{site.init}")


def _config(site, folder):
    paths = os.environ["PATH"].split(os.pathsep)
    tools = str(ROOT / ".venv" / "bin")
    os.environ["PATH"] = os.pathsep.join([tools, *(path for path in paths if path != tools)])
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "hdl"), str(ROOT)))
    return Config(
        executors=[HighThroughputExecutor(
            label=site.name, provider=SITES[site.name](site), max_workers_per_node=site.jobs,
            cores_per_worker=1e-6,      # ``jobs`` decides alone
            address="127.0.0.1" if site.name == "local" else None,
            heartbeat_period=site.heartbeat, heartbeat_threshold=4 * site.heartbeat,
            worker_logdir_root=str(folder / "nodes"), block_error_handler=site.name == "local")],
        retries=TRIES - 1, run_dir=str(folder / "runs"), usage_tracking=0,
        initialize_logging=False, strategy="simple", strategy_period=2)


def run(jobs, site, folder=FOLDER, root=ROOT):
    """Yields (job, result) as jobs end.

    A job that a signal ended, or whose node went away, is tried again; in the end its ``status``
    is "lost". For the results see :func:`.work.execute`.

    Parameters
    ----------
    jobs : dict
        Key to ``Job``.
    site : Site
    folder : Path
        For what simulations leave, and for Parsl's own files.
    root : Path
        The tree that the jobs are of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with parsl.load(_config(site, folder)) as kernel:
        task = parsl.python_app(execute, data_flow_kernel=kernel)
        futures = {task(list(job.command), job.limit, str(folder / "simulations" / key), str(root)):
                   job for key, job in jobs.items()}
        for future in as_completed(futures):
            error = future.exception()
            yield futures[future], future.result() if error is None else {
                "status": "lost", "seconds": 0, "node": "",
                "said": [f"tried {TRIES} times: {error}"]}
    shutil.rmtree(folder / "runs", ignore_errors=True)
    shutil.rmtree(folder / "nodes", ignore_errors=True)

