"""Generators whose networks are evaluated in a number of steps that one can choose."""

from __future__ import annotations

from typing import Any, Final, Generic, Protocol, TypeVar, cast

from pydantic import BaseModel

from calozoo_core.errors import InputError
from calozoo_core.generator import ModelSpec, Precision
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["SteppedGenerator"]

MAX_STEPS: Final = 1000
"""Most evaluations of a network for a shower."""

Config = TypeVar("Config", bound=BaseModel)


class _HasSteps(Protocol):
    @property
    def steps(self) -> int:
        """Evaluations of the network for a shower."""


class SteppedGenerator(NetworkGenerator[Config], Generic[Config]):
    """Generator whose networks are evaluated in a number of steps that one can choose.

    Instances of its `schema` have a field `steps`, the number that measured best.

    Arguments:
        spec: Spec it was registered with.
        trained: Trained model.
        device: Only "cpu".
        precision: Only "float32".
        runtime: Only "numpy".
        steps: Evaluations of the network for a shower; None for what measured best.

    Raises:
        InputError: If the number of steps makes no sense.
    """

    def __init__(
        self,
        spec: ModelSpec,
        trained: TrainedArrays[Config],
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        runtime: str | None = None,
        steps: int | None = None,
    ) -> None:
        is_number = isinstance(steps, int) and not isinstance(steps, bool)
        if steps is not None and not (is_number and 1 <= steps <= MAX_STEPS):
            msg = f"{spec.name} takes 1 to {MAX_STEPS} evaluations of its network, not {steps!r}."
            raise InputError(msg, argument="steps")
        self.steps = cast("_HasSteps", trained.config).steps if steps is None else steps
        super().__init__(spec, trained, device=device, precision=precision, runtime=runtime)

    @property
    def load_options(self) -> dict[str, Any]:
        """Keyword arguments of `load` that, with its weights, make this generator again."""
        return super().load_options | {"steps": self.steps}

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """Number of evaluations, as a file of its showers says it."""
        return {"steps": self.steps}
