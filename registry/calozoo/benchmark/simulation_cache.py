"""Cache of simulated showers: made once for given incident particles, kept on disk by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np

from calozoo import api
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.hits import Hits
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, ShowerWriter
from calozoo_core.placement import Placement
from calozoo_core.showers import Showers

__all__ = [
    "SHARD",
    "ReplayGenerator",
    "SimulationCache",
]

SHARD: Final = 50
"""Showers of a file: a minute's work of one core, which is what an interruption loses at most."""


class SimulationCache:
    """Showers of a simulation for given incident particles, in files of 50.

    With a placement all hits are kept, and no points; without one the points are kept, but not
    their times. Complete files are not made again, also for a sample that has grown.

    Arguments:
        folder: Folder of the cache; each model and seed has a folder of its own in it.
        model: Name of the simulation.
        incident: Incident particles.
        seed: Seed of the simulation.
        placement: Placement that finds the hits; None to keep the points.

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
        """Name of the simulation."""
        return self.spec.name

    def missing(self) -> list[int]:
        """Numbers of the files that are still to be made."""
        return [shard for shard in range(-(-len(self) // SHARD)) if not self._is_complete(shard)]

    def count(self, shards: list[int]) -> int:
        """Number of showers in these files when they are complete."""
        return sum(self._rows(shard).stop - self._rows(shard).start for shard in shards)

    def make(
        self, *, workers: int | None = None, on_batch: Callable[[int], None] = lambda _: None
    ) -> None:
        """Simulate the missing files.

        Arguments:
            workers: Processes of the simulation, if it takes any.
            on_batch: Called with the number of showers of each complete file.

        Raises:
            CalozooError: What the simulation raises; complete files stay.
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
        """Showers in order, file by file, with their hits if those are kept.

        Raises:
            ShowerFileError: If a file is missing or damaged.
        """
        for shard in range(-(-len(self) // SHARD)):
            rows = self._rows(shard)
            with ShowerFile(self._path(shard)) as file:
                few = slice(0, rows.stop - rows.start)
                showers = replace(file[few], incident=self.incident[rows])
                yield showers, None if self.placement is None else file.hits(few)

    def write(self, path: Path) -> None:
        """Join all showers in one file; the same showers give the same bytes.

        Arguments:
            path: The file.

        Raises:
            OutputExistsError: If the file is there already.
            ShowerFileError: If a file of the cache is missing or damaged.
        """
        placed_in = None if self.placement is None else self.placement.detector.name
        with ShowerWriter(
            path, generator=self.spec.name, seed=self.seed, hits_detector=placed_in
        ) as writer:
            for showers, hits in self.batches():
                writer.append(showers, hits)

    def showers(self, rows: slice) -> Showers:
        """Points of a range of showers."""
        parts = []
        for shard in range(rows.start // SHARD, -(-rows.stop // SHARD)):
            first = shard * SHARD
            with ShowerFile(self._path(shard)) as file:
                parts.append(file[max(rows.start - first, 0) : rows.stop - first])
        return replace(Showers.concatenate(parts), incident=self.incident[rows])

    def close(self) -> None:
        """Do nothing: no file is open between calls. A generator in its place is closed."""

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
            showers = Showers.without_points(
                showers.incident, showers.representation, showers.detector
            )
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

    def _is_complete(self, shard: int) -> bool:
        """True if a file is there, with all showers of these incident particles.

        Raises:
            InputError: If it holds showers of other incident particles.
        """
        path, wanted = self._path(shard), self.incident[self._rows(shard)]
        try:
            with ShowerFile(path) as file:
                found = file.incident(slice(0, len(wanted)))
        except ShowerFileError:
            return False
        n = len(found)
        if not (
            np.array_equal(found.energy, wanted.energy[:n])
            and np.allclose(found.direction, wanted.direction[:n], atol=1e-6)
        ):
            msg = (
                f"{path} holds showers of other incident particles; give an empty folder with "
                "work=DIR."
            )
            raise InputError(msg, argument="work=DIR")
        return n == len(wanted)


class ReplayGenerator(Generator):
    """Generator that returns the showers of a cache, to feed a model that is fed by a simulation.

    Arguments:
        cache: Cache with points.
    """

    default_batch_size: ClassVar[int] = SHARD

    def __init__(self, cache: SimulationCache) -> None:
        super().__init__(cache.spec)
        self._cache = cache

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> Self:
        """Refuse: it is not a model that is loaded by name.

        Raises:
            InputError: Always.
        """
        del folder, device, precision
        msg = f"Cached showers of {spec.name} are not loaded by name: give their SimulationCache."
        raise InputError(msg)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Cached showers of these incident particles, of which the first is number `first`."""
        del seed
        return self._cache.showers(slice(first, first + len(incident)))

    @property
    def precision(self) -> str:
        """Precision of simulations: "float64"."""
        return "float64"
