"""Simulated showers of a sample's primaries, made once and kept on disk shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from calozoo import api
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.generator import Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, ShowerWriter
from calozoo_core.placement import Hits, Placement
from calozoo_core.showers import Showers

__all__ = ["SHARD", "Library", "without_points"]

SHARD: Final = 50
"""Showers of a file: a minute's work of one core, which is what an interruption loses at most."""


class Library:
    """Showers of a simulation for given primaries, in files of 50.

    With a placement the hits are kept, all of them, and no points; without one the points are kept
    as they are, but for their times. Whole files that are there already are not made again, also
    for a sample that has grown.

    Arguments:
        folder: Where its files lie, in a folder of their own for each model and seed.
        model: Name of the simulation.
        incident: The primaries.
        seed: Of the simulation.
        placement: What finds the hits; None to keep the points.

    Raises:
        ModelNameError: If no model is called so.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        incident: Incident,
        *,
        seed: int,
        placement: Placement | None = None,
    ) -> None:
        self.spec: ModelSpec = api.find_model(model)
        self.incident, self.seed, self.placement = incident, seed, placement
        kind = "points" if placement is None else "hits"
        self.folder = folder / f"{self.spec.name}-{kind}-seed{seed}"

    def __len__(self) -> int:
        return len(self.incident)

    @property
    def name(self) -> str:
        """What a card calls it."""
        return self.spec.name

    def missing(self) -> list[int]:
        """Numbers of the files that are still to be made."""
        return [shard for shard in range(-(-len(self) // SHARD)) if not self._is_whole(shard)]

    def count(self, shards: list[int]) -> int:
        """Showers that these files hold when they are whole."""
        return sum(self._rows(shard).stop - self._rows(shard).start for shard in shards)

    def make(
        self, *, workers: int | None = None, on_batch: Callable[[int], None] = lambda _: None
    ) -> None:
        """Simulate what is missing.

        Arguments:
            workers: Processes of the simulation, if it takes any.
            on_batch: Called with the number of showers of each file that is whole.

        Raises:
            CalozooError: What the simulation raises; files that are whole stay.
        """
        missing = self.missing()
        if not missing:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {} if workers is None else {"workers": workers}
        with closing(api.load(self.spec.name, offline=True, **options)) as generator:
            for shard in missing:
                on_batch(self._write(shard, generator))

    def batches(self) -> Iterator[tuple[Showers, Hits | None]]:
        """The showers in order, file by file, with their hits if those are kept.

        Raises:
            ShowerFileError: If a file is missing or damaged.
        """
        for shard in range(-(-len(self) // SHARD)):
            rows = self._rows(shard)
            with ShowerFile(self._path(shard)) as file:
                few = slice(0, rows.stop - rows.start)
                showers = replace(file[few], incident=self.incident[rows])
                yield showers, None if self.placement is None else file.hits(few)

    def showers(self, rows: slice) -> Showers:
        """The points of a run of neighbouring showers."""
        parts = []
        for shard in range(rows.start // SHARD, -(-rows.stop // SHARD)):
            first = shard * SHARD
            with ShowerFile(self._path(shard)) as file:
                parts.append(file[max(rows.start - first, 0) : rows.stop - first])
        return replace(Showers.concatenate(parts), incident=self.incident[rows])

    def close(self) -> None:
        """Nothing is open between calls; a generator in its place would hold something."""

    def _write(self, shard: int, generator: Generator) -> int:
        incident = self.incident[self._rows(shard)]
        (showers,) = generator.batches(
            incident, seed=self.seed, first=shard * SHARD, batch_size=SHARD
        )
        hits = None
        if self.placement is None:
            showers = replace(showers, time=None)
        else:
            hits = self.placement.place(showers)
            showers = without_points(showers)
        with ShowerWriter(
            self._path(shard),
            generator=self.spec.name,
            seed=self.seed,
            overwrite=True,
            hits_detector=None if self.placement is None else self.placement.detector.name,
        ) as writer:
            writer.append(showers, hits)
        return len(showers)

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.h5"

    def _rows(self, shard: int) -> slice:
        return slice(shard * SHARD, min((shard + 1) * SHARD, len(self)))

    def _is_whole(self, shard: int) -> bool:
        """Whether a file is there, and has the showers of these primaries.

        Raises:
            InputError: If it has the showers of others.
        """
        path, wanted = self._path(shard), self.incident[self._rows(shard)]
        try:
            with ShowerFile(path) as file:
                kept = file.incident(slice(0, len(wanted)))
        except ShowerFileError:
            return False
        n = len(kept)
        if not (
            np.array_equal(kept.energy, wanted.energy[:n])
            and np.allclose(kept.direction, wanted.direction[:n], atol=1e-6)
        ):
            msg = f"{path} holds showers of other primaries; give an empty folder as --work."
            raise InputError(msg)
        return n == len(wanted)


def without_points(showers: Showers) -> Showers:
    """The same showers, of which only the primaries are left."""
    nothing = np.zeros(0, np.float32)
    return replace(
        showers,
        offsets=np.zeros(len(showers) + 1, np.int64),
        x=nothing,
        y=nothing,
        layer=np.zeros(0, np.uint8),
        energy=nothing,
        time=None,
    )
