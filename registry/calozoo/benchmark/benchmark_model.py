"""Model under benchmark: its precisions, and the size and hash of its weights."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from calozoo import api
from calozoo.benchmark.measurements import Timing
from calozoo.models import names
from calozoo.models.names import is_repository
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.weights import TENSORS_FILE, WEIGHT_FILES, sha256

__all__ = ["BenchmarkModel", "count_parameters"]

PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "bfloat16")


@dataclass
class BenchmarkModel:
    """Model under benchmark.

    Arguments:
        spec: Spec of the model.
        is_simulation: Whether it simulates, which takes seconds a shower.
        weights: Folder of its weights; None for where the catalogue finds them.
        precisions: Precisions it is measured in, the default first, each with the argument of
            `load` that gives it.
        parameters: Number of parameters; None without weights.
        n_bytes: Size of the weights file; None without weights.
        sha256: Hash of each weights file, by name; None without weights.
        digest: One hash of all files in the folder of the weights; empty without weights.
        timings: Timings measured so far.
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
        """True for a fast simulation: neither it nor the model that feeds it simulates."""
        return not self.is_simulation and not self.replays

    @property
    def replays(self) -> bool:
        """True for a model whose source is a simulation, which is run once and replayed."""
        return self.spec.source is not None and _is_simulation(api.find_model(self.spec.source))

    @classmethod
    def find(cls, name: str, precision: Precision | None, weights: Path | None) -> BenchmarkModel:
        """Model of a name, loaded once in each precision to see which it offers.

        Arguments:
            name: Name of the model.
            precision: The only precision; None for all that it offers.
            weights: Folder of its weights, if not the catalogue's.

        Raises:
            ModelNameError: If no model is called so.
            InputError: If it does not have the precision.
        """
        spec = api.find_model(names.split_revision(name)[0])
        if weights is None and is_repository(name):
            weights = api.pull(name).folder
        model = cls(spec, _is_simulation(spec), weights)
        if not model.is_fast:
            return model
        model.precisions = {}
        for option in (precision,) if precision else (None, *PRECISIONS):
            try:
                generator = model._loaded(option)
            except InputError:
                if option == precision:
                    raise
                continue
            with closing(generator):
                if not model.precisions:
                    model._measure_weights(generator)
                model.precisions.setdefault(generator.precision, option)
        return model

    def load(self, precision: str) -> Generator:
        """The model, loaded in one of its precisions."""
        return self._loaded(self.precisions[precision])

    def _loaded(self, precision: Precision | None) -> Generator:
        name, folder = self.spec.name, self.weights
        return api.load(name, precision=precision, weights=folder, offline=True)

    def _measure_weights(self, generator: Generator) -> None:
        folder = self.weights or api.pull(self.spec.name, offline=True).folder
        self.parameters = count_parameters(generator, folder)
        self.digest = _digest(folder)
        if folder is not None:
            self.n_bytes = (folder / TENSORS_FILE).stat().st_size
            self.sha256 = {name: sha256(folder / name) for name in WEIGHT_FILES}


def _is_simulation(spec: ModelSpec) -> bool:
    """True for a model that takes worker processes."""
    return "workers" in inspect.signature(names.find_factory(spec).load).parameters


def count_parameters(generator: Generator, folder: Path | None) -> int | None:
    """Number of trained parameters of a model.

    The attribute `parameters` of the generator if it has one, as every `NetworkGenerator`; or the
    parameters of the torch modules that another generator holds; or, for a model without torch, all
    floats of its weights file.

    Arguments:
        generator: The model.
        folder: Folder of its weights; None if it has none.
    """
    declared = getattr(generator, "parameters", None)
    if isinstance(declared, int):
        return declared
    if folder is None:
        return None
    modules: list[Any] = [
        value for value in vars(generator).values() if callable(getattr(value, "parameters", None))
    ]
    counted = sum(parameter.numel() for module in modules for parameter in module.parameters())
    return counted or _floats_in(folder / TENSORS_FILE)


def _floats_in(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    return sum(
        math.prod(t["shape"]) for t in tensors if t["dtype"] in ("F64", "F32", "F16", "BF16")
    )


def _digest(folder: Path | None) -> str:
    """Hash of all files in a folder, so that other weights are not taken for these."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
