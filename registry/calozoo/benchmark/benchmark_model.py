"""A model that a benchmark measures."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calozoo import api
from calozoo.benchmark.measurements import Timing
from calozoo.benchmark.model_size import count_parameters, weights_bytes, weights_sha256
from calozoo.models import names
from calozoo.models.names import is_repository
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision

__all__ = ["Entrant"]

PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "bfloat16")


@dataclass
class Entrant:
    """A model that is measured, and how.

    Arguments:
        spec: What it is.
        is_simulation: Whether it simulates, which takes seconds a shower.
        weights: Folder of its weights; None for where the catalogue finds them.
        precisions: Those it is measured in, the default first, and what to ask for to get each.
        parameters: How many it has; None if it has no weights.
        n_bytes: Size of its weights, likewise.
        sha256: Of each of their files, likewise.
        digest: Of its weights.
        timings: How fast it is, as far as that was measured.
    """

    spec: ModelSpec
    is_simulation: bool
    weights: Path | None = None
    precisions: dict[str, Precision | None] = field(default_factory=lambda: {"float64": None})
    parameters: int | None = None
    n_bytes: int | None = None
    sha256: dict[str, str] | None = None
    digest: str = ""
    timings: list[Timing] = field(default_factory=list)

    @property
    def is_fast(self) -> bool:
        """Whether it makes showers of its own, and others than a simulation's."""
        return not self.is_simulation and self.spec.source is None

    @classmethod
    def of(cls, name: str, precision: Precision | None, weights: Path | None) -> Entrant:
        """The model of a name, loaded once to see what it offers.

        Arguments:
            name: Of the model.
            precision: Only this one; None for all that it offers.
            weights: Folder of its weights, if not the catalogue's.

        Raises:
            ModelNameError: If no model is called so.
            InputError: If it does not have the precision.
        """
        spec = api.find_model(names.split_revision(name)[0])
        if weights is None and is_repository(name):
            weights = api.pull(name).folder
        taken = inspect.signature(names.find_factory(spec).load).parameters
        entrant = cls(spec, "workers" in taken, weights)
        if not entrant.is_fast:
            return entrant
        entrant.precisions = {}
        for asked in (precision,) if precision else (None, *PRECISIONS):
            try:
                generator = entrant._loaded(asked)
            except InputError:
                if asked == precision:
                    raise
                continue
            with closing(generator):
                if not entrant.precisions:
                    folder = weights or api.pull(spec.name, offline=True).folder
                    entrant.parameters = count_parameters(generator, folder)
                    entrant.n_bytes, entrant.sha256 = weights_bytes(folder), weights_sha256(folder)
                    entrant.digest = _digest(folder)
                entrant.precisions.setdefault(generator.precision, asked)
        return entrant

    def load(self, precision: str) -> Generator:
        """The model in one of its precisions."""
        return self._loaded(self.precisions[precision])

    def _loaded(self, precision: Precision | None) -> Generator:
        name, folder = self.spec.name, self.weights
        return api.load(name, precision=precision, folder=folder, offline=True)


def _digest(folder: Path | None) -> str:
    """Of the weights in a folder, so that others are not taken for them."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
