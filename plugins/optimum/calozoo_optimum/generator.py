"""The three optimum generators: what a model would make that had learnt everything."""

from __future__ import annotations

from pathlib import Path

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.representation import REPRESENTATIONS, Representation
from calozoo_core.showers import Showers
from calozoo_optimum.box import inside_box
from calozoo_optimum.file_source import Library

__all__ = ["Optimum"]


class Optimum(Generator):
    """Reads or simulates true showers and hands them out as its representation sees them.

    Deposits within 400 mm of the shower axis are projected onto a regular grid of cells (x1) or of
    3 x 3 sub-cells a cell (x9), which lies anew for each shower, or are kept one by one (steps). A
    grid knows no places inside its cells, so a point of x1 or x9 lies in the middle of its own.
    What is lost from here on, when showers are placed into a real detector, is what no model of
    that representation can bring back.

    The showers are those of another generator, made for the same primaries with the same seed, or
    those of a file. A finer representation than asked for will do where its sub-cells nest.

    References:
        | Full physics benchmark, section II B: https://arxiv.org/abs/2511.17293

    Arguments:
        spec: The spec it was registered with.
        source: Where the showers come from.

    Raises:
        InputError: If the source's showers cannot be merged to this representation.
        DetectorError: If they are of another detector.
    """

    def __init__(self, spec: ModelSpec, source: Generator | Library) -> None:
        given = source if isinstance(source, Library) else source.spec
        if given.detector != spec.detector:
            msg = (
                f"{spec.name} needs showers of {spec.detector}, and those of {given.name} are of "
                f"{given.detector}; leave out source."
            )
            raise DetectorError(msg, argument="source")
        if not _nests(given.representation, spec.representation):
            msg = (
                f"The {given.representation} points of {given.name} cannot be merged to "
                f"{spec.representation}; feed {spec.name} with steps."
            )
            raise InputError(msg)
        if isinstance(source, Generator):
            spec = spec.model_copy(
                update={"conditions": source.spec.conditions, "source": source.spec.name}
            )
        super().__init__(spec)
        # Each source has a size of its own; the class's is for generators that are alike.
        self.default_batch_size = source.default_batch_size  # type: ignore[misc]
        self._source = source
        cell = load_detector(spec.detector).cell_mm
        self._representation = Representation.named(spec.representation, cell, at="centre")

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
        source: Generator | Path | None = None,
    ) -> Optimum:
        """Build the generator.

        Arguments:
            spec: The spec it was registered with.
            folder: Not needed: it has no weights.
            device: "cpu".
            precision: None.
            source: The generator that feeds it, or a native shower file.

        Raises:
            InputError: If there is no source, its showers cannot be merged to this representation,
                or another device or a precision is asked for.
            DetectorError: If the source's showers are of another detector.
            ShowerFileError: If the file is missing, damaged, or no shower file.
        """
        if device != "cpu" or precision is not None:
            msg = f"{spec.name} runs on cpu only; leave out device and precision."
            raise InputError(msg, argument=("device", "precision"))
        if source is None:
            msg = f"{spec.name} makes no showers of its own; give source=, a Generator or a file."
            raise InputError(msg)
        return cls(spec, source if isinstance(source, Generator) else Library(source))

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """The source's showers of these primaries, in the box, merged.

        Raises:
            CalozooError: What the source raises.
        """
        showers = inside_box(self._source.sample(incident, seed, first))
        return self._representation(showers, self._grid_seed(seed), first)

    @property
    def precision(self) -> str:
        """That of its source."""
        return self._source.precision if isinstance(self._source, Generator) else super().precision

    def close(self) -> None:
        """Close the file, or the generator, that feeds it."""
        self._source.close()

    def _grid_seed(self, seed: int) -> int:
        """The seed of the grids: sub-cells of a file nest only in cells of the file's own grids."""
        own = self._source.grid_seed if isinstance(self._source, Library) else None
        return seed if own is None else own


def _nests(fine: str, coarse: str) -> bool:
    """Whether each sub-cell of one representation lies in a single one of another."""
    if fine in ("steps", coarse):
        return True
    many, few = REPRESENTATIONS[fine], REPRESENTATIONS[coarse]
    return many is not None and few is not None and many % few == 0
