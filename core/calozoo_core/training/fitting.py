"""Training a stage with lightning: checkpoints, logs, and going on where it was stopped."""

from __future__ import annotations

import csv
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from calozoo_core.io.atomic import atomic_path
from calozoo_core.training.stages import Batch, Schedule, StagedTraining

__all__ = ["BEST", "LOG", "best_weights", "fit"]

BEST = "best.ckpt"
LAST = "last.ckpt"
LOG = "metrics.csv"
EARLIER_LOG = "metrics.earlier.csv"


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
        stage: Stage to train.
        batch: The batch of a given optimiser step: the same step, the same batch, so that a resumed
            training sees what an undisturbed one would have.
        schedule: Length of the stage.
        folder: Folder for its checkpoints and log.
        device: "cpu" or "cuda".

    Returns:
        The figures of the best checkpoint.

    Raises:
        KeyboardInterrupt: If it is stopped with Ctrl-C; given the same folder it goes on.
    """
    _quieten()
    resumed = folder / LAST
    if resumed.exists():
        _set_log_aside(folder, _loaded(resumed)["global_step"])
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
    try:
        with _interruptible(trainer):
            trainer.fit(
                stage,
                datamodule=_Steps(batch, schedule.steps),
                ckpt_path=resumed if resumed.exists() else None,
                weights_only=False,  # our own checkpoint, with an optimiser's state in it
            )
    except OSError as error:
        error.filename = error.filename or str(folder)  # of a checkpoint or a log in it
        raise
    _join_log(folder)
    kept = _loaded(folder / BEST)
    stage.load_state_dict(kept["state_dict"])
    stage.cpu().eval()
    score = best.best_model_score
    return {
        "score": float(score) if score is not None else float("nan"),
        "step": kept["global_step"],
    }


def best_weights(folder: Path) -> dict[str, Tensor] | None:
    """Averaged weights of the best checkpoint so far; None if there is none yet."""
    if not (folder / BEST).exists():
        return None
    start = "average.module."
    state = _loaded(folder / BEST)["state_dict"]
    return {name.removeprefix(start): t for name, t in state.items() if name.startswith(start)}


def _loaded(path: Path) -> dict[str, Any]:
    """Checkpoint with its optimiser's state, which only our own trainings write."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return content


@contextmanager
def _interruptible(trainer: lightning.Trainer) -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt; lightning makes it an exit, and ignores further ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if trainer.interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


class _Epoch(Dataset[Batch]):
    """Batches of one epoch, made when they are asked for."""

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
    warnings.filterwarnings("ignore", ".*`srun` command is available.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*number of training batches.*")


def _set_log_aside(folder: Path, step: int) -> None:
    """Keep the log of earlier steps in another file, since the logger begins a new one.

    Arguments:
        folder: Folder of the stage.
        step: Optimiser steps done in the checkpoint that the training goes on from; what was logged
            after it is done again.
    """
    rows = _rows(folder / EARLIER_LOG) + _rows(folder / LOG)
    _write(folder / EARLIER_LOG, [row for row in rows if int(row["step"]) < step])
    (folder / LOG).unlink(missing_ok=True)


def _join_log(folder: Path) -> None:
    """Put the log of earlier steps in front of the new one."""
    earlier = folder / EARLIER_LOG
    if earlier.exists():
        _write(folder / LOG, _rows(earlier) + _rows(folder / LOG))
        earlier.unlink()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
