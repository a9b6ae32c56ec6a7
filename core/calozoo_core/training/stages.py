"""One stage of a training: a network, its loss, the physics it is judged by, and how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["Batch", "Schedule", "StagedTraining"]

Batch = tuple[Tensor, ...]


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
