"""Pairs of noise and the place a teacher takes it to: computed once, learned from many times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from calozoo_caloclouds3.distillation import run_teacher
from calozoo_caloclouds3.points import FEATURES, PointWiseNet
from calozoo_core.random import stream

__all__ = ["Bank"]

PART = 512
"""Showers in a part of the bank: what is lost when its making is stopped."""

CHUNK = 32
"""Showers walked together: their activations stay in the processor's cache."""


class Bank:
    """Noise, conditions and ends of the teacher's paths.

    The parts are files, so that a bank whose making was stopped goes on where it was.

    Arguments:
        noise: Standard normal, shape (showers, points, 4).
        condition: (E / 127 GeV, p_x, p_y, p_z), shape (showers, 4).
        end: Network features, shape (showers, points, 4).
    """

    def __init__(self, noise: Tensor, condition: Tensor, end: Tensor) -> None:
        self.noise, self.condition, self.end = noise, condition, end

    @classmethod
    def made(
        cls,
        teacher: PointWiseNet,
        conditions: NDArray[np.float32],
        folder: Path,
        *,
        parts: int,
        points: int,
        seed: int,
    ) -> Bank:
        """The bank of a folder, its missing parts made first.

        Arguments:
            teacher: The trained teacher.
            conditions: What to draw conditions from, shape (n, 4).
            folder: Where the parts lie.
            parts: Number of parts, each of 512 showers.
            points: Points a shower.
            seed: Same seed, same noise.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for part in range(parts):
            path = folder / f"part_{part:04d}.safetensors"
            if path.exists():
                continue
            random = stream(seed, part, "bank")
            chosen = conditions[random.integers(len(conditions), size=PART)]
            chosen[:, 1] *= random.choice([-1, 1], PART)
            noise = torch.from_numpy(random.standard_normal((PART, points, FEATURES), np.float32))
            condition = torch.from_numpy(chosen)
            pairs = zip(noise.split(CHUNK), condition.split(CHUNK), strict=True)
            end = torch.cat([run_teacher(teacher, *pair) for pair in pairs])
            unfinished = path.with_suffix(".part")
            save_file({"noise": noise, "condition": condition, "end": end}, unfinished)
            unfinished.replace(path)
        loaded = [load_file(path) for path in sorted(folder.glob("part_*.safetensors"))[:parts]]
        names = ("noise", "condition", "end")
        return cls(*(torch.cat([part[name] for part in loaded]) for name in names))

    def batch(self, size: int, seed: int, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Some showers of the bank, the batch of one optimiser step."""
        rows = stream(seed, step, "bank batch").integers(len(self.noise), size=size)
        index = torch.from_numpy(rows)
        return self.noise[index], self.condition[index], self.end[index]
