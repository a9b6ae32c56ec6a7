"""Stages of a training: network, loss, schedule, and the metrics checkpoints are chosen by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

import lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from calozoo_core.training.parts import Batch, BatchPart, DrawsOfWhole, n_rows
from calozoo_core.training.world import World

__all__ = ["Batch", "Schedule", "StageConfig", "StagedTraining"]

LOSSES: Final = "calozoo_losses"
"""Losses of the epoch in a checkpoint."""


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of a stage.

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


class StagedTraining(lightning.LightningModule):
    """One stage of a training, as lightning runs it.

    Arguments:
        network: Network to train.
        loss: Loss of the network, of the running average of its weights, and of a batch.
        metrics: Metrics of the averaged network.
        schedule: Length and learning rate.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, nn.Module, Batch], Tensor],
        metrics: Callable[[nn.Module], dict[str, float]],
        schedule: Schedule,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(schedule.average),  # type: ignore[no-untyped-call]
        )
        self.average.requires_grad_(requires_grad=False)
        self._loss, self._compute_metrics, self._schedule = loss, metrics, schedule
        self._losses = torch.zeros(2, dtype=torch.float64)  # their sum and number in this epoch

    @property
    def averaged(self) -> nn.Module:
        """Network with its averaged weights."""
        return self.average.module

    def training_step(self, batch: BatchPart, _: int) -> Tensor:
        """Loss of a batch, or of the part of it that this process has."""
        world = World.current()
        with nullcontext() if world.size == 1 else DrawsOfWhole(world, batch.rows):
            loss = self._loss(self.network, self.averaged, batch.tensors) * batch.factor
        self._losses = self._losses.to(loss.device)
        self._losses += torch.stack([loss.detach().double(), self._losses.new_tensor(1.0)])
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the mean loss of the epoch, in which every step counts the same."""
        total, steps = self._losses.tolist()
        self._losses.zero_()
        if steps:  # none after a checkpoint of an older version at the end of an epoch
            self.log("loss", World.current().mean(total) / steps, prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the losses of an epoch that is not at its end."""
        total, steps = self._losses.tolist()
        checkpoint[LOSSES] = (World.current().mean(total), steps)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the losses of the epoch."""
        self._losses = torch.tensor(checkpoint.get(LOSSES, (0, 0)), dtype=torch.float64)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then average."""
        super().optimizer_step(*args, **kwargs)
        self.average.update_parameters(self.network)

    def validation_step(self, batch: Tensor, _: int) -> None:
        """Metrics of the averaged network, which the first process computes for all."""
        world = World.current()
        metrics = self._compute_metrics(self.averaged) if world.is_first else {}
        for name, value in world.from_first(metrics).items():
            self.log(name, value, prog_bar=name == "score", batch_size=1)

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


@dataclass(frozen=True)
class StageConfig:
    """Loss, batches, metrics and learning rate of a stage.

    Arguments:
        loss: Loss of the network, of the running average of its weights, and of a batch.
        metrics: Metrics of a network, each the smaller the better; checkpoints go by `score`.
        batch: Batch of an optimiser step: the same step, the same batch.
        epochs: Number of epochs, if no budget sets it.
        share: Part of the budget that the stage gets.
        learning_rate: Learning rate at the start; a cosine takes it to a hundredth of that.
        average: Decay of the running average of the weights.
        weight_decay: Weight decay of AdamW.
        training: Class that takes the optimiser steps.
        weight: Weight of a part of a batch in the mean over its parts that is the loss of the
            batch; the number of its rows, if the loss is a mean over them. Every tensor of a batch
            has its rows as its first dimension, but for scalars, which belong to all of them.
    """

    loss: Callable[[nn.Module, nn.Module, Batch], Tensor]
    metrics: Callable[[Any], dict[str, float]]
    batch: Callable[[int], Batch]
    epochs: int
    share: float
    learning_rate: float = 2e-3
    average: float = 0.999
    weight_decay: float = 0.0
    training: type[StagedTraining] = StagedTraining
    weight: Callable[[Batch], float] = n_rows
