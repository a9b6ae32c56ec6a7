"""Sizes of a transformer over patches of a grid of layers, sectors and rings."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from calozoo_core.strict_model import StrictModel

__all__ = ["TransformerConfig"]

Size = Annotated[int, Field(ge=1, le=4096)]


class TransformerConfig(StrictModel):
    """Sizes of a transformer over patches of a grid of layers, sectors and rings.

    Arguments:
        grid: Numbers of layers, sectors and rings.
        patch: How many of each make a patch, which is one token.
        width: Width of a token.
        blocks: Number of blocks.
        heads: Heads of each attention.
        mlp_ratio: Width of the hidden layer of a block over that of a token.
        conditions: Numbers of the condition of a shower.
        token_conditions: Further numbers that each token gets.
        time_features: Sinusoids of the time.
    """

    grid: tuple[Size, Size, Size]
    patch: tuple[Size, Size, Size]
    width: Size
    blocks: Annotated[int, Field(ge=1, le=64)]
    heads: Annotated[int, Field(ge=1, le=64)]
    mlp_ratio: Annotated[int, Field(ge=1, le=16)] = 4
    conditions: Size
    token_conditions: Annotated[int, Field(ge=0, le=4096)] = 0
    time_features: Annotated[int, Field(ge=2, le=4096, multiple_of=2)] = 256

    @model_validator(mode="after")
    def _sizes_fit(self) -> TransformerConfig:
        if any(n % p for n, p in zip(self.grid, self.patch, strict=True)):
            msg = f"patches of {self.patch} do not divide a grid of {self.grid}"
            raise ValueError(msg)
        if self.width % 6 or self.width % self.heads:
            msg = f"the width {self.width} is not a multiple of 6 and of the heads {self.heads}"
            raise ValueError(msg)
        return self

    @property
    def patches(self) -> tuple[int, int, int]:
        """Numbers of patches along layers, sectors and rings."""
        (a, b, c), (d, e, f) = self.grid, self.patch
        return a // d, b // e, c // f

    @property
    def tokens(self) -> int:
        """Number of patches."""
        return math.prod(self.patches)

    @property
    def patch_size(self) -> int:
        """Numbers in a patch."""
        return math.prod(self.patch)
