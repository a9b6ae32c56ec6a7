"""Options of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError

from calozoo_core.errors import InputError
from calozoo_core.strict_model import StrictModel

__all__ = ["TrainingOptions"]


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
    """

    stage: str = "all"
    seed: int = Field(default=1, ge=0)
    device: str = "cpu"
    threads: int | None = Field(default=None, ge=1)
    budget_minutes: float | None = Field(default=None, gt=0)
    steps: int = Field(default=200, ge=1)
    validate_every: int = Field(default=1, ge=1)
    patience: int = Field(default=20, ge=1)

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
