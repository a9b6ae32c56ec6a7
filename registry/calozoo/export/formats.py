"""Export of shower files to the formats of other programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from calozoo.output_files import PACKED, check_sources
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.io import Exported, ShowerFile, calochallenge, ddml, event_root, root
from calozoo_core.io.atomic import check_is_a_name
from calozoo_core.io.events import EventFile, is_event_file
from calozoo_core.showers import Showers
from calozoo_core.voxels import DATASETS, CylinderVoxels

__all__ = ["FORMATS", "export_file", "format_of", "parse_grid", "parse_voxels"]

FORMATS: Final = ("ddml", "calochallenge", "root", "edm4hep")

_EVENT_FORMATS: Final = ("root", "edm4hep")

_SUFFIXES: Final = (".root", ".h5", ".hdf5")

_OWN_OPTIONS: Final = {
    "ddml": {"grid"},
    "calochallenge": {"voxels", "bin", "sampling_fraction", "threshold"},
    "root": set[str](),
    "edm4hep": set[str](),
}


def format_of(out: Path, to: str | None) -> str:
    """Format of an exported file: the requested one, or the one of its suffix.

    Raises:
        InputError: If neither is known, or the name is that of another kind of file.

    Example:
        >>> format_of(Path("showers.root"), None)
        'root'
    """
    if to is not None:
        if to not in FORMATS:
            msg = f"There is no format {to!r}; give to={', '.join(FORMATS[:-1])} or {FORMATS[-1]}."
            raise InputError(msg, argument="to=ddml")
        if out.suffix in PACKED:
            msg = f"What calozoo writes is packed inside; call the file {out.with_suffix('')}."
            raise InputError(msg)
        if (out.suffix == ".root") != (to in _EVENT_FORMATS) and out.suffix in _SUFFIXES:
            suffix = ".root" if to in _EVENT_FORMATS else ".h5"
            msg = f"{to} is written as {suffix}; call the file {out.with_suffix(suffix)}."
            raise InputError(msg)
        return to
    if out.name.endswith(".edm4hep.root"):
        return "edm4hep"
    if out.suffix == ".root":
        return "root"
    if out.suffix in (".h5", ".hdf5"):
        msg = f"{out} could be of two formats; add to=ddml or to=calochallenge."
        raise InputError(msg, argument=("to=ddml", "to=calochallenge"))
    options = [f"to={name}" for name in FORMATS]
    msg = f"The name {out} does not tell its format; add {', '.join(options)}."
    raise InputError(msg, argument=options)


def export_file(
    source: Path,
    out: Path,
    to: str | None = None,
    *,
    grid: str | None = None,
    voxels: str | None = None,
    bin: str | None = None,  # noqa: A002, as the option is called
    sampling_fraction: float | None = None,
    threshold: float | None = None,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda n: None,
    on_batch: Callable[[int], None] = lambda n: None,
) -> Exported:
    """Write the showers of a native file in another format.

    Arguments:
        source: The native file, of showers or of simulated events.
        out: The file to write.
        to: One of `FORMATS`; by default the one of the suffix.
        grid: "ddml" only: cells of a plain grid about the entry point, as "30x30".
        voxels: "calochallenge" only: a data set's name, "ALPHAxRxMM", or a file of `<Bins>`.
        bin: "calochallenge" only: which `<Bin>` of that file.
        sampling_fraction: "calochallenge" only: what deposits are divided by.
        threshold: "calochallenge" only: smallest energy of a voxel, in MeV.
        overwrite: Replace a file that is already there.
        on_start: Called with the number of showers.
        on_batch: Called with the number of showers of each batch.

    Raises:
        InputError: If the format is unknown, or an option makes no sense or belongs to another.
        CalozooError: Whatever reading and writing raise.
    """
    check_is_a_name(out)
    to = format_of(out, to)
    given = {
        "grid": grid,
        "voxels": voxels,
        "bin": bin,
        "sampling_fraction": sampling_fraction,
        "threshold": threshold,
    }
    for name, value in given.items():
        if value is not None and name not in _OWN_OPTIONS[to]:
            msg = f"{name} means nothing to {to}; leave it out."
            raise InputError(msg, argument=name)
    check_sources(out, [source])
    if is_event_file(source):
        return _export_events(source, out, to, overwrite, on_start, on_batch)
    if to == "edm4hep":
        msg = f"{source} holds no events; edm4hep is for what calozoo simulate writes."
        raise InputError(msg, argument="to=edm4hep")
    with ShowerFile(source) as file:
        on_start(len(file))
        batches = _batches(file, on_batch)
        if to == "root":
            return root.write(out, batches, generator=file.generator, overwrite=overwrite)
        if to == "ddml":
            cells = None if grid is None else parse_grid(grid, file.detector)
            return ddml.write_library(out, batches, grid=cells, overwrite=overwrite)
        cylinders = parse_voxels(voxels, bin, file.detector)
        dataset = any(cylinders.is_like(known) for known in DATASETS.values())
        return calochallenge.write(
            out,
            batches,
            cylinders,
            sampling_fraction=_or(sampling_fraction, calochallenge.SAMPLING_FRACTION, dataset, 1),
            threshold_mev=_or(threshold, calochallenge.THRESHOLD_MEV, dataset, 0),
            overwrite=overwrite,
        )


def _export_events(
    source: Path,
    out: Path,
    to: str,
    overwrite: bool,
    on_start: Callable[[int], None],
    on_batch: Callable[[int], None],
) -> Exported:
    if to not in _EVENT_FORMATS:
        msg = f"{source} holds events, which cannot be written as {to}; give to=root or edm4hep."
        raise InputError(msg, argument="to=root")
    write = event_root.write_root if to == "root" else event_root.write_edm4hep
    with EventFile(source) as file:
        on_start(len(file))
        return write(out, file, overwrite=overwrite, on_events=on_batch)


def _batches(file: ShowerFile, on_batch: Callable[[int], None]) -> Iterator[Showers]:
    for batch in file.batches():
        yield batch
        on_batch(len(batch))


def _or(given: float | None, of_dataset: float, is_dataset: bool, else_: float) -> float:
    if given is not None:
        return given
    return of_dataset if is_dataset else else_


def parse_grid(text: str, detector: str) -> ddml.Grid:
    """Grid of DDML's showers with the cells of a detector, from `30x30`.

    Arguments:
        text: Numbers of cells along x' and y'.
        detector: Name of the detector, whose cell size is the pitch.

    Raises:
        InputError: If the text is no grid.
    """
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if not match:
        msg = f"Cannot read the grid {text!r}; give cells along X and Y, such as 30x30."
        raise InputError(msg)
    return ddml.Grid((int(match[1]), int(match[2])), load_detector(detector).cell_mm)


def parse_voxels(text: str | None, bin_name: str | None, detector: str) -> CylinderVoxels:
    """Voxels from the name of a data set, `ALPHAxRxMM`, or a file of `<Bins>`.

    Arguments:
        text: The voxels.
        bin_name: Which `<Bin>` of the file.
        detector: Name of the detector, whose layers regular voxels have.

    Raises:
        InputError: If there are no such voxels.
        ShowerFileError: If the file cannot be read.
    """
    known = f"{', '.join(DATASETS)}, ALPHAxRxMM such as 16x9x4.65, or a file of <Bins>"
    if text is None:
        msg = f"The CaloChallenge's format needs voxels: {known}."
        raise InputError(msg, argument="voxels")
    if Path(text).suffix == ".xml":
        return calochallenge.read_binning(text, bin_name)
    if bin_name is not None:
        msg = "bin chooses from a file of <Bins>; leave it out, or give one with voxels."
        raise InputError(msg, argument=("bin", "voxels"))
    if text in DATASETS:
        return DATASETS[text]
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})x(\d+(?:\.\d*)?|\.\d+)", text)
    if not match:
        msg = f"Cannot read the voxels {text!r}; give {known}, .xml."
        raise InputError(msg)
    n_layers = load_detector(detector).n_layers
    return CylinderVoxels.regular(n_layers, int(match[1]), int(match[2]), float(match[3]))
