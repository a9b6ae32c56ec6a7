"""A small production, and the file that a single process makes of the same request."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from calozoo.production.plan import Plan, make_plan, write_plan
from calozoo.production.request import GenerationRequest
from calozoo.production.shards import ShardFolder

REQUEST = {
    "--model": "toy",
    "--energy": "1:5",
    "--dir": "cone:30",
    "-n": "300",
    "--seed": "7",
    "--batch-size": "16",
}


def words(**changed: str) -> list[str]:
    """A request on the command line."""
    options = REQUEST | {
        f"-{name}" if name == "n" else f"--{name.replace('_', '-')}": value
        for name, value in changed.items()
    }
    return ["generate", *(word for pair in options.items() for word in pair), "--quiet"]


@dataclass(frozen=True)
class Small:
    """A plan of 300 showers in 5 shards, in a folder of its own."""

    path: Path
    plan: Plan
    request: GenerationRequest

    @property
    def folder(self) -> ShardFolder:
        return ShardFolder(self.path, self.plan)

    @property
    def out(self) -> Path:
        return self.path.with_name("s.h5")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def request_() -> GenerationRequest:
    return GenerationRequest(
        model="toy", energy="1:5", direction="cone:30", n=300, seed=7, batch_size=16
    )


@pytest.fixture
def small(tmp_path: Path, request_: GenerationRequest) -> Small:
    path, out = tmp_path / "s.plan.json", tmp_path / "s.h5"
    plan = make_plan(request_, out, path, n_shards=5)
    return Small(path, write_plan(plan, path), request_)


@pytest.fixture(scope="session")
def single_run(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bytes of the file that one process makes."""
    out = tmp_path_factory.mktemp("single") / "s.h5"
    command(*words(out=str(out)))
    return out.read_bytes()


def command(*arguments: str, cwd: Path | None = None, code: int = 0) -> str:
    """Runs the command line in a process of its own; what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "calozoo", *arguments],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture
def run() -> Callable[..., str]:
    return command


def ignore(_: int) -> None:
    """Nobody watches."""


def is_clean(folder: Path, *names: str) -> bool:
    """True if a folder has these files and no others."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)
