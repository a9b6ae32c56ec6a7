"""Number of cores this process may use, of threads and of processes it may start."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Final

from calozoo_core.errors import InputError

__all__ = ["MOST_PROCESSES", "available_cores", "check_processes", "usable_threads"]

MOST_PROCESSES: Final = 1024
"""Most processes that one command starts on a machine."""

_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN_GROUPS: Final = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Number of cores this process may use.

    The smallest of: the cores it may run on (affinity), the CPU quota of its control group (of a
    container or a batch job) and of the groups around it, and SLURM_CPUS_PER_TASK.

    Example:
        >>> available_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limits = [cores, _quota(), _positive(os.environ.get("SLURM_CPUS_PER_TASK"))]
    return min(limit for limit in limits if limit is not None)


def usable_threads() -> int:
    """Number of threads for one call, in this thread.

    That of torch if torch is imported; else OMP_NUM_THREADS, or the available cores.
    """
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):  # not while it is being imported
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # "4,2" is for nested regions
    return _positive(asked) or available_cores()


def check_processes(n: int, argument: str) -> None:
    """Refuse a number of processes that no machine could run.

    Arguments:
        n: The number.
        argument: Argument it was given as.

    Raises:
        InputError: If it is not from 1 to `MOST_PROCESSES`.
    """
    if not 1 <= n <= MOST_PROCESSES:
        msg = (
            f"{n} processes cannot be started; give {argument} from 1 to {MOST_PROCESSES}, such as "
            f"{available_cores()}, the cores that are here."
        )
        raise InputError(msg, argument=argument)


def _positive(text: str | None) -> int | None:
    """A positive whole number; None for anything else."""
    text = (text or "").strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _quota(groups: Path = _GROUPS, own: Path = _OWN_GROUPS) -> int | None:
    """CPU quota of the control groups of this process, in cores, rounded up; None without one.

    References:
        | cpu.max of version 2 and cpu.cfs_quota_us of version 1:
        | https://docs.kernel.org/admin-guide/cgroup-v2.html
        | https://docs.kernel.org/scheduler/sched-bwc.html

    Arguments:
        groups: Where the groups are mounted.
        own: Lists the groups of this process, as `number:controllers:path`.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return None
    shares = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            shares += [_share_v2(folder) for folder in _upwards(groups, path)]
        elif "cpu" in controllers.split(","):
            # The controller is mounted by its own name, or together with its accounting.
            for mount in {groups / "cpu", groups / controllers}:
                shares += [_share_v1(folder) for folder in _upwards(mount, path)]
    found = [share for share in shares if share is not None]
    return max(math.ceil(min(found)), 1) if found else None


def _upwards(mount: Path, path: str) -> list[Path]:
    """Folders of a group and of those around it; a container may see its own as the root."""
    folder = mount / path.lstrip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(mount))]


def _share_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such file
        return None


def _share_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="utf-8"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="utf-8"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
