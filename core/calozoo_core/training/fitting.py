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
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from calozoo_core.io.atomic import atomic_path
from calozoo_core.training.parts import Batch, BatchPart, n_rows, parts_of
from calozoo_core.training.stages import Schedule, StagedTraining
from calozoo_core.training.stopping import LAST, StoppableCheckpoints
from calozoo_core.training.world import World

__all__ = ["BEST", "LOG", "best_weights", "fit"]

BEST = "best.ckpt"
LOG = "metrics.csv"
EARLIER_LOG = "metrics.earlier.csv"


def fit(
    stage: StagedTraining,
    batch: Callable[[int], Batch],
    schedule: Schedule,
    folder: Path,
    *,
    weight: Callable[[Batch], float] = n_rows,
    device: str = "cpu",
    nodes: int = 1,
    stopping: StoppableCheckpoints | None = None,
) -> dict[str, float]:
    """Train a stage, or go on with one that was stopped, and leave it with its best weights.

    Writes `metrics.csv`, `last.ckpt` and `best.ckpt` to the folder.

    Arguments:
        stage: Stage to train.
        batch: The batch of a given optimiser step: the same step, the same batch, so that a resumed
            training sees what an undisturbed one would have.
        schedule: Length of the stage.
        folder: Folder for its checkpoints and log.
        weight: Weight of a part of a batch, as in `StageConfig`.
        device: "cpu" or "cuda".
        nodes: Number of machines, if several processes train together.
        stopping: Checkpoints in between, and what stops it before its end.

    Returns:
        The figures of the best checkpoint.

    Raises:
        KeyboardInterrupt: If it is stopped by a signal or before its deadline; given the same
            folder it goes on.
    """
    _quieten()
    world = World.current()
    resumed = folder / LAST
    goes_on = world.from_first(resumed.exists())
    if goes_on and world.is_first:
        _set_log_aside(folder, _loaded(resumed)["global_step"])
    best = ModelCheckpoint(
        dirpath=folder, filename="best", monitor="score", mode="min", enable_version_counter=False
    )
    last = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    stopping = stopping or StoppableCheckpoints(folder, minutes=5.0)
    callbacks: list[Callback] = [best, last, stopping]
    callbacks.append(EarlyStopping("score", patience=schedule.patience, mode="min"))
    has_bar = world.is_first and sys.stderr.isatty()
    if has_bar:
        callbacks.append(TQDMProgressBar())
    trainer = lightning.Trainer(
        accelerator="gpu" if device.startswith("cuda") else "cpu",
        devices=world.size // nodes,
        num_nodes=nodes,
        strategy="auto" if world.size == 1 else DDPStrategy(),
        # Processes are ours; a batch system around them is not lightning's to look at.
        plugins=[LightningEnvironment() if world.size == 1 else TorchElasticEnvironment()],
        use_distributed_sampler=False,  # the batches are shared already, and it would shuffle them
        max_epochs=schedule.epochs,
        check_val_every_n_epoch=schedule.validate_every,
        num_sanity_val_steps=0,
        gradient_clip_val=10.0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        logger=CSVLogger(folder, name="", version=""),
        enable_progress_bar=has_bar,
        enable_model_summary=False,
        log_every_n_steps=schedule.steps,
    )
    try:
        with stopping.listening(), _interruptible(trainer):
            trainer.fit(
                stage,
                datamodule=_Steps(parts_of(batch, weight, world), schedule.steps),
                ckpt_path=resumed if goes_on else None,
                weights_only=False,  # our own checkpoint, with an optimiser's state in it
            )
    except OSError as error:
        error.filename = error.filename or str(folder)  # of a checkpoint or a log in it
        raise
    if world.is_first:
        _join_log(folder)
    world.wait()
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
            said = error.__context__
            raise KeyboardInterrupt(*(() if said is None else said.args)) from error
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


class _Epoch(Dataset[BatchPart]):
    """Batches of one epoch, made when they are asked for.

    Which batch that is, the optimiser steps done say, also in an epoch that was begun before.
    """

    def __init__(self, part: Callable[[int], BatchPart], done: Callable[[], int], n: int) -> None:
        self._part, self._done, self._steps = part, done, n

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, number: int) -> BatchPart:
        if number >= self._steps:
            raise IndexError(number)
        return self._part(self._done())


class _Steps(lightning.LightningDataModule):
    """Hands out the batches of the epoch the trainer is in."""

    def __init__(self, part: Callable[[int], BatchPart], steps: int) -> None:
        super().__init__()
        self._part, self._steps = part, steps

    # A loader draws a number to seed workers with, even if it has none: from its own generator
    # here, so that the global one stays as it was.

    def train_dataloader(self) -> DataLoader[BatchPart]:
        trainer = self.trainer
        assert trainer is not None
        steps = _Epoch(self._part, lambda: trainer.global_step, self._steps)
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
    # It goes on in the middle of an epoch, and all processes log the same figures.
    warnings.filterwarnings("ignore", ".*dataloader is not resumable.*")
    warnings.filterwarnings("ignore", ".*sync_dist=True.*")
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
