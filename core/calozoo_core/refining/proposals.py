"""A model's showers as they are proposed: moved, and with the ratio of densities of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calozoo_core.detector import Detector, load_detector
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.refining.clouds import Cloud
from calozoo_core.refining.transport import Transport
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers
from calozoo_core.typing import IntArray

__all__ = ["ANOTHER_TRY", "Proposals"]

ANOTHER_TRY: Final = 1 << 48
"""Try k of shower number i is the model's shower number i + k times this."""

MOVED_AT_ONCE: Final = 32

STEP_MM: Final = 1.0
"""Where deposits are not merged, this far apart are two."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """Makes them.

    Arguments:
        base: The model.
        transport: What moves its showers; None if nothing does.
    """

    base: Generator
    transport: Transport | None

    @property
    def detector(self) -> Detector:
        """The one its showers were made for."""
        return load_detector(self.base.spec.detector)

    def __call__(self, incident: Incident, seed: int, numbers: IntArray) -> Cloud:
        """The model's showers of these numbers, moved."""
        made = self.base.sample_numbers(incident, seed, numbers)
        # A few at a time, so that their points stay in the processor's cache.
        parts = range(0, len(made), MOVED_AT_ONCE)
        moved = [self._moved(made[i : i + MOVED_AT_ONCE], seed, numbers[i:]) for i in parts]
        return Cloud.concatenate(moved)

    def _moved(self, showers: Showers, seed: int, numbers: IntArray) -> Cloud:
        cloud = Cloud.of(showers, self.detector)
        if self.transport is None:
            return cloud
        return self.transport(cloud, seed, numbers, self._pitch)

    @property
    def _pitch(self) -> float:
        split = REPRESENTATIONS[self.base.spec.representation]
        return STEP_MM if split is None else self.detector.cell_mm / split
