"""Files of `<Bins>`, in which the CaloChallenge describes the voxels of its data sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn
from xml.parsers import expat

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.io.file_faults import reason
from calozoo_core.voxels import CylinderVoxels, LayerBins

__all__ = ["read_binning"]

MAX_BINNING_BYTES: Final = 1 << 20
MAX_LAYERS: Final = 256
MAX_DEPTH: Final = 8


def read_binning(path: str | os.PathLike[str], particle: str | None = None) -> CylinderVoxels:
    """The voxels that a `<Bins>` file describes.

    Every `<Layer>` is a layer, also one with the single edge 0, which has no voxels. The file is
    read with caution: up to 1 MB, and without a document type, so nothing in it expands or points
    elsewhere.

    References:
        | CaloChallenge: https://github.com/CaloChallenge/homepage

    Arguments:
        path: The file.
        particle: Name of the `<Bin>`, where the file has several.

    Raises:
        InputError: If the file has no such `<Bin>`, or its rings make no sense.
        ShowerFileError: If the file is missing, too long, or no such XML.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BINNING_BYTES + 1)
    except (OSError, ValueError) as error:
        msg = f"The binning {path} cannot be read ({reason(error)})."
        raise ShowerFileError(msg) from error
    if len(text) > MAX_BINNING_BYTES:
        msg = f"The binning {path} is longer than {MAX_BINNING_BYTES} bytes; give a file of <Bins>."
        raise ShowerFileError(msg)
    reader = _BinningReader()
    try:
        bins = reader.read(text)
    except expat.ExpatError as error:
        msg = f"The binning {path} is not XML ({error})."
        raise ShowerFileError(msg) from error
    except (_BinningError, ValueError, LookupError) as error:
        msg = f"The binning {path} cannot be used ({_clause(error)})."
        raise ShowerFileError(msg) from error
    return CylinderVoxels(tuple(_chosen(path, bins, particle)))


class _BinningError(Exception):
    """Fault of a binning, as a clause."""


def _chosen(path: Path, bins: dict[str, list[LayerBins]], particle: str | None) -> list[LayerBins]:
    if particle is None and len(bins) == 1:
        return next(iter(bins.values()))
    if particle in bins:
        return bins[particle]
    names = ", ".join(bins)
    asked = "give one of them" if particle is None else f"not {particle}"
    msg = f"{path} has the bins {names}; {asked}."
    raise InputError(msg)


def _clause(error: BaseException) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


class _BinningReader:
    """Collects the layers of each `<Bin>` as expat comes by them."""

    def __init__(self) -> None:
        self._bins: dict[str, list[LayerBins]] = {}
        self._open: list[str] = []
        self._current: list[LayerBins] = []

    def read(self, text: bytes) -> dict[str, list[LayerBins]]:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(text, True)
        if not any(layers for layers in self._bins.values()):
            msg = "it has no <Layer> in a <Bin>"
            raise _BinningError(msg)
        return self._bins

    def _refuse_doctype(self, *_: object) -> NoReturn:
        msg = "it declares a document type"
        raise _BinningError(msg)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > MAX_DEPTH:
            msg = "its elements are too deep"
            raise _BinningError(msg)
        if name == "Bin":
            self._current = self._bins.setdefault(attributes.get("name", "unnamed"), [])
            if self._current:
                msg = f"two of its bins are called {attributes.get('name', 'unnamed')}"
                raise _BinningError(msg)
        elif name == "Layer" and "Bin" in self._open:
            if len(self._current) == MAX_LAYERS:
                msg = f"it has more than {MAX_LAYERS} layers"
                raise _BinningError(msg)
            self._current.append(_layer(attributes))

    def _end(self, name: str) -> None:
        self._open.pop()


def _layer(attributes: dict[str, str]) -> LayerBins:
    try:
        edges = tuple(float(edge) for edge in attributes["r_edges"].split(","))
        n_alpha = int(attributes["n_bin_alpha"])
    except (KeyError, ValueError, OverflowError):
        msg = "a <Layer> needs r_edges and n_bin_alpha, both in numbers"
        raise _BinningError(msg) from None
    return LayerBins(edges, n_alpha)
