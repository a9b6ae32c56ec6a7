"""Start of the processes of a data-parallel training, and what becomes of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from calozoo_core.cores import available_cores
from calozoo_core.errors import CalozooError, InputError

__all__ = ["node_number", "train_together"]

STOPPED: Final = 130
"""Exit code of a process that was stopped by a signal, or before its time limit."""

_POLL_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 60
_FIRST_PORT, _PORTS = 20_000, 20_000


class Meeting(NamedTuple):
    """Where the processes of all machines meet.

    Arguments:
        address: Host of the first process.
        port: Its port.
        node: Number of this machine.
    """

    address: str
    port: int
    node: int


def train_together(
    trainer: str, data: Path, out: Path, options: Mapping[str, Any], *, devices: int, nodes: int
) -> None:
    """Train in several processes of this machine, and of others that are told the same.

    Each process is `python -m calozoo_core.training.member`, in a session of its own: signals reach
    it through this process alone, and it ends when this one is gone.

    Arguments:
        trainer: Function to call in each, as `module:Class.train`.
        data: Folder with the showers.
        out: Folder of the training.
        options: Options of the training.
        devices: Processes of this machine.
        nodes: Machines.

    Raises:
        InputError: If the machines do not know where to meet, or a process refuses the request.
        CalozooError: If a process fails.
        KeyboardInterrupt: If the training is stopped.
    """
    meeting = _meeting(nodes)
    request = {"trainer": trainer, "data": str(data), "out": str(out), "options": dict(options)}
    members = [
        _started(request, meeting, number, devices=devices, nodes=nodes)
        for number in range(devices)
    ]
    interrupted: KeyboardInterrupt | None = None
    try:
        _wait(members)
    except KeyboardInterrupt as interrupt:
        interrupted = interrupt
        _end(members)
    finally:
        said = [_last_words(member) for member in members]
    codes = [member.returncode for member in members]
    if interrupted is not None and set(codes) <= {0, STOPPED}:
        raise KeyboardInterrupt(*interrupted.args) from None
    _check(codes, said)


def _wait(members: Sequence[subprocess.Popen[str]]) -> None:
    """Wait until all have ended; when one fails, the others are told to end."""
    while any(member.poll() is None for member in members):
        if any(member.poll() not in (None, 0, STOPPED) for member in members):
            time.sleep(1)  # those that fail for the same reason have said so by then
            _end(members)
            return
        time.sleep(_POLL_SECONDS)


def _end(members: Sequence[subprocess.Popen[str]]) -> None:
    """Tell all to stop, wait while they write their checkpoint, and end those that do not."""
    for member in members:
        with suppress(ProcessLookupError):
            member.terminate()
    limit = time.monotonic() + _PATIENCE_SECONDS
    for member in members:
        try:
            member.wait(max(0.1, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            member.kill()
            member.wait()
        except KeyboardInterrupt:  # a second one
            limit = 0.0


def _check(codes: Sequence[int], said: Sequence[Mapping[str, str]]) -> None:
    """Raise what the processes ended with.

    Raises:
        InputError: If one of them refused the request.
        CalozooError: If one of them failed.
        KeyboardInterrupt: If they were stopped.
    """
    for kind, error in (("refused", InputError), ("failed", CalozooError)):
        for answer in said:
            if kind in answer:
                raise error(answer[kind])
    bad = [n for n, code in enumerate(codes) if code not in (0, STOPPED) and not said[n]]
    if bad:
        msg = (
            f"Process {bad[0]} of the training ended with code {codes[bad[0]]}; "
            "the same command goes on from the last checkpoint."
        )
        raise CalozooError(msg)
    for answer in said:
        if "lost" in answer:
            raise CalozooError(answer["lost"])
    if STOPPED in codes:
        raise KeyboardInterrupt(next((a["stopped"] for a in said if "stopped" in a), ""))


def _last_words(member: subprocess.Popen[str]) -> dict[str, str]:
    """Reason of the end of a process, as it says itself; empty if it does not, or went well."""
    with member:  # waits for it, and closes its pipes
        if member.poll() is None:
            member.kill()
        assert member.stdout is not None
        text = member.stdout.read()
    with suppress(ValueError):
        answer = json.loads(text.strip().rpartition("\n")[2] or "{}")
        if isinstance(answer, dict):
            return answer
    return {}


def _started(
    request: Mapping[str, Any], meeting: Meeting, number: int, *, devices: int, nodes: int
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "MASTER_ADDR": meeting.address,
        "MASTER_PORT": str(meeting.port),
        "WORLD_SIZE": str(devices * nodes),
        "RANK": str(meeting.node * devices + number),
        "LOCAL_RANK": str(number),
        "GROUP_RANK": str(meeting.node),
    }
    environment.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // devices)))
    if nodes == 1 and sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    member = subprocess.Popen(
        [sys.executable, "-m", "calozoo_core.training.member"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert member.stdin is not None
    print(json.dumps(request), file=member.stdin, flush=True)
    return member


def node_number() -> int:
    """Number of this machine among those that train together, from 0."""
    names = ("NODE_RANK", "SLURM_NODEID")
    given = next((os.environ[name] for name in names if os.environ.get(name)), "0")
    return int(given) if given.isdecimal() else 0


def _meeting(nodes: int) -> Meeting:
    """Where to meet: on this machine, or where the environment says.

    Raises:
        InputError: If there are several machines, and it does not say.
    """
    environment = os.environ
    if nodes == 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return Meeting("127.0.0.1", free.getsockname()[1], 0)
    address, port = (environment.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if address and port.isdecimal() and environment.get("NODE_RANK") and node_number() < nodes:
        return Meeting(address, int(port), node_number())
    if all(environment.get(name) == str(nodes) for name in ("SLURM_NTASKS", "SLURM_NNODES")):
        names = ["scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]]
        first = subprocess.run(names, capture_output=True, text=True, check=True).stdout.split()[0]
        job = int(environment["SLURM_JOB_ID"])
        return Meeting(first, _FIRST_PORT + job % _PORTS, node_number())
    msg = (
        f"A training on {nodes} machines is started once on each, by `srun --nodes={nodes} "
        f"--ntasks={nodes}` or with MASTER_ADDR, MASTER_PORT and NODE_RANK (from 0) in its "
        "environment."
    )
    raise InputError(msg)
