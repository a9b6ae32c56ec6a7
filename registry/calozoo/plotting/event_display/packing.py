"""Deposits of a page, packed: positions and energies in eight bytes each."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError
from calozoo_core.typing import FloatArray

__all__ = ["MAX_DEPOSITS", "DepositPacker", "Deposits"]

MAX_DEPOSITS: Final = 1_000_000
"""Points and hits in a page."""

DEPOSIT_BYTES: Final = 8

STEPS: Final = 32767
"""Positions are whole multiples of the greatest, divided by this number."""

LOWEST: Final = 0.02
"""Fraction of the deposits whose energies lie below the range of the colours."""


@dataclass(frozen=True)
class Deposits:
    """Points or hits of a shower or an event in the local frame.

    Arguments:
        where: Positions x', y', z' in mm, shape (N, 3).
        layer: Layer of each, shape (N,).
        energy: Energy of each in MeV, shape (N,).
        groups: Numbers of the colours of the photon found and of the primary of each, 255 for
            none, shape (N, 2); None where nothing is known of that.
    """

    where: FloatArray
    layer: NDArray[np.uint8]
    energy: FloatArray
    groups: NDArray[np.uint8] | None = None


class DepositPacker:
    """Packs deposits, cloud by cloud, in common ranges of positions and energies.

    Arguments:
        clouds: All deposits of the page, by their kind.

    Raises:
        InputError: If they are more than a page holds.
    """

    def __init__(self, clouds: Mapping[str, Sequence[Deposits]]) -> None:
        everything = [cloud for of_kind in clouds.values() for cloud in of_kind]
        total = sum(len(cloud.energy) for cloud in everything)
        if total > MAX_DEPOSITS:
            msg = (
                f"{total} deposits are more than a page holds ({MAX_DEPOSITS}); show fewer showers."
            )
            raise InputError(msg)
        self._ranges = {kind: _energy_range(of_kind) for kind, of_kind in clouds.items()}
        self._extent = max(
            (float(np.abs(c.where).max()) for c in everything if len(c.where)), default=1.0
        )
        self._packed, self._groups = bytearray(), bytearray()

    def add(self, kind: str, cloud: Deposits) -> dict[str, Any]:
        """Pack a cloud.

        Returns:
            Its beginning, in deposits, their number, and sums of their energies.
        """
        # The highest energies come first, so that a slow machine can leave out the last while it
        # turns.
        order = np.argsort(-cloud.energy, kind="stable")
        begin = len(self._packed) // DEPOSIT_BYTES
        self._packed += self._columns(cloud, order, *self._ranges[kind])
        if cloud.groups is not None:
            self._groups += cloud.groups[order].tobytes()
        sums = np.bincount(cloud.layer, cloud.energy, minlength=1)
        return {
            "begin": begin,
            "count": len(cloud.energy),
            "visible": round(float(cloud.energy.sum()), 3),
            "layers": [round(float(energy), 2) for energy in sums],
        }

    def data(self) -> dict[str, Any]:
        """Values that the page needs to unpack them."""
        return {
            "energy": self._ranges,
            "step": self._extent / STEPS,
            "packed": _as_text(self._packed),
            "groups": _as_text(self._groups) if self._groups else None,
        }

    def _columns(self, cloud: Deposits, order: NDArray[np.intp], low: float, high: float) -> bytes:
        """Columns x, y, z and the logarithm of the energy: 16-bit whole numbers, little-endian."""
        steps = np.round(cloud.where[order] * (STEPS / self._extent)).astype("<i2")
        scale = np.log(max(high / low, 1 + 1e-9))
        level = np.log(np.clip(cloud.energy[order], low, high) / low) / scale
        levels = np.round(level * 65535).astype("<u2")
        columns: bytes = steps.T.tobytes() + levels.tobytes()
        return columns


def _as_text(content: bytearray) -> str:
    return base64.b64encode(gzip.compress(bytes(content), mtime=0)).decode()


def _energy_range(clouds: Sequence[Deposits]) -> tuple[float, float]:
    """Range of the colours in MeV: all but a few of the lowest energies, which are a long tail."""
    energy = np.concatenate([np.zeros(0), *(cloud.energy for cloud in clouds)])
    energy = energy[energy > 0]
    if not len(energy):
        return 0.1, 1.0
    low, high = np.quantile(energy, [LOWEST, 1.0])
    return float(f"{low:.3g}"), float(f"{high:.4g}")
