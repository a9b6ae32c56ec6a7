"""Trainings of several stages in one folder: their options, and the way to the weights."""

from __future__ import annotations

import json
import platform
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import torch
from pydantic import Field, ValidationError
from safetensors.torch import load_file, save
from torch import nn

from calozoo_core.cores import available_cores
from calozoo_core.errors import InputError
from calozoo_core.io.atomic import write_atomic
from calozoo_core.io.hdf5 import read_showers
from calozoo_core.showers import Showers
from calozoo_core.strict_model import StrictModel
from calozoo_core.training.fitting import LOG, best_weights, fit
from calozoo_core.training.stages import Schedule, StageConfig
from calozoo_core.training.stopping import StoppableCheckpoints, deadline_of
from calozoo_core.training.together import train_together
from calozoo_core.training.world import World
from calozoo_core.weights import sha256
from calozoo_core.weights.trained_model import TrainedModel

__all__ = [
    "BEST_WEIGHTS",
    "ModelTraining",
    "TrainingOptions",
    "read_sample",
    "sample_files",
    "seeded",
]


class TrainingOptions(StrictModel):
    """Options that all trainings have; a model derives its own from this.

    From the command line they are set as `-o name=value`.

    Arguments:
        stage: Stage to train; "all" trains every stage and writes the weights, "finish" writes
            them from the best checkpoints of stages that were stopped.
        seed: Same seed, same batches, same start.
        device: "cpu" or "cuda".
        threads: Threads of torch; None leaves it to torch.
        budget_minutes: Processor time for all stages, which sets how many epochs they get by what a
            step costs here; None goes by the numbers of epochs asked for.
        steps: Optimiser steps of an epoch, which is only a place to stop, look and resume.
        validate_every: Epochs between two looks at the physics.
        patience: Looks without an improvement after which a stage ends early.
        devices: Processes of this machine that share each batch; with "cuda" one GPU each.
        nodes: Machines; each is given the same command.
        checkpoint_minutes: Minutes between two checkpoints to go on from.
        walltime_minutes: Minutes after which it has to be gone; it stops before, with a checkpoint,
            as it does before the end of a SLURM job.
    """

    stage: str = "all"
    seed: int = Field(default=1, ge=0)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    budget_minutes: float | None = Field(default=None, gt=0)
    steps: int = Field(default=200, ge=1)
    validate_every: int = Field(default=1, ge=1)
    patience: int = Field(default=20, ge=1)
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    walltime_minutes: float | None = Field(default=None, gt=0)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Options from keyword arguments.

        Raises:
            InputError: If one of them does not exist, or is out of range.

        Example:
            >>> TrainingOptions.of({"seed": 2}).seed
            2
            >>> TrainingOptions.of({"sede": 2})
            Traceback (most recent call last):
            ...
            calozoo_core.errors.InputError: no option is called 'sede'; there are stage, seed, ...
        """
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            name = first["loc"][0]
            if first["type"] == "extra_forbidden":
                msg = f"no option is called {name!r}; there are {', '.join(cls.model_fields)}."
            else:
                msg = f"the option {name} is wrong: {first['msg'].lower()}."
            raise InputError(msg) from error


BEST_WEIGHTS = "kept.safetensors"
RECORD = "record.json"
SCHEDULE = "schedule.json"

VALIDATION_SHARE = 0.1
"""Part of a budget that is left for validation and for what comes after the stages."""

Network = TypeVar("Network", bound=nn.Module)


class ModelTraining(ABC):
    """Training of a model in one folder: its stages in order, and the weights files at the end.

    Given the same folder again, it goes on where it was stopped.

    A plugin derives from this, and names `MyTraining.train` as `train` in the module that its
    spec names as the trainer.

    Arguments:
        data: Folder with `train/*.h5` and `val/*.h5`.
        out: Folder for checkpoints and logs, one for each stage, and in the end for the weights.
        options: Options of the training.
    """

    #: Class of the options.
    options_type: ClassVar[type[TrainingOptions]]
    #: Names of the stages, in the order of their training.
    stages: tuple[str, ...]
    #: Why batches cannot be shared by several processes; empty if they can.
    undivided: ClassVar[str] = ""
    #: Whether data may be a single file, of which the training holds out a part itself.
    takes_file: ClassVar[bool] = False

    def __init__(self, data: Path, out: Path, options: TrainingOptions) -> None:
        self.data, self.out, self.options = data, out, options
        self.world = World.current()
        self._deadline = deadline_of(options.walltime_minutes)
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        out.mkdir(parents=True, exist_ok=True)

    @classmethod
    def train(cls, data: Path, out: Path, **options: Any) -> Path:
        """Train the model, or go on with a training that was stopped.

        Arguments:
            data: Folder with `train/*.h5` and `val/*.h5`, native shower files.
            out: Folder for checkpoints and logs, and in the end for `config.json`,
                `model.safetensors` and `training.json`.
            options: Fields of `options_type`.

        Returns:
            The folder with the weights.

        Raises:
            InputError: If there is no such option, or there are no showers, or several processes
                cannot share the work.
            KeyboardInterrupt: If it is stopped; given the same folder it goes on.
        """
        asked = cls.options_type.of(options)
        processes = asked.devices * asked.nodes
        if processes == World.current().size:
            cls(data, out, asked).run()
        else:
            if cls.undivided:
                msg = f"This trains in one process, since {cls.undivided}; give devices=1."
                raise InputError(msg, argument="devices=1")
            trainer = f"{cls.__module__}:{cls.__qualname__}.train"
            train_together(trainer, data, out, options, devices=asked.devices, nodes=asked.nodes)
        return out

    def run(self) -> None:
        """Train the stages that the options ask for, and write the weights after the last one.

        Raises:
            InputError: If there is no such stage.
        """
        asked = self.options.stage
        if asked not in ("all", "finish", *self.stages):
            msg = f"There is no stage {asked!r}; the stages are {', '.join(self.stages)}."
            raise InputError(msg)
        for stage in self.stages:
            if asked in ("all", stage):
                with self.world.first_alone():  # which makes files that the others read
                    network = self.network(stage)
                    config = self.stage_config(stage, network)
                self.train_stage(stage, network, config)
        if asked in ("all", "finish") and self.world.is_first:
            best = {stage: self.best_model(stage, self.network(stage)) for stage in self.stages}
            self.trained_model(best).write(self.out)
            self._write_record()

    @abstractmethod
    def network(self, stage: str) -> nn.Module:
        """Untrained network of a stage."""

    @abstractmethod
    def stage_config(self, stage: str, network: Any) -> StageConfig:
        """Loss, batches and metrics of a stage.

        Arguments:
            stage: Name of the stage.
            network: Its untrained network, whose standardisation is set here.
        """

    @abstractmethod
    def trained_model(self, best: Mapping[str, Any]) -> TrainedModel:
        """Calibrated model of the best networks of all stages.

        Arguments:
            best: Networks by stage.
        """

    @abstractmethod
    def n_showers(self) -> dict[str, int]:
        """Numbers of showers in "train" and "val"."""

    def train_stage(self, stage: str, network: nn.Module, config: StageConfig) -> None:
        """Train a stage, unless it is done already, and keep its best weights."""
        folder, options, world = self.out / stage, self.options, self.world
        if world.from_first((folder / RECORD).exists()):
            return
        self._check_divisible(stage, network)
        with world.first_alone():
            schedule = self._schedule(stage, network, config)
        training = config.training(network, config.loss, config.metrics, schedule)
        stopping = StoppableCheckpoints(folder, options.checkpoint_minutes, self._deadline)
        best = fit(
            training,
            config.batch,
            schedule,
            folder,
            weight=config.weight,
            device=options.device,
            nodes=options.nodes,
            stopping=stopping,
        )
        if world.is_first:
            state = {
                name: tensor.contiguous() for name, tensor in training.averaged.state_dict().items()
            }
            write_atomic(folder / BEST_WEIGHTS, save(state))
            record = {"options": options.model_dump(), "schedule": asdict(schedule), "best": best}
            _write_json(folder / RECORD, record)
        world.wait()
        stopping.stop_if_asked()  # in its last epoch, which was too late to stop it

    def _check_divisible(self, stage: str, network: nn.Module) -> None:
        """Refuse several processes where a network looks at the batch as a whole.

        Raises:
            InputError: If it normalises over the batch.
        """
        if self.world.size > 1 and any("BatchNorm" in type(m).__name__ for m in network.modules()):
            msg = f"The stage {stage} trains in one process, since it normalises over the batch."
            raise InputError(msg)

    def best_model(self, stage: str, network: Network) -> Network:
        """Network with the best weights of a stage, also of one that was stopped on its way.

        Raises:
            InputError: If the stage has not been begun.
        """
        folder = self.out / stage
        if (folder / BEST_WEIGHTS).exists():
            network.load_state_dict(load_file(folder / BEST_WEIGHTS))
        else:
            state = best_weights(folder)
            if state is None:
                msg = f"The stage {stage!r} has not been trained in {self.out}; train it first."
                raise InputError(msg)
            network.load_state_dict(state)
        return network.eval().requires_grad_(requires_grad=False)

    def _write_record(self) -> None:
        """Write `training.json`, and the log of every stage as `STAGE.csv`."""
        records = {}
        for stage in self.stages:
            folder = self.out / stage
            shutil.copyfile(folder / LOG, self.out / f"{stage}.csv")
            path = folder / RECORD if (folder / RECORD).exists() else folder / SCHEDULE
            records[stage] = json.loads(path.read_text(encoding="utf-8"))
        if self.data.is_file():
            data = {self.data.name: sha256(self.data)}
        else:
            files = sorted([*self.data.glob("*/*.h5"), *self.data.glob("*/*.hdf5")])
            data = {str(path.relative_to(self.data)): sha256(path) for path in files}
        record = {
            "stages": records,
            "data": data,
            "showers": self.n_showers(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": available_cores(),
        }
        _write_json(self.out / "training.json", record)

    def _schedule(self, stage: str, network: nn.Module, config: StageConfig) -> Schedule:
        """Schedule of a stage; kept in its folder, so that a resumed one lasts as long."""
        options, path = self.options, self.out / stage / SCHEDULE
        if path.exists():
            return Schedule(**json.loads(path.read_text(encoding="utf-8")))
        epochs = config.epochs
        if options.budget_minutes is not None:
            seconds = options.budget_minutes * 60 * config.share * (1 - VALIDATION_SHARE)
            epochs = max(1, round(seconds / (options.steps * _step_seconds(network, config))))
        schedule = Schedule(
            epochs=epochs,
            steps=options.steps,
            learning_rate=config.learning_rate,
            validate_every=min(options.validate_every, epochs),
            patience=options.patience,
            average=config.average,
            weight_decay=config.weight_decay,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_json(path, asdict(schedule))
        return schedule


def read_sample(folder: Path, part: str) -> Showers:
    """Showers of a training or validation sample: all files of `folder/part`.

    Arguments:
        folder: Folder with `train/` and `val/`.
        part: "train" or "val".

    Raises:
        InputError: If there are no such files.
        ShowerFileError: If one of them is damaged.
    """
    return Showers.concatenate([read_showers(path) for path in sample_files(folder, part)])


def sample_files(folder: Path, part: str) -> list[Path]:
    """Files of a training or validation sample, `folder/part/*.h5` and `*.hdf5`, in order.

    Arguments:
        folder: Folder with `train/` and `val/`.
        part: "train" or "val".

    Raises:
        InputError: If there are none.
    """
    place = folder / part
    paths = sorted([*place.glob("*.h5"), *place.glob("*.hdf5")])
    if not paths:
        msg = f"There are no shower files in {place}; give a folder with train/ and val/."
        raise InputError(msg)
    return paths


def seeded(make: Callable[[], Network], seed: int) -> Network:
    """Untrained network whose first weights depend on the seed alone.

    Layers draw them from torch's global stream, which is put back afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _step_seconds(network: nn.Module, config: StageConfig, tries: int = 12) -> float:
    """Processor time of an optimiser step, taken with a copy of the network."""
    copied = deepcopy(network)
    optimizer = torch.optim.AdamW(copied.parameters())
    start = 0.0
    for step in range(tries):
        if step == 2:  # the first ones warm up
            start = time.process_time()
        optimizer.zero_grad()
        config.loss(copied, copied, config.batch(step)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return (time.process_time() - start) / (tries - 2)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    write_atomic(path, json.dumps(content, indent=2) + "\n")
