"""Generators on clumps: the core of another model's showers, a library's halo, Geant4's points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from calozoo_core.clumps.core_source import CoreSource
from calozoo_core.clumps.filling import fill
from calozoo_core.clumps.library import HaloLibrary, load_library
from calozoo_core.clumps.library_config import HaloLibraryConfig
from calozoo_core.clumps.ring_calibration import RingCalibration
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.clumps.table import ClumpTable, load_table
from calozoo_core.clumps.table_config import ShowerSource
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.fed_generator import FedGenerator
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.numbered_generator import NumberedGenerator
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.strict_model import StrictModel
from calozoo_core.typing import Float32Array, IntArray
from calozoo_core.weights import read_arrays, read_config, write_weights

__all__ = [
    "ClumpsConfig",
    "ClumpsGenerator",
    "ShowersFromCore",
    "write_clumps",
]


class ClumpsConfig(StrictModel):
    """Configuration of a generator on clumps.

    Arguments:
        version: Version of this schema.
        architecture: Always "clumps".
        source: Name of the model that the cores are of.
        core_edges_mm: Radii between the rings of the core, and the one at which it ends.
        n_layers: Number of layers.
        bands_gev: Mean incident energies of the bands that are calibrated one by one.
        n_showers: Showers that the calibration was fitted on.
        seed: Seed of the generated ones.
        sources: Files of the showers.
    """

    version: Literal[1] = 1
    architecture: Literal["clumps"] = "clumps"
    source: str
    core_edges_mm: tuple[float, ...] = Field(min_length=1, max_length=64)
    n_layers: int = Field(ge=1, le=256)
    bands_gev: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1, max_length=64)
    n_showers: int = Field(ge=0)
    seed: int = Field(ge=0)
    sources: tuple[ShowerSource, ...] = Field(max_length=1000)

    @model_validator(mode="after")
    def _bands_grow(self) -> ClumpsConfig:
        if any(low >= high for low, high in pairwise(self.bands_gev)):
            msg = "bands_gev must grow"
            raise ValueError(msg)
        return self


class ShowersFromCore:
    """Sampler of showers whose core is known: a library's halo, and points of Geant4's voxels.

    Arguments:
        library: Geant4 showers as voxels.
        table: Geant4's voxels.

    Raises:
        WeightsError: If library and table are for different voxels.
    """

    def __init__(self, library: HaloLibrary, table: ClumpTable) -> None:
        library.check(table)
        self._library, self._table = library, table
        _ = table.lookup  # made with the rest, so that processes forked later share it

    @classmethod
    def of(cls, detector: str) -> ShowersFromCore:
        """Sampler with the library and the table that come with calozoo for a detector.

        Raises:
            InputError: If there are none.
        """
        return cls(load_library(detector), load_table(detector))

    @property
    def config(self) -> HaloLibraryConfig:
        """Configuration of the library, which says where the core ends."""
        return self._library.config

    def check(self, name: str, core_edges_mm: tuple[float, ...]) -> None:
        """Refuse weights of a model whose core has other rings.

        Arguments:
            name: Name of the model.
            core_edges_mm: Radii between its rings, and the one at which its core ends.

        Raises:
            WeightsError: If they are not those of the library.
        """
        own = self.config.core_edges_mm
        if own != core_edges_mm:
            msg = (
                f"The core of {name} has rings that end at {_listed(core_edges_mm)} mm, and the "
                f"library has {_listed(own)} mm; train or fit it for these."
            )
            raise WeightsError(msg)

    def __call__(
        self, core: Float32Array, incident: Incident, streams: Sequence[np.random.Generator]
    ) -> Showers:
        """Showers in the local frame.

        Arguments:
            core: Energies of the rings of the core, in MeV, shape (n, n_layers, core_rings).
            incident: The n primaries.
            streams: Random numbers of each shower, n of them.

        Raises:
            InputError: If the shapes do not fit, or an energy is not finite.
        """
        coin = np.array([random.random(dtype=np.float32) for random in streams])
        return fill(self._library.around(core, incident, coin), incident, self._table, streams)


class ClumpsGenerator(NumberedGenerator, FedGenerator):
    """Generator that takes the core of another model's showers, and the rest from Geant4's.

    Of the other model's shower only the energies of the rings within 8 mm of the axis are kept, in
    every layer. What lies beyond, and how rings divide among sectors, comes layer by layer from the
    showers of a library that match the core best; each voxel is filled with the points of one of
    Geant4's voxels. Points of a model that are independent of each other hit too many cells; these
    do not.

    Arguments:
        spec: Spec it was registered with.
        config: Where the core ends.
        calibration: Of the ring energies, by band of incident energy.
        source: Generator of the other model.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: ClumpsConfig,
        calibration: RingCalibration,
        source: Generator,
    ) -> None:
        super().__init__(spec, source)
        self.config, self.calibration = config, calibration
        self._showers = ShowersFromCore.of(spec.detector)
        self._showers.check(spec.name, config.core_edges_mm)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        source: Generator | Path | None = None,
    ) -> ClumpsGenerator:
        """Generator from a folder with `config.json` and `model.safetensors`.

        Arguments:
            spec: Spec of the model.
            folder: Holds the calibration.
            device: Ignored; the source has its own.
            precision: Ignored, likewise.
            source: Generator of the other model.

        Raises:
            WeightsError: If there is no folder, or the files are damaged or of another model.
            InputError: If the source is not a generator.
        """
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        if not isinstance(source, Generator):
            msg = f"{spec.name} takes the core of {spec.source}'s showers; leave out source."
            raise InputError(msg, argument="source")
        config = read_config(Path(folder), ClumpsConfig)
        if config.source != source.spec.name:
            msg = (
                f"{folder} was fitted on the showers of {config.source}, not of "
                f"{source.spec.name}; take its own weights."
            )
            raise WeightsError(msg)
        shape = (len(config.bands_gev), config.n_layers * len(config.core_edges_mm))
        arrays = read_arrays(Path(folder), {"threshold": shape, "factor": shape})
        return cls(spec, config, RingCalibration(**arrays), source)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`, whole or not at all.

        Raises:
            WeightsError: If the folder cannot be written to.
        """
        write_clumps(folder, self.config, self.calibration)

    def sample_numbers(self, incident: Incident, seed: int, numbers: IntArray) -> Showers:
        """Showers of these primaries, with these numbers."""
        core = self._core(incident, seed, numbers)
        calibration = self.calibration.at(incident.energy, self.config.bands_gev)
        core = calibration(core.reshape(len(incident), -1)).reshape(core.shape)
        streams = [stream(seed, int(number), "clumps") for number in numbers]
        return self._showers(core, incident, streams)

    def _core(self, incident: Incident, seed: int, numbers: IntArray) -> Float32Array:
        """Energies of the rings of the source's showers, in MeV, shape (n, n_layers, rings)."""
        edges_mm = self.config.core_edges_mm
        if isinstance(self._source, CoreSource):
            return self._source.core_numbers(incident, seed, numbers, edges_mm)
        theirs = self._source.sample_numbers(incident, seed, numbers)
        return core_energies(theirs, self._showers.config.mesh, len(edges_mm))

    @property
    def parameters(self) -> int:
        """Number of trained parameters, which are those of the source."""
        return int(getattr(self._source, "parameters", 0))


def write_clumps(folder: Path, config: ClumpsConfig, calibration: RingCalibration) -> None:
    """Write the weights of a generator on clumps, whole or not at all.

    Raises:
        WeightsError: If the folder cannot be written to.
    """
    write_weights(Path(folder), config, calibration._asdict())


def _listed(lengths: tuple[float, ...]) -> str:
    return ", ".join(f"{length:g}" for length in lengths)
