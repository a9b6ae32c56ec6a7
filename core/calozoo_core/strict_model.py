"""Base class of configurations and reports: frozen, without unknown fields, finite numbers only."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["StrictModel"]


class StrictModel(BaseModel):
    """Pydantic model that is frozen, refuses unknown fields, and holds no infinity and no nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
