"""Cores of a process: affinity, control groups of both versions, batch system."""

from __future__ import annotations

import os

import pytest

from calozoo_core import cores
from calozoo_core.cores import available_cores, usable_threads


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Eight cores, and nobody who says anything about them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "_quota", lambda: None)
    for name in ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quota(tmp_path, own):
    write(tmp_path / "own", own)
    return QUOTA(tmp_path / "groups", tmp_path / "own")


QUOTA = cores._quota


def test_affinity_is_what_there_is_if_nobody_says_less():
    assert available_cores() == 8


def test_a_quota_limits_the_cores(monkeypatch):
    monkeypatch.setattr(cores, "_quota", lambda: 3)
    assert available_cores() == 3
    monkeypatch.setattr(cores, "_quota", lambda: 30)
    assert available_cores() == 8


@pytest.mark.parametrize(("said", "n"), [("2", 2), (" 4 ", 4), ("64", 8), ("0", 8), ("many", 8)])
def test_slurm_limits_the_cores(monkeypatch, said, n):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", said)
    assert available_cores() == n


def test_version_two_has_the_smallest_quota_of_the_groups_around_a_process(tmp_path):
    group = tmp_path / "groups/user/job"
    write(group / "cpu.max", "max 100000\n")
    assert quota(tmp_path, "0::/user/job\n") is None
    write(group / "cpu.max", "400000 100000\n")
    assert quota(tmp_path, "0::/user/job\n") == 4
    write(group.parent / "cpu.max", "150000 100000\n")
    assert quota(tmp_path, "0::/user/job\n") == 2  # one and a half, rounded up


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    write(tmp_path / "groups/cpu.max", "50000 100000\n")
    assert quota(tmp_path, "0::/\n") == 1
    # Its path may be that of the machine outside, where the container has no folder.
    assert quota(tmp_path, "0::/docker/0123\n") == 1


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_version_one_is_read_wherever_its_controller_is_mounted(tmp_path, mount):
    group = tmp_path / "groups" / mount / "job"
    write(group / "cpu.cfs_quota_us", "-1\n")
    write(group / "cpu.cfs_period_us", "100000\n")
    own = "5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n"
    assert quota(tmp_path, own) is None
    write(group / "cpu.cfs_quota_us", "250000\n")
    assert quota(tmp_path, own) == 3


@pytest.mark.parametrize("text", ["", "max", "a b", "100000 0", "0 100000"])
def test_a_quota_that_is_none_limits_nothing_to_less_than_a_core(tmp_path, text):
    write(tmp_path / "groups/cpu.max", text)
    assert quota(tmp_path, "0::/\n") in (None, 1)


def test_a_system_without_control_groups_has_no_quota(tmp_path):
    assert QUOTA(tmp_path, tmp_path / "missing") is None


@pytest.mark.parametrize(("said", "n"), [("3", 3), ("3,2", 3), ("", 8), ("0", 8), ("many", 8)])
def test_threads_are_those_of_openmp_or_the_cores(monkeypatch, said, n):
    monkeypatch.setitem(cores.sys.modules, "torch", None)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert usable_threads() == n
