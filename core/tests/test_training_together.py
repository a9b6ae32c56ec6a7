"""Data-parallel training: several processes train what one does, and are stopped together."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from calozoo_core.errors import InputError
from calozoo_core.nn.flow_matching import uniform_times
from calozoo_core.testing.trainers import made_up_showers, write_sample
from calozoo_core.training.parts import DrawsOfWhole, parts_of
from calozoo_core.training.stopping import deadline_of
from calozoo_core.training.together import train_together
from calozoo_core.training.world import World

TRAINER = """
import os, signal, time
import torch
from torch import nn
from calozoo_core.training import ModelTraining, StageConfig, TrainingOptions, seeded


class Options(TrainingOptions):
    rows: int = 7
    killed: bool = False
    slow: float = 0.0


class Network(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 16), nn.SiLU(), nn.Dropout(0.3), nn.Linear(16, 1))


class Weights:
    def write(self, out):
        (out / "weights").write_text("there")


class Tiny(ModelTraining):
    options_type = Options
    stages = ("only",)

    def network(self, stage):
        return seeded(Network, self.options.seed)

    def stage_config(self, stage, network):
        return StageConfig(
            loss=self.loss, metrics=self.metrics, batch=self.batch, epochs=3, share=1.0
        )

    def batch(self, step):
        if self.options.killed and step == 4 and self.world.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.options.slow)
        random = torch.Generator().manual_seed(step)
        return torch.randn(self.options.rows, 3, generator=random), torch.tensor(step)

    def loss(self, network, average, batch):
        x, seed = batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            wanted = x.sum(dim=1, keepdim=True) + torch.randn(len(x), 1)
            return (network(x) - wanted).square().mean()

    def metrics(self, network):
        return {"score": float(network(torch.ones(1, 3)).square().mean())}

    def trained_model(self, best):
        return Weights()

    def n_showers(self):
        return {"train": 0, "val": 0}


train = Tiny.train
"""


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "tiny_trainer.py").write_text(TRAINER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delitem(sys.modules, "tiny_trainer", raising=False)
    import tiny_trainer  # type: ignore[import-not-found]

    return tiny_trainer.train


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "data", made_up_showers(points=20))


def kept(out: Path) -> dict[str, torch.Tensor]:
    """Weights of the only stage."""
    return load_file(out / "only/kept.safetensors")


def log(out: Path) -> list[dict[str, float]]:
    """Rows of the log of the only stage."""
    with (out / "only.csv").open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_two_processes_train_what_one_does_also_with_dropout_and_an_odd_batch(
    train: Any, data: Path, tmp_path: Path
) -> None:
    one = train(data, tmp_path / "one", steps=5)
    two = train(data, tmp_path / "two", steps=5, devices=2)
    torch.testing.assert_close(kept(two), kept(one), rtol=1e-4, atol=1e-6)
    for row, other in zip(log(one), log(two), strict=True):
        assert other == pytest.approx(row, rel=1e-5)
    assert (two / "weights").exists()
    assert not list(two.rglob("*.part"))


@pytest.mark.slow
def test_a_process_that_dies_ends_the_others_and_the_same_command_goes_on(
    train: Any, data: Path, tmp_path: Path
) -> None:
    whole = train(data, tmp_path / "whole", steps=3)
    with pytest.raises(Exception, match=r"Process 1 of the training ended with code -9; the same"):
        train(data, tmp_path / "out", steps=3, devices=2, killed=True)
    resumed = train(data, tmp_path / "out", steps=3)
    torch.testing.assert_close(kept(resumed), kept(whole), rtol=1e-4, atol=1e-6)
    for row, other in zip(log(whole), log(resumed), strict=True):
        assert other == pytest.approx(row, rel=1e-5)


@pytest.mark.slow
def test_what_one_process_refuses_is_raised_here(train: Any, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="A batch of 1 cannot be shared by 2 processes"):
        train(data, tmp_path / "out", devices=2, rows=1)


@pytest.mark.slow
def test_two_machines_that_know_where_to_meet_train_what_one_process_does(
    train: Any, data: Path, tmp_path: Path
) -> None:
    one = train(data, tmp_path / "one", steps=5)
    code = (
        "import sys, pathlib, tiny_trainer; "
        "tiny_trainer.train(*map(pathlib.Path, sys.argv[1:]), steps=5, nodes=2)"
    )
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517", "GLOO_SOCKET_IFNAME": "lo"}
    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(data), str(tmp_path / "two")],
            env={**os.environ, **meeting, "NODE_RANK": str(node)},
        )
        for node in range(2)
    ]
    assert [node.wait(300) for node in nodes] == [0, 0]
    torch.testing.assert_close(kept(tmp_path / "two"), kept(one), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_signal_to_the_first_process_stops_all_with_a_checkpoint(
    train: Any, data: Path, tmp_path: Path
) -> None:
    whole = train(data, tmp_path / "whole", steps=30)
    code = (
        "import sys, pathlib, tiny_trainer; "
        "tiny_trainer.train(*map(pathlib.Path, sys.argv[1:]), steps=30, devices=2, slow=0.2)"
    )
    out = tmp_path / "out"
    stopped = subprocess.Popen(
        [sys.executable, "-c", code, str(data), str(out)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for _ in range(3000):
        if (out / "only/metrics.csv").exists() or stopped.poll() is not None:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            stopped.wait(0.1)
    stopped.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in stopped.communicate(timeout=100)[1]
    assert (out / "only/last.ckpt").exists()
    torch.testing.assert_close(kept(train(data, out, steps=30)), kept(whole), rtol=1e-4, atol=1e-6)


def test_machines_that_do_not_know_where_to_meet_are_told_how(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"on 2 machines is started once on each, by `srun"):
        train_together("a:b", tmp_path, tmp_path, {}, devices=1, nodes=2)


def test_the_parts_of_a_batch_weigh_together_what_the_whole_does() -> None:
    x = torch.arange(14.0).view(7, 2)
    worlds = [World(rank, 3) for rank in range(3)]
    parts = [parts_of(lambda _: (x, torch.tensor(1)), lambda b: len(b[0]), w)(0) for w in worlds]
    assert sorted(torch.cat([part.tensors[0] for part in parts])[:, 0].tolist()) == [
        0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0
    ]  # fmt: skip
    means = [part.factor * float(part.tensors[0].mean()) for part in parts]
    assert sum(means) / 3 == pytest.approx(float(x.mean()))


def test_dropout_and_noise_of_the_parts_are_those_of_the_whole() -> None:
    dropout, x = nn.Dropout(0.5), torch.ones(7, 4)

    def drawn(world: World) -> torch.Tensor:
        torch.manual_seed(3)
        with DrawsOfWhole(world, 7):
            own = x[world.rank :: world.size]
            drawn: torch.Tensor = dropout(own) + torch.randn(len(own), 4) + torch.randn(own.shape)
            return drawn + uniform_times(len(own), torch.Generator().manual_seed(4))[:, None]

    torch.manual_seed(3)
    whole = dropout(x) + torch.randn(7, 4) + torch.randn(x.shape)
    whole = whole + uniform_times(7, torch.Generator().manual_seed(4))[:, None]
    for rank in range(2):
        torch.testing.assert_close(drawn(World(rank, 2)), whole[rank::2])


def test_the_end_of_a_slurm_job_is_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    assert deadline_of(None) is None
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1000")
    assert deadline_of(None) == 1000
    assert deadline_of(5) == 1000
