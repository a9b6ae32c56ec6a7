"""A real SLURM of one node, started on loopback from Debian's packages and ended by its pids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["missing_packages", "slurm_cluster"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "setpriv")

CONFIGURATION = """\
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
KillWait=5
SchedulerParameters=bf_interval=1,sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_packages() -> str:
    """Why no SLURM can be started here; empty if it can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if absent:
        return f"no {absent[0]}: `apt-get install slurm-wlm munge` brings it"
    return "" if os.geteuid() == 0 else "the daemons of SLURM are started as root"


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Environment in which SLURM's programs speak to a cluster of this machine.

    Arguments:
        folder: Scratch folder.
    """
    environment = os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    environment["SLURM_CONF"] = str(folder / "slurm.conf")
    for name in ("state", "spool", "log"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname()
    ports = free_ports(2)
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(host=host, folder=folder, controller_port=ports[0], node_port=ports[1])
    )
    daemons: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        with (folder / "log" / f"{Path(words[0]).name}.out").open("wb") as log:
            daemons.append(
                subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=folder)
            )

    try:
        if subprocess.run(["unmunge"], input=munged_word(), capture_output=True).returncode:
            as_munge = ["--reuid=munge", "--regid=munge", "--clear-groups"]
            subprocess.run(
                ["install", "-d", "-o", "munge", "-g", "munge", "/run/munge"], check=True
            )
            start("setpriv", *as_munge, "munged", "-F")
            wait_for(lambda: bool(munged_word()), "munged")
        start("slurmctld", "-D")
        time.sleep(2)
        start("slurmd", "-D", "-N", host)

        def is_idle() -> bool:
            said = subprocess.run(
                ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
            )
            return said.stdout.strip() == "idle"

        wait_for(is_idle, "the node")
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def munged_word() -> bytes:
    """A word signed by munge; empty if munged does not run."""
    return subprocess.run(["munge", "-n"], capture_output=True).stdout


def wait_for(there, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"{what} did not come up within {seconds:g} s"
        time.sleep(0.2)


def free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
