"""Base class of configurations and reports: frozen, without unknown fields, finite numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

__all__ = ["StrictModel", "named_config"]


class StrictModel(BaseModel):
    """Pydantic model that is frozen, refuses unknown fields, and holds no infinity and no nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Config = TypeVar("Config", bound=BaseModel)


def named_config(configs: Mapping[str, Config], name: str, kind: str = "preset") -> Config:
    """Configuration of a name.

    Arguments:
        configs: Configurations by name.
        name: The name that was asked for.
        kind: What they are, for the message.

    Raises:
        ValueError: If there is none; the message names those there are.

    Example:
        >>> named_config({"tiny": StrictModel()}, "small")
        Traceback (most recent call last):
        ...
        ValueError: no preset is called 'small'; there are tiny
    """
    if name not in configs:
        msg = f"no {kind} is called {name!r}; there are {', '.join(configs)}"
        raise ValueError(msg)
    return configs[name]
