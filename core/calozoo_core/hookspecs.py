"""The hooks a plugin can implement, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from calozoo_core.generator import ModelSpec

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("calozoo")
hookimpl = pluggy.HookimplMarker("calozoo")


@hookspec
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Call `register(spec)` once for each model this plugin brings."""
