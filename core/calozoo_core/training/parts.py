"""Parts of a batch, one for each process, which together train as the whole batch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from calozoo_core.errors import InputError
from calozoo_core.nn.flow_matching import uniform_times
from calozoo_core.training.world import World

__all__ = ["Batch", "BatchPart", "DrawsOfWhole", "n_rows", "parts_of"]

Batch = tuple[Tensor, ...]


class BatchPart(NamedTuple):
    """Part of a batch.

    Arguments:
        tensors: What the loss of the stage takes.
        factor: Factor of its loss, with which the mean over all parts is the loss of the batch.
        rows: Number of rows of the whole batch.
    """

    tensors: Batch
    factor: float
    rows: int


def n_rows(batch: Batch) -> int:
    """Number of rows of a batch."""
    return next(len(tensor) for tensor in batch if tensor.dim())


def parts_of(
    batch: Callable[[int], Batch], weight: Callable[[Batch], float], world: World
) -> Callable[[int], BatchPart]:
    """Function from an optimiser step to this process's part of its batch.

    Each process makes the whole batch, which depends on the step alone, and takes every nth row, so
    that nothing of it has to be sent.

    Arguments:
        batch: Batch of a given optimiser step.
        weight: Weight of a part of a batch, as in `StageConfig`.
        world: The processes.
    """

    def part(step: int) -> BatchPart:
        whole = batch(step)
        rows = n_rows(whole)
        if world.size == 1:
            return BatchPart(whole, 1.0, rows)
        if rows < world.size:
            msg = (
                f"A batch of {rows} cannot be shared by {world.size} processes; "
                "give fewer devices or a larger batch."
            )
            raise InputError(msg)
        own = tuple(t[world.rank :: world.size].contiguous() if t.dim() else t for t in whole)
        share = weight(own) / weight(whole)
        return BatchPart(own, share * world.size, rows)

    return part


class DrawsOfWhole(TorchFunctionMode):
    """Random numbers that a loss draws for its part, as the whole batch would have drawn them.

    Dropout, `torch.randn` and `uniform_times` draw for all rows of the batch, and the part takes
    its own; so the number of processes does not change what is drawn.

    Arguments:
        world: The processes.
        rows: Number of rows of the whole batch.
    """

    def __init__(self, world: World, rows: int) -> None:
        super().__init__()
        self._world, self._rows = world, rows
        self._own = len(range(world.rank, rows, world.size))

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.dropout and args[0].shape[0] == self._own and kwargs["training"]:
            given: Tensor = args[0]
            whole = given.new_ones(self._rows, *given.shape[1:])
            return given * self._part(functional.dropout(whole, kwargs["p"], training=True))
        if func in (torch.randn, uniform_times) and args:
            of_size = isinstance(args[0], tuple)
            first, *rest = args[0] if of_size else args
            if first == self._own:
                size = (self._rows, *rest)
                words = (size, *args[1:]) if of_size else size
                return self._part(func(*words, **kwargs))
        return func(*args, **kwargs)

    def _part(self, whole: Tensor) -> Tensor:
        return whole[self._world.rank :: self._world.size]
