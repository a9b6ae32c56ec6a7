"""A training of several stages in one folder, and the record of how its weights came about."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calozoo_core.errors import InputError
from calozoo_core.training.fitting import best_weights, fit
from calozoo_core.training.logs import LOG
from calozoo_core.training.options import TrainingOptions
from calozoo_core.training.stages import Batch, Schedule, StagedTraining
from calozoo_core.weights import sha256

__all__ = ["KEPT", "StageConfig", "TrainingRun", "seeded"]

KEPT = "kept.safetensors"
RECORD = "record.json"
SCHEDULE = "schedule.json"

LOOKING = 0.1
"""Part of a budget that is left for looks at the physics and for what comes after the stages."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class StageConfig:
    """What a stage is after.

    Arguments:
        loss: From the network, the average it is kept as, and a batch.
        physics: Figures of a network, each the smaller the better; checkpoints go by `score`.
        batch: The batch of an optimiser step: the same step, the same batch.
        epochs: How many, if no budget sets their number.
        share: Part of the budget that the stage gets.
        learning_rate: At the start; a cosine takes it to a hundredth of that.
        average: Decay of the running average of the weights.
        weight_decay: AdamW's.
        training: The class that steps.
    """

    loss: Callable[[nn.Module, nn.Module, Batch], Tensor]
    physics: Callable[[Any], dict[str, float]]
    batch: Callable[[int], Batch]
    epochs: int
    share: float
    learning_rate: float = 2e-3
    average: float = 0.999
    weight_decay: float = 0.0
    training: type[StagedTraining] = StagedTraining


class TrainingRun:
    """One training in one folder; given the same folder again, it goes on where it was stopped.

    Arguments:
        data: Folder with `train/*.h5` and `val/*.h5`.
        out: Folder for checkpoints and logs, one for each stage, and in the end for the weights.
        options: How it was asked for.
    """

    def __init__(self, data: Path, out: Path, options: TrainingOptions) -> None:
        self.data, self.out, self._options = data, out, options
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        out.mkdir(parents=True, exist_ok=True)

    def train(self, stage: str, network: nn.Module, goal: StageConfig) -> None:
        """Train a stage, unless it is done already, and keep its best weights."""
        folder, options = self.out / stage, self._options
        if (folder / RECORD).exists():
            return
        schedule = self._schedule(stage, network, goal)
        training = goal.training(network, goal.loss, goal.physics, schedule)
        figures = fit(training, goal.batch, schedule, folder, device=options.device)
        state = {name: tensor.contiguous() for name, tensor in training.kept.state_dict().items()}
        save_file(state, folder / KEPT)
        record = {"options": options.model_dump(), "schedule": asdict(schedule), "best": figures}
        _write_json(folder / RECORD, record)

    def kept(self, stage: str, network: Network) -> Network:
        """The network with the best weights of a stage, also of one that was stopped on its way.

        Raises:
            InputError: If the stage has not been begun.
        """
        folder = self.out / stage
        if (folder / KEPT).exists():
            network.load_state_dict(load_file(folder / KEPT))
        else:
            state = best_weights(folder)
            if state is None:
                msg = f"The stage {stage!r} has not been trained in {self.out}; train it first."
                raise InputError(msg)
            network.load_state_dict(state)
        return network.eval().requires_grad_(requires_grad=False)

    def write_record(self, stages: Iterable[str], showers: Mapping[str, int]) -> None:
        """Write `training.json`, and the log of every stage as `STAGE.csv`.

        Arguments:
            stages: Those that the weights are made of.
            showers: How many there were, in "train" and "val".
        """
        records = {}
        for stage in stages:
            folder = self.out / stage
            shutil.copyfile(folder / LOG, self.out / f"{stage}.csv")
            path = folder / RECORD if (folder / RECORD).exists() else folder / SCHEDULE
            records[stage] = json.loads(path.read_text(encoding="utf-8"))
        files = sorted(self.data.glob("*/*.h5"))
        record = {
            "stages": records,
            "data": {str(path.relative_to(self.data)): sha256(path) for path in files},
            "showers": dict(showers),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        }
        _write_json(self.out / "training.json", record)

    def _schedule(self, stage: str, network: nn.Module, goal: StageConfig) -> Schedule:
        """How long a stage lasts; kept in its folder, so that a resumed one lasts as long."""
        options, path = self._options, self.out / stage / SCHEDULE
        if path.exists():
            return Schedule(**json.loads(path.read_text(encoding="utf-8")))
        epochs = goal.epochs
        if options.budget_minutes is not None:
            seconds = options.budget_minutes * 60 * goal.share * (1 - LOOKING)
            epochs = max(1, round(seconds / (options.steps * _step_seconds(network, goal))))
        schedule = Schedule(
            epochs=epochs,
            steps=options.steps,
            learning_rate=goal.learning_rate,
            validate_every=min(options.validate_every, epochs),
            patience=options.patience,
            average=goal.average,
            weight_decay=goal.weight_decay,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_json(path, asdict(schedule))
        return schedule


def seeded(make: Callable[[], Network], seed: int) -> Network:
    """An untrained network whose first weights depend on the seed alone.

    Layers draw them from torch's global stream, which is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _step_seconds(network: nn.Module, goal: StageConfig, tries: int = 12) -> float:
    """Processor time of an optimiser step, taken with a copy of the network."""
    copied = deepcopy(network)
    optimizer = torch.optim.AdamW(copied.parameters())
    start = 0.0
    for step in range(tries):
        if step == 2:  # the first ones warm up
            start = time.process_time()
        optimizer.zero_grad()
        goal.loss(copied, copied, goal.batch(step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return (time.process_time() - start) / (tries - 2)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
