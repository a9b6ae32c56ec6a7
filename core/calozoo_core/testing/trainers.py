"""Contract suite of trainers, beside that of models in `calozoo_core.testing`.

Derive one class from `TrainerContract` in your tests; it needs pytest, torch and lightning.
"""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io.hdf5 import write_showers
from calozoo_core.showers import Showers
from calozoo_core.training.model_training import BEST_WEIGHTS
from calozoo_core.training.stages import StagedTraining

__all__ = ["TrainerContract", "made_up_electrons", "made_up_showers", "write_sample"]

TRAIN, VAL = 30, 10


def made_up_showers(n: int = TRAIN + VAL, points: int = 500) -> Showers:
    """Showers with about the right positions and energies, so that every histogram fills.

    Arguments:
        n: Number of showers.
        points: Number of points of each.
    """
    random = np.random.default_rng(8)
    return Showers(
        offsets=np.arange(n + 1) * points,
        x=random.normal(0, 15, n * points).astype(np.float32),
        y=random.normal(0, 15, n * points).astype(np.float32),
        layer=np.sort(random.integers(0, 30, (n, points), np.uint8)).ravel(),
        energy=random.lognormal(-1.5, 1.2, n * points).astype(np.float32),
        incident=Incident(
            random.uniform(5, 100, n),
            np.column_stack([random.uniform(-0.1, 0.1, (n, 2)), np.ones(n)]),
        ),
        representation="x25",
        detector="ild_siecal_regular",
    )


def made_up_electrons(n: int = TRAIN + VAL, points: int = 400) -> Showers:
    """Electrons straight into the detector of the CaloChallenge, likewise.

    Arguments:
        n: Number of showers.
        points: Number of points of each.
    """
    random = np.random.default_rng(8)
    return Showers(
        offsets=np.arange(n + 1) * points,
        x=random.normal(0, 8, n * points).astype(np.float32),
        y=random.normal(0, 8, n * points).astype(np.float32),
        layer=np.sort(random.integers(0, 90, (n, points), np.uint8)).ravel(),
        energy=random.lognormal(-2.5, 1.2, n * points).astype(np.float32),
        incident=Incident(random.uniform(1, 100, n), (0, 0, 1), "e-"),
        representation="steps",
        detector="par04_siw",
    )


def write_sample(folder: Path, showers: Showers) -> Path:
    """Write the first 30 showers to `train/`, the others to `val/`."""
    for part, rows in (("train", slice(0, TRAIN)), ("val", slice(TRAIN, None))):
        (folder / part).mkdir(parents=True)
        write_showers(folder / part / "showers.h5", showers[rows], generator="made-up")
    return folder


