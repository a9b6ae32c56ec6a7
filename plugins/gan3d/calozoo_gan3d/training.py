"""Training of 3DGAN: layer energies, the contest, and the two files they end up in."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calozoo_core.errors import InputError
from calozoo_core.showers import Showers
from calozoo_core.training import Schedule, StagedTraining, fit, read_sample
from calozoo_core.weights import sha256
from calozoo_gan3d.adversary import Contest, Players
from calozoo_gan3d.config import preset
from calozoo_gan3d.data import Sample, Upright, energy_batch, image_batch, roots, upright
from calozoo_gan3d.energies import LayerEnergies, energy_score
from calozoo_gan3d.files import Trained, write
from calozoo_gan3d.physics import energy_physics, image_physics
from calozoo_gan3d.start import start_from_means
from calozoo_gan3d.tables import fitted_tables

__all__ = ["Options", "train"]

KEPT = "kept.safetensors"
STAGES: tuple[Literal["energies", "images"], ...] = ("energies", "images")

#: How a budget is shared among the stages, and the part of it that looks at the physics take.
SHARES = {"energies": 0.1, "images": 0.9}
LOOKING = 0.05

#: Showers whose points are looked at in the end.
SHOWERS_IN_TABLES = 5000

Stage = Literal["energies", "images"]
Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, nn.Module, Batch], Tensor]
Network = TypeVar("Network", bound=nn.Module)


class Options(BaseModel):
    """What can be set from the command line, as `-o name=value`.

    Arguments:
        stage: Train one stage only; "finish" puts the files together; "all" does everything in
            order.
        preset: Sizes: "ild-photon" or "tiny".
        seed: Same seed, same batches, same start.
        device: "cpu" or "cuda".
        threads: Threads of torch; None leaves it to torch.
        energies_epochs: Epochs of the network of the layer energies.
        images_epochs: Epochs of the contest.
        budget_minutes: Processor time for all stages; sets their numbers of epochs by what a step
            costs here, and takes the place of the numbers above.
        steps: Optimiser steps of an epoch, which is only a place to stop, look and resume.
        batch: Showers in a batch of images.
        validate_every: Epochs between two looks at the physics.
        patience: Looks without an improvement after which a stage ends early.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["all", "energies", "images", "finish"] = "all"
    preset: Literal["ild-photon", "tiny"] = "ild-photon"
    seed: int = Field(default=1, ge=0)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    energies_epochs: int = Field(default=150, ge=1)
    images_epochs: int = Field(default=100, ge=1)
    budget_minutes: float | None = Field(default=None, gt=0)
    steps: int = Field(default=50, ge=1)
    batch: int = Field(default=48, ge=2)
    validate_every: int = Field(default=2, ge=1)
    patience: int = Field(default=40, ge=1)


class AdversarialTraining(StagedTraining):
    """The contest as a stage: Adam with a short memory, and a slower discriminator.

    Arguments:
        network: Both players.
        loss: The contest.
        physics: Looks at the average.
        schedule: How long, and how fast the generator.
    """

    #: Learning rate of the discriminator over that of the generator.
    SLOWER = 0.25
    BETAS = (0.5, 0.99)

    def configure_optimizers(self) -> Any:
        """Adam for both players, and a cosine."""
        rate, players = self._schedule.learning_rate, self.network
        assert isinstance(players, Players)
        optimizer = torch.optim.Adam(
            [
                {"params": players.generator.parameters(), "lr": rate},
                {"params": players.discriminator.parameters(), "lr": rate * self.SLOWER},
            ],
            betas=self.BETAS,
        )
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, self._schedule.total_steps, eta_min=rate / 100
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": cosine, "interval": "step"},
        }


