"""Processes of a data-parallel training: how many there are, and what they agree on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

__all__ = ["World"]


@dataclass(frozen=True)
class World:
    """The processes that train together; a single one unless they were joined.

    Arguments:
        rank: Number of this process, from 0.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> World:
        """The processes that torch has joined to a group."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """True if this process is the one that writes files."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        self.largest(0)

    def largest(self, *values: int) -> list[int]:
        """Largest of each value over all processes."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        found: list[int] = shared.tolist()
        return found

    def mean(self, value: float) -> float:
        """Mean of a value over all processes."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(shared)
        return float(shared) / self.size

    def from_first(self, value: Any) -> Any:
        """Value of the first process, in each of them."""
        if self.size == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, device=torch.device("cpu"))
        return shared[0]

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Have the first process do something alone, and then the others what is left of it.

        What it writes is there for the others, so that files are made once.
        """
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()
