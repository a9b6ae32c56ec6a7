"""What trainers share: showers from a folder, steps that can be resumed, checkpoints by physics.

Needs torch and lightning (`pip install calozoo-core[train]`).
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from calozoo_core.errors import InputError
from calozoo_core.io.hdf5 import read_showers
from calozoo_core.showers import Showers

__all__ = ["Physics", "Schedule", "StagedTraining", "fit", "read_sample"]

Batch = tuple[Tensor, ...]


class Physics(Protocol):
    """Looks at what a network generates and says how far it is from Geant4."""

    def __call__(self) -> dict[str, float]:
        """Figures by name, each the smaller the better; `score` is what checkpoints go by."""


@dataclass(frozen=True)
class Schedule:
    """How long a stage of a training lasts.

    Arguments:
        epochs: Number of epochs; an epoch is only a place to stop, validate and resume.
        steps: Optimiser steps in an epoch.
        learning_rate: At the start; a cosine takes it to a hundredth of that at the end.
        validate_every: Epochs between two looks at the physics.
        patience: Looks without an improvement after which the stage ends early.
        average: Decay of the running average of the weights, which is what is kept.
        weight_decay: AdamW's.
    """

    epochs: int
    steps: int
    learning_rate: float
    validate_every: int = 1
    patience: int = 20
    average: float = 0.999
    weight_decay: float = 0.0

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole stage."""
        return self.epochs * self.steps


def read_sample(folder: Path, part: str) -> Showers:
    """The showers of a training or validation sample: all of `folder/part/*.h5`.

    Arguments:
        folder: Holds `train/` and `val/`.
        part: "train" or "val".

    Raises:
        InputError: If there are no such files.
        ShowerFileError: If one of them is damaged.
    """
    paths = sorted((folder / part).glob("*.h5"))
    if not paths:
        msg = f"There are no shower files in {folder / part}; give a folder with train/ and val/."
        raise InputError(msg)
    return Showers.concatenate([read_showers(path) for path in paths])


class StagedTraining(lightning.LightningModule):
    """One stage of a training: a network, its loss, and the physics it is judged by.

    Arguments:
        network: What is trained.
        loss: From a batch to the loss; gets the network and the average it is kept as.
        physics: Looks at the average.
        schedule: How long, and how fast.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, nn.Module, Batch], Tensor],
        physics: Callable[[nn.Module], dict[str, float]],
        schedule: Schedule,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(schedule.average),  # type: ignore[no-untyped-call]
        )
        self._loss, self._physics, self._schedule = loss, physics, schedule

    @property
    def kept(self) -> nn.Module:
        """The network with its averaged weights."""
        return self.average.module

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of a batch."""
        loss = self._loss(self.network, self.kept, batch)
        # Every step counts the same, and lightning need not guess how large its batch was.
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=1)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then average."""
        super().optimizer_step(*args, **kwargs)
        self.average.update_parameters(self.network)

    def validation_step(self, batch: Tensor, _: int) -> None:
        """The physics of what the averaged network generates."""
        for name, figure in self._physics(self.kept).items():
            self.log(name, figure, prog_bar=name == "score", batch_size=1)

    def configure_optimizers(self) -> Any:
        """AdamW and a cosine."""
        schedule = self._schedule
        optimizer: Optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
        )
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, schedule.total_steps, eta_min=schedule.learning_rate / 100
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": cosine, "interval": "step"},
        }


def fit(
    stage: StagedTraining,
    batch: Callable[[int], Batch],
    schedule: Schedule,
    folder: Path,
    *,
    device: str = "cpu",
) -> dict[str, float]:
    """Train a stage, or go on with one that was stopped, and leave it with its best weights.

    Writes `metrics.csv`, `last.ckpt` and `best.ckpt` to the folder.

    Arguments:
        stage: What to train.
        batch: The batch of a given optimiser step: the same step, the same batch, so that a resumed
            training sees what an undisturbed one would have.
        schedule: How long.
        folder: Where its checkpoints and log go.
        device: "cpu" or "cuda".

    Returns:
        The figures of the best checkpoint.
    """
    _quieten()
    best = ModelCheckpoint(
        dirpath=folder, filename="best", monitor="score", mode="min", enable_version_counter=False
    )
    last = ModelCheckpoint(
        dirpath=folder, filename="last", every_n_epochs=1, enable_version_counter=False
    )
    callbacks: list[Callback] = [best, last]
    callbacks.append(EarlyStopping("score", patience=schedule.patience, mode="min"))
    if sys.stderr.isatty():
        callbacks.append(TQDMProgressBar())
    trainer = lightning.Trainer(
        accelerator="gpu" if device.startswith("cuda") else "cpu",
        devices=1,
        max_epochs=schedule.epochs,
        check_val_every_n_epoch=schedule.validate_every,
        num_sanity_val_steps=0,
        gradient_clip_val=10.0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        logger=CSVLogger(folder, name="", version=""),
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        log_every_n_steps=schedule.steps,
    )
    resumed = folder / "last.ckpt"
    trainer.fit(
        stage,
        datamodule=_Steps(batch, schedule.steps),
        ckpt_path=resumed if resumed.exists() else None,
        weights_only=False,  # our own checkpoint, with an optimiser's state in it
    )
    kept = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=False)
    stage.load_state_dict(kept["state_dict"])
    stage.cpu().eval()
    score = best.best_model_score
    return {
        "score": float(score) if score is not None else float("nan"),
        "step": kept["global_step"],
    }


class _Epoch(Dataset[Batch]):
    """The batches of one epoch, made when they are asked for."""

    def __init__(self, batch: Callable[[int], Batch], first: int, steps: int) -> None:
        self._batch, self._first, self._steps = batch, first, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        if step >= self._steps:
            raise IndexError(step)
        return self._batch(self._first + step)


class _Steps(lightning.LightningDataModule):
    """Hands out the batches of the epoch the trainer is in."""

    def __init__(self, batch: Callable[[int], Batch], steps: int) -> None:
        super().__init__()
        self._batch, self._steps = batch, steps

    # A loader draws a number to seed workers with, even if it has none: from its own generator
    # here, so that the global one stays as it was.

    def train_dataloader(self) -> DataLoader[Batch]:
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        steps = _Epoch(self._batch, epoch * self._steps, self._steps)
        return DataLoader(steps, batch_size=None, generator=torch.Generator())

    def val_dataloader(self) -> DataLoader[Tensor]:
        # One empty item: the physics is looked at once, and brings its own showers.
        return DataLoader(torch.zeros(1, 1), generator=torch.Generator())  # type: ignore[arg-type]


def _quieten() -> None:
    """Keep lightning's advice about workers and hardware off the terminal."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for text in (".*does not have many workers.*", ".*GPU available.*", ".*isinstance.treespec.*"):
        warnings.filterwarnings("ignore", text)
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*number of training batches.*")