class TrainerContract:
    """The checks; pytest collects them from a subclass whose name begins with Test.

    Example:
        >>> class TestMyTraining(TrainerContract):
        ...     spec: ModelSpec  # = the spec your plugin registers
        ...     options = {"epochs": 2, "steps": 3}
    """

    spec: ClassVar[ModelSpec]
    #: What makes the training take a second or two; two looks at the physics at least.
    options: ClassVar[dict[str, Any]]
    #: What makes it shorter still, where that suffices.
    one_stage: ClassVar[dict[str, Any]] = {}
    #: By how much weights may differ that should agree: products differ in their last bit.
    rtol: ClassVar[float] = 1e-4
    atol: ClassVar[float] = 1e-5

    @pytest.fixture
    def train(self) -> Callable[..., Path]:
        """The function that the spec names."""
        assert self.spec.trainer is not None
        function: Callable[..., Path] = resolve_name(self.spec.trainer)
        return function

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        """Showers to train on."""
        return write_sample(tmp_path / "data", made_up_showers())

    def test_a_training_ends_in_a_model_that_generates(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        out = train(data, tmp_path / "run", **self.options)
        factory: type[Generator] = resolve_name(self.spec.factory)
        assert len(factory.load(self.spec, out).generate(energy=20, n=3)) == 3
        record = json.loads((out / "training.json").read_text())
        assert record["showers"] == {"train": TRAIN, "val": VAL}
        assert len(record["data"]) == 2
        for stage in record["stages"]:
            assert "score" in _columns(out / f"{stage}.csv")
        assert not list(out.rglob("*.part"))

    def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
        self,
        train: Callable[..., Path],
        data: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        options = self.options | self.one_stage
        whole = train(data, tmp_path / "whole", **options)
        with monkeypatch.context() as patch:
            patch.setattr(StagedTraining, "validation_step", _stopped_at_the_second_look())
            with pytest.raises(RuntimeError, match="stopped"):
                train(data, tmp_path / "stopped", **options)
        assert not list((tmp_path / "stopped").rglob(BEST_WEIGHTS))
        resumed = train(data, tmp_path / "stopped", **options)
        self._check_same(resumed, whole)
        for stage in {path.parent.name for path in whole.rglob(BEST_WEIGHTS)}:
            assert _steps(resumed / stage) == _steps(whole / stage), "The log has a gap."

    def test_the_same_seed_trains_the_same_weights(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        options = self.options | self.one_stage
        one, two = (train(data, tmp_path / name, **options) for name in ("one", "two"))
        self._check_same(one, two)

    @pytest.mark.slow
    def test_two_processes_train_what_one_does(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        options = self.options | self.one_stage
        if train.__self__.undivided:  # type: ignore[attr-defined]
            with pytest.raises(InputError, match="trains in one process"):
                train(data, tmp_path / "two", **options, devices=2)
            return
        one = train(data, tmp_path / "one", **options)
        two = train(data, tmp_path / "two", **options, devices=2)
        self._check_same(one, two)
        for stage in {path.parent.name for path in one.rglob(BEST_WEIGHTS)}:
            for row, other in zip(_rows(one / stage), _rows(two / stage), strict=True):
                assert row.keys() == other.keys()
                for name, value in row.items():
                    assert other[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name

    @pytest.mark.slow
    def test_a_signal_and_the_end_of_the_time_leave_a_checkpoint_that_loses_nothing(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        options = self.options | self.one_stage
        whole = train(data, tmp_path / "whole", **options)
        with _signal_after_the_first_step(), pytest.raises(KeyboardInterrupt, match="SIGUSR1"):
            train(data, tmp_path / "stopped", **options)
        assert not list((tmp_path / "stopped").rglob(BEST_WEIGHTS))
        with pytest.raises(KeyboardInterrupt, match="the end of its time"):
            train(data, tmp_path / "stopped", **options, walltime_minutes=0.1)
        resumed = train(data, tmp_path / "stopped", **options)
        self._check_same(resumed, whole)
        for stage in {path.parent.name for path in whole.rglob(BEST_WEIGHTS)}:
            assert _rows(resumed / stage) == _rows(whole / stage)

    def test_training_leaves_the_global_random_state_alone(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        train(data, tmp_path / "run", **self.options | self.one_stage)
        torch.testing.assert_close(torch.rand(3), expected)

    def test_a_budget_sets_how_long_a_stage_lasts(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        out = train(data, tmp_path / "run", **self.options | self.one_stage, budget_minutes=1e-6)
        lasted = [json.loads(path.read_text())["epochs"] for path in out.rglob("schedule.json")]
        assert set(lasted) == {1}

    def test_a_training_without_an_end_is_finished_with_its_best_weights(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        out = train(data, tmp_path / "run", **self.options)
        expected = load_file(out / "model.safetensors")
        for path in [*out.rglob(BEST_WEIGHTS), *out.rglob("record.json")]:
            path.unlink()
        train(data, out, **self.options | {"stage": "finish"})
        torch.testing.assert_close(load_file(out / "model.safetensors"), expected)

    def test_finishing_what_was_never_begun_says_so(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match=r"has not been trained in .*; train it first"):
            train(data, tmp_path / "run", **self.options | {"stage": "finish"})

    def test_an_unknown_option_is_named(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match=r"no option is called 'sede'; there are .*seed"):
            train(data, tmp_path / "run", sede=3)

    def test_an_option_out_of_range_is_named(
        self, train: Callable[..., Path], data: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="the option seed is wrong"):
            train(data, tmp_path / "run", seed=-1)

    def test_a_folder_without_showers_says_what_it_should_hold(
        self, train: Callable[..., Path], tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="train/ and val/"):
            train(tmp_path, tmp_path / "run")

    def _check_same(self, one: Path, two: Path) -> None:
        kept = sorted(path.relative_to(one) for path in one.rglob(BEST_WEIGHTS))
        assert kept, "No stage kept its weights."
        for path in kept:
            torch.testing.assert_close(
                load_file(one / path), load_file(two / path), rtol=self.rtol, atol=self.atol
            )


@contextmanager
def _signal_after_the_first_step() -> Iterator[None]:
    """Context in which the first optimiser step of each training ends with a signal."""
    step = StagedTraining.optimizer_step
    sent: list[bool] = []

    def stepping(training: StagedTraining, *args: Any, **kwargs: Any) -> None:
        step(training, *args, **kwargs)
        if not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StagedTraining, "optimizer_step", stepping)
        yield


def _stopped_at_the_second_look() -> Callable[..., None]:
    looks, look = 0, StagedTraining.validation_step

    def stopping(training: StagedTraining, batch: torch.Tensor, number: int) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            msg = "stopped"
            raise RuntimeError(msg)
        look(training, batch, number)

    return stopping


def _columns(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def _rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [{name: float(text) for name, text in row.items() if text} for row in rows]


def _steps(folder: Path) -> list[str]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return sorted({row["step"] for row in csv.DictReader(file)})