def train(data: Path, out: Path, **options: Any) -> Path:
    """Train a 3DGAN, or go on with a training that was stopped.

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
        self.config = preset(options.preset)
        self.showers: Showers = read_sample(data, "train")
        self.sample = self._sample(self.showers, upright(self.showers, options.seed))
        held_out = read_sample(data, "val")
        self.detector = self.showers.detector
        self.validation = self._sample(held_out, upright(held_out, options.seed))

    def run(self) -> Path:
        """The stages asked for, in order."""
        stages = (*STAGES, "finish")
        for stage in stages if self.options.stage == "all" else (self.options.stage,):
            getattr(self, stage)()
        return self.out

    def energies(self) -> None:
        """The layer energies, by the energy score."""
        net = self._energies()
        self._fit(
            "energies",
            net,
            _energy_loss,
            lambda network: energy_physics(network, self.validation),
            lambda step: energy_batch(self.sample, net.latent, 512, self.options.seed, step),
            StagedTraining,
            2e-3,
        )

    def images(self) -> None:
        """The images, by the contest."""
        net, players = self._energies(), self._players()
        start_from_means(players.generator, self.sample)
        options = self.options
        self._fit(
            "images",
            players.to(memory_format=torch.channels_last),
            Contest(self.config, net.to(options.device), self.detector),
            lambda network: image_physics(network.generator, net, self.validation),
            lambda step: image_batch(self.sample, self.config, options.batch, options.seed, step),
            AdversarialTraining,
            3e-3,
        )

    def finish(self) -> None:
        """Calibrate, and write the weights and the record of how they came about."""
        net = self._kept("energies", self._energies())
        generator = self._kept("images", self._players()).generator
        some = self.showers[:SHOWERS_IN_TABLES]
        tables = fitted_tables(upright(some, self.options.seed), len(some), self.config.grid)
        write(self.out, Trained(self.config, net, generator, tables))
        for stage in STAGES:
            shutil.copyfile(self.out / stage / "metrics.csv", self.out / f"{stage}.csv")
        _write_record(self.out / "training.json", self._record())

    def _fit(
        self,
        name: Stage,
        network: Network,
        loss: Loss,
        physics: Callable[[Any], dict[str, float]],
        batch: Callable[[int], Batch],
        make: type[StagedTraining],
        learning_rate: float,
    ) -> None:
        folder = self.out / name
        if (folder / "record.json").exists():
            return
        schedule = self._schedule(name, network, loss, batch, learning_rate)
        stage = make(network, loss, physics, schedule)
        figures = fit(stage, batch, schedule, folder, device=self.options.device)
        save_file(_contiguous(stage.kept.state_dict()), folder / KEPT)
        record = {"options": self.options.model_dump(), "schedule": asdict(schedule)}
        _write_record(folder / "record.json", record | {"best": figures})

    def _schedule(
        self,
        name: Stage,
        network: nn.Module,
        loss: Loss,
        batch: Callable[[int], Batch],
        learning_rate: float,
    ) -> Schedule:
        """How long a stage lasts; kept in its folder, so that a resumed one lasts as long."""
        options, path = self.options, self.out / name / "schedule.json"
        if path.exists():
            return Schedule(**json.loads(path.read_text()))
        epochs = getattr(options, f"{name}_epochs")
        if options.budget_minutes is not None:
            seconds = options.budget_minutes * 60 * SHARES[name] * (1 - LOOKING)
            epochs = max(1, round(seconds / (options.steps * _step_seconds(network, loss, batch))))
        schedule = Schedule(
            epochs=epochs,
            steps=options.steps,
            learning_rate=learning_rate,
            validate_every=min(options.validate_every, epochs),
            patience=options.patience,
            average=0.995,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_record(path, asdict(schedule))
        return schedule

    def _sample(self, showers: Showers, points: Upright) -> Sample:
        return Sample.of(showers, self.config.grid, points)

    def _energies(self) -> LayerEnergies:
        """An untrained network of the layer energies, with mean and spread of the sample."""
        net = _seeded(
            lambda: LayerEnergies(self.config.grid.layers, self.config.energies), self.options.seed
        )
        values = roots(self.sample)
        net.shift.copy_(torch.from_numpy(values.mean(axis=0)))
        net.scale.copy_(torch.from_numpy(values.std(axis=0)))
        return net

    def _players(self) -> Players:
        return _seeded(lambda: Players(self.config), self.options.seed)

    def _kept(self, name: Stage, network: Network) -> Network:
        kept, best = self.out / name / KEPT, self.out / name / "best.ckpt"
        if kept.exists():
            network.load_state_dict(load_file(kept))
        elif best.exists():  # stopped before its end
            state = torch.load(best, weights_only=False)["state_dict"]
            start = "average.module."
            own = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
            network.load_state_dict(own)
        else:
            msg = f"The stage {name!r} has not been trained in {self.out}; train it first."
            raise InputError(msg)
        return network.eval().requires_grad_(False)

    def _record(self) -> dict[str, Any]:
        stages = {}
        for name in STAGES:
            path = self.out / name / "record.json"
            stages[name] = json.loads(path.read_text()) if path.exists() else "stopped"
        files = sorted(self.data.glob("*/*.h5"))
        return {
            "stages": stages,
            "data": {str(path.relative_to(self.data)): sha256(path) for path in files},
            "showers": {"train": len(self.sample), "val": len(self.validation)},
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        }


def _energy_loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
    """Scores of the layers together, of each alone, and of their sum and depth."""
    assert isinstance(network, LayerEnergies)
    energies, incident, condition, noise = batch
    truth = network.standardised(energies, incident)
    drawn = network(condition.expand(len(noise), -1, -1), noise)
    single = energy_score(drawn.unsqueeze(-1), truth.unsqueeze(-1))
    levels = torch.linspace(-1, 1, drawn.shape[-1], device=drawn.device)
    sums = [
        energy_score(_moment(network, drawn, weight), _moment(network, truth, weight))
        for weight in (torch.ones_like(levels), levels)
    ]
    return energy_score(drawn, truth) + 5 * single + torch.stack(sums).sum()


def _moment(network: LayerEnergies, standardised: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of the layer energies over the primary's, in tenths of its usual size."""
    root = standardised * network.scale + network.shift
    return (root.clamp_min(0).square() @ weight).unsqueeze(-1)


def _seeded(make: Callable[[], Network], seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        # Layers draw their first weights from torch's global stream; it is put back afterwards.
        torch.manual_seed(seed)
        return make()


def _contiguous(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _step_seconds(
    network: nn.Module, loss: Loss, batch: Callable[[int], Batch], tries: int = 12
) -> float:
    """Processor time of an optimiser step, without taking one."""
    for step in range(tries):
        if step == 2:  # the first ones warm up
            start = time.process_time()
        loss(network, network, batch(step)).backward()  # type: ignore[no-untyped-call]
    network.zero_grad(set_to_none=True)
    return (time.process_time() - start) / (tries - 2) * 1.05


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
