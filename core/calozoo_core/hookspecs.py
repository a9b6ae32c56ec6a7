"""The hooks a plugin can implement, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from calozoo_core.specs import ModelSpec
    from calozoo_core.wrappers import WrapperSpec

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("calozoo")
hookimpl = pluggy.HookimplMarker("calozoo")


@hookspec
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Call `register(spec)` once for each model this plugin brings."""


@hookspec
def register_wrappers(register: Callable[[WrapperSpec], None]) -> None:
    """Call `register(spec)` once for each wrapper, a generator that corrects any other model."""
