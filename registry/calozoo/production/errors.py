"""Exceptions of productions; each message is one sentence that says what to do instead."""

from __future__ import annotations

from calozoo_core.errors import CalozooError

__all__ = ["ProductionError"]


class ProductionError(CalozooError):
    """A plan, a shard or a batch system that is not as it should be."""
