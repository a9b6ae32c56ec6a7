"""Training of CaloINN: the networks one by one, the template, and the two files they end up in."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from calozoo_caloinn.calibration import calibrated
from calozoo_caloinn.codec import Codec
from calozoo_caloinn.data import Batch, Sample, batch
from calozoo_caloinn.files import Trained, write
from calozoo_caloinn.networks import built
from calozoo_caloinn.presets import preset
from calozoo_caloinn.stages import STAGES, Stage
from calozoo_caloinn.template import fitted
from calozoo_core.errors import InputError
from calozoo_core.training import Schedule, StagedTraining, fit, read_sample
from calozoo_core.weights import sha256

__all__ = ["Options", "train"]

KEPT = "kept.safetensors"

LOOKING = 0.15
"""Part of a budget that looks at the physics, template and calibration take."""


class Options(BaseModel):
    """What can be set from the command line, as `-o name=value`.

    Arguments:
        preset: Sizes: "ild-photon", "ild-photon-joint", "ild-photon-vae", or the like for tests.
        seed: Same seed, same batches, same start.
        device: "cpu" or "cuda".
        threads: Threads of torch; None leaves it to torch.
        epochs: Epochs of each network.
        steps: Optimiser steps of an epoch, which is only a place to stop, look and resume.
        batch_size: Showers of a step.
        learning_rate: At the start.
        weight_decay: AdamW's.
        validate_every: Epochs between two looks at the physics.
        patience: Looks without an improvement after which a network is done.
        tails: How many times as often the 2 % of the showers farthest out in the tails are drawn.
        budget_minutes: Processor time that all may take, in minutes; fewer epochs if these take
            longer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal[
        "ild-photon", "ild-photon-joint", "ild-photon-vae", "tiny", "tiny-joint", "tiny-vae"
    ] = "ild-photon"
    seed: int = Field(default=1, ge=0)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=40, ge=1)
    steps: int = Field(default=200, ge=1)
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    validate_every: int = Field(default=1, ge=1)
    patience: int = Field(default=20, ge=1)
    tails: float = Field(default=1.0, ge=1)
    budget_minutes: float | None = Field(default=None, gt=0)


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a CaloINN, or go on with a training that was stopped.

    Arguments:
        data: Folder with `train/*.h5` and `val/*.h5`, native shower files of x25 points.
        out: Folder for checkpoints and logs, and in the end for `config.json`,
            `model.safetensors` and `training.json`.
        options: See `Options`.

    Returns:
        The folder with the weights.

    Raises:
        InputError: If an option is not one of ours, or there are no showers.
    """
    chosen = _options(options)
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    out.mkdir(parents=True, exist_ok=True)
    return _Training(data, out, chosen).run()


def _options(options: dict[str, Any]) -> Options:
    try:
        return Options.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        if first["type"] == "extra_forbidden":
            msg = f"no option is called {name!r}; there are {', '.join(Options.model_fields)}."
        else:
            msg = f"the option {name} is wrong: {first['msg'].lower()}."
        raise InputError(msg) from error


class _Training:
    """One training in one folder."""

    def __init__(self, data: Path, out: Path, options: Options) -> None:
        self.data, self.out, self.options = data, out, options
        self._began = time.process_time()
        self.config = preset(options.preset)
        self.codec = Codec(self.config.codec)
        self.validation = Sample.of(read_sample(data, "val"), self.config, keep=0)
        self.sample = Sample.of(read_sample(data, "train"), self.config, tails=options.tails)

    def run(self) -> Path:
        """The networks in order, each with its share of what is left of the budget."""
        networks = self._networks()
        names = [name for name in STAGES if name in networks]
        for i, name in enumerate(names):
            self._fit(name, networks, remaining=len(names) - i)
        self._finish(networks.eval().requires_grad_(False))
        return self.out

    def _fit(self, name: str, networks: nn.ModuleDict, remaining: int) -> None:
        folder = self.out / name
        if not (folder / KEPT).exists():
            stage = STAGES[name](self.config, networks, self.validation)
            stage.initialise(batch(self.sample, self.codec, 20_000, self.options.seed, 2**40))
            figures, schedule = self._trained(stage, networks, name, remaining)
            record = {"schedule": asdict(schedule), "best": figures}
            _write_record(folder / "record.json", record)
            save_file(networks[name].state_dict(), folder / KEPT)
        networks[name].load_state_dict(load_file(folder / KEPT))
        networks[name].eval().requires_grad_(False)

    def _trained(
        self, stage: Stage, networks: nn.ModuleDict, name: str, remaining: int
    ) -> tuple[dict[str, float], Schedule]:
        schedule = self._schedule(stage, networks[name], remaining)
        training = StagedTraining(networks[name], stage.loss, stage.physics, schedule)
        device = self.options.device
        figures = fit(training, self._batches(), schedule, self.out / name, device=device)
        networks[name].load_state_dict(training.kept.state_dict())
        return figures, schedule

    def _schedule(self, stage: Stage, network: nn.Module, remaining: int) -> Schedule:
        """How long a network is trained; kept in its folder, so that a resumed one is as long."""
        options, path = self.options, self.out / stage.name / "schedule.json"
        if path.exists():
            return Schedule(**json.loads(path.read_text()))
        epochs = options.epochs
        if options.budget_minutes is not None:
            left = 60 * options.budget_minutes - (time.process_time() - self._began)
            epoch = options.steps * _step_seconds(stage, network, self._batches())
            affordable = int((1 - LOOKING) * left / remaining / epoch)
            epochs = min(epochs, max(1, affordable))
        schedule = Schedule(
            epochs=epochs,
            steps=options.steps,
            learning_rate=options.learning_rate,
            validate_every=min(options.validate_every, epochs),
            patience=options.patience,
            average=0.998,
            weight_decay=options.weight_decay,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_record(path, asdict(schedule))
        return schedule

    def _batches(self) -> Callable[[int], Batch]:
        size, seed = self.options.batch_size, self.options.seed
        return lambda step: batch(self.sample, self.codec, size, seed, step)

    def _finish(self, networks: nn.ModuleDict) -> None:
        """Fit the template, calibrate, and write the weights and the record of how they came."""
        config = self.config.model_copy(update={"fitted_on": "its training showers"})
        rings, energy_gev = self.sample.rings, self.sample.energy_gev
        seed = self.options.seed
        template = fitted(rings, energy_gev, config.codec, config.rings, seed)
        trained = calibrated(Trained(config, networks, template), self.sample, seed)
        write(self.out, trained)
        for name in networks:
            shutil.copyfile(self.out / name / "metrics.csv", self.out / f"{name}.csv")
        _write_record(self.out / "training.json", self._record(networks))

    def _networks(self) -> nn.ModuleDict:
        generator = torch.Generator().manual_seed(self.options.seed)
        with torch.random.fork_rng(devices=[]):
            # Layers draw their first weights from torch's global stream; it is put back afterwards.
            torch.manual_seed(self.options.seed)
            return built(self.config, generator)

    def _record(self, networks: nn.ModuleDict) -> dict[str, Any]:
        stages = {
            name: json.loads((self.out / name / "record.json").read_text()) for name in networks
        }
        files = sorted(self.data.glob("*/*.h5"))
        return {
            "options": self.options.model_dump(),
            "stages": stages,
            "data": {str(path.relative_to(self.data)): sha256(path) for path in files},
            "showers": {"train": len(self.sample), "val": len(self.validation)},
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        }


def _step_seconds(stage: Stage, network: nn.Module, batches: Callable[[int], Batch]) -> float:
    """Processor time of an optimiser step, with a copy of the network."""
    copied = deepcopy(network)
    optimizer = torch.optim.AdamW(copied.parameters())
    times = []
    for step in range(5):
        began = time.process_time()
        optimizer.zero_grad()
        stage.loss(copied, copied, batches(step)).backward()
        optimizer.step()
        times.append(time.process_time() - began)
    return sorted(times)[len(times) // 2]


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
