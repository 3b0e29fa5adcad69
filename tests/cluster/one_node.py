"""A Slurm of one node on this machine, of Debian's packages, in a folder of its own.

It needs root, as Slurm does, and neither systemd nor control groups.
"""

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

__all__ = ["OneNode", "PACKAGES", "one_node"]

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
SECONDS = 60        #: for a daemon to begin

_CONF = """\
ClusterName=campaign
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=60
SchedulerParameters=sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class OneNode:
    """The daemons.

    Parameters
    ----------
    folder : Path

    Attributes
    ----------
    environment : dict
        With which Slurm's commands find it.
    """

    def __init__(self, folder):
        self.folder, self.host = folder, socket.gethostname()
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._processes = {}

    def start(self):
        """Starts all daemons, and waits for the node.

        Raises
        ------
        RuntimeError
            A daemon does not begin. Its log is in the folder.
        """
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        os.chmod(self.folder, 0o755)    # munge wants nobody else to write here
        ports = [_free_port() for _ in range(2)]
        (self.folder / "slurm.conf").write_text(_CONF.format(
            host=self.host, folder=self.folder, cpus=os.cpu_count(), controller=ports[0],
            daemon=ports[1]))
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        self._run("munged", "--foreground", "--force", f"--key-file={key}",
                  f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munge.pid",
                  f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/munge.log")
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._run("slurmctld", "-D", "-c")
        self.start_node()

    def start_node(self):
        """Starts the daemon of the node, and waits until it takes jobs."""
        self._run("slurmd", "-D", "-N", self.host)
        self._wait(lambda: self.state() == "idle", "slurmd")

    def kill_node(self):
        """The node goes away, with all that runs there."""
        jobs = self._said("squeue", "--noheader", "--format=%A").split()
        daemon = self._processes.pop("slurmd")
        daemon.kill()
        daemon.wait()
        for found in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                variables = found.read_bytes().split(b"\0")
                if any(f"SLURM_JOB_ID={job}".encode() in variables for job in jobs):
                    os.kill(int(found.parent.name), 9)

    def state(self):
        """What Slurm says of the node."""
        return self._said("sinfo", "--noheader", "--format=%T").strip()

    def stop(self):
        """Ends all daemons."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def _run(self, name, *arguments):
        with (self.folder / f"{name}.output").open("w") as output:
            self._processes[name] = subprocess.Popen(
                [f"/usr/sbin/{name}", *arguments], env=self.environment, stdout=output,
                stderr=subprocess.STDOUT)

    def _said(self, *command):
        return subprocess.run(command, env=self.environment, text=True, capture_output=True,
                              check=False).stdout

    def _wait(self, true, name):
        for _ in range(10 * SECONDS):
            if true():
                return
            if self._processes[name].poll() is not None:
                break
            time.sleep(.1)
        said = (self.folder / f"{name}.output").read_text()[-1000:]
        raise RuntimeError(f"{name} did not begin; its log is in {self.folder}:\n{said}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def one_node(folder):
    """A Slurm that runs while the context is entered."""
    node = OneNode(folder)
    try:
        node.start()
        yield node
    finally:
        node.stop()
