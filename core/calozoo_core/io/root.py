"""Showers as a plain ROOT tree, one entry a shower, through uproot.

::

    showers  incident_energy/F GeV  direction_x, direction_y, direction_z/F  [position_x.../D mm]
             npoint/I  point_x, point_y[npoint]/F mm  point_layer[npoint]/I
             point_energy[npoint]/F MeV  [point_time[npoint]/F ns]

Beside the tree, four texts (TObjString): representation, detector, particle, generator.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.incident import Incident
from calozoo_core.io._exchange_format import Exported, check_values
from calozoo_core.io._layout import fault
from calozoo_core.io._opening import check_file
from calozoo_core.io._output import unwritable, whole_file
from calozoo_core.io.file_faults import reason, system_reason
from calozoo_core.io.part_file import PartFile, uninterrupted
from calozoo_core.representation import REPRESENTATIONS
from calozoo_core.showers import Showers

__all__ = ["extend_tree", "import_uproot", "read", "read_batches", "read_generator", "write"]

TREE: Final = "showers"
TEXTS: Final = ("representation", "detector", "particle", "generator")

_SCALARS: Final = {
    "incident_energy": "float32",
    "direction_x": "float32",
    "direction_y": "float32",
    "direction_z": "float32",
}
_POSITIONS: Final = {"position_x": "float64", "position_y": "float64", "position_z": "float64"}
_POINTS: Final = {"x": "float32", "y": "float32", "layer": "int32", "energy": "float32"}
_TIME: Final = {"time": "float32"}

_LARGEST_DEFLATION: Final = 1032  # zlib's limit; what claims more than that is a trap
_MAX_TEXT: Final = 1 << 12


def write(
    path: str | os.PathLike[str],
    batches: Iterable[Showers],
    *,
    generator: str = "unknown",
    overwrite: bool = False,
) -> Exported:
    """Write showers to a ROOT file, batch by batch, whole or not at all.

    Arguments:
        path: The file.
        batches: Showers of one kind, in runs; each becomes one basket of every branch.
        generator: Who made them.
        overwrite: Replace a file that is already there.

    Raises:
        InputError: If uproot or awkward is not installed.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If batches are of different kinds, a value is no measurement, no shower
            came, or the file cannot be written.
    """
    uproot, path = import_uproot(), Path(path)
    exported, kind, tree = Exported(), None, None
    with whole_file(path, overwrite=overwrite) as part:
        with uproot.recreate(part) as file:
            for batch in batches:
                check_values(batch, path)
                if kind is None:
                    kind = _kind(batch)
                    tree = _new_tree(file, batch, generator)
                if _kind(batch) != kind:
                    msg = f"{path} holds showers of one kind; those of {_kind(batch)} need another."
                    raise ShowerFileError(msg)
                extend_tree(tree, _entries(batch), part)
                exported += Exported(len(batch), float(batch.visible_energy.sum()))
        if exported.n_showers == 0:
            msg = f"No showers came, so {path} was not written."
            raise ShowerFileError(msg)
    return exported


def read(path: str | os.PathLike[str], rows: slice = slice(None)) -> Showers:
    """Showers of a file that `write` made, all or a run of them.

    Raises:
        InputError: If uproot or awkward is not installed, or the slice has a step.
        ShowerFileError: If the file is missing, damaged, or another kind of tree.
    """
    if rows.step not in (None, 1):
        msg = "Showers are read in runs of neighbours: give a slice without a step."
        raise InputError(msg)
    with _opened(Path(path)) as file:
        texts = {name: _text(file, name) for name in TEXTS}
        if texts["representation"] not in REPRESENTATIONS:
            msg = f"{texts['representation']} is no representation"
            raise ValueError(msg)
        tree = _tree(file)
        start, stop, _ = rows.indices(int(tree.num_entries))
        branches = _branches(tree, Path(path).stat().st_size)
        arrays = tree.arrays(branches, entry_start=start, entry_stop=max(start, stop))
        showers = _showers(arrays, texts)
        wrong = fault(showers)
        if wrong:
            msg = f"it holds {wrong}"
            raise ValueError(msg)
    return showers


def read_batches(path: str | os.PathLike[str], size: int) -> Iterator[Showers]:
    """Showers of a file that `write` made, at most `size` at a time.

    Raises:
        InputError: If uproot or awkward is not installed.
        ShowerFileError: If the file is missing, damaged, or another kind of tree.
    """
    with _opened(Path(path)) as file:
        n = int(_tree(file).num_entries)
    for start in range(0, n, size):
        yield read(path, slice(start, start + size))


def read_generator(path: str | os.PathLike[str]) -> str:
    """Who made the showers of a file that `write` made.

    Raises:
        InputError: If uproot or awkward is not installed.
        ShowerFileError: If the file is missing, damaged, or does not say it.
    """
    with _opened(Path(path)) as file:
        return _text(file, "generator")


def import_uproot() -> ModuleType:
    """The module uproot.

    Raises:
        InputError: If it or awkward is not installed.
    """
    try:
        import awkward  # noqa: F401, the trees of uproot need it
        import uproot
    except ImportError as error:
        msg = "ROOT files need uproot and awkward; type pip install 'calozoo-core[root]'."
        raise InputError(msg) from error
    module: ModuleType = uproot
    return module


def extend_tree(tree: Any, entries: dict[str, Any], part: PartFile) -> None:
    """Add entries to a tree that is written through a part.

    Arguments:
        tree: Tree of uproot.
        entries: Entries by the name of their branch.
        part: The part.

    Raises:
        ShowerFileError: If the disk is full.
    """
    try:
        with uninterrupted():
            tree.extend(entries)
    except Exception:
        if part.error is None:
            raise
    # uproot may trip over a part that stopped taking bytes, or not notice at all.
    if part.error:
        raise unwritable(part.path, part.error) from part.error


def _kind(batch: Showers) -> str:
    extras = [
        word
        for word, given in (("times", batch.time), ("positions", batch.incident.position))
        if given is not None
    ]
    words = [batch.representation, batch.detector, batch.incident.particle, *extras]
    return " ".join(words)


def _new_tree(file: Any, batch: Showers, generator: str) -> Any:
    import awkward

    texts = (batch.representation, batch.detector, batch.incident.particle, generator)
    for name, text in zip(TEXTS, texts, strict=True):
        file[name] = text
    fields = _POINTS if batch.time is None else _POINTS | _TIME
    empty = awkward.zip({name: np.zeros(0, dtype) for name, dtype in fields.items()})
    points = awkward.unflatten(empty, np.zeros(0, np.int64)).type.content
    scalars = _SCALARS if batch.incident.position is None else _SCALARS | _POSITIONS
    # By assignment, uproot would write an RNTuple, which older ROOTs cannot read.
    return file.mktree(TREE, {**scalars, "point": points})


def _entries(batch: Showers) -> dict[str, Any]:
    import awkward

    incident = batch.incident
    entries: dict[str, Any] = {"incident_energy": incident.energy}
    for axis, column in zip("xyz", incident.direction.T, strict=True):
        entries[f"direction_{axis}"] = np.ascontiguousarray(column)
    if incident.position is not None:
        for axis, place in zip("xyz", incident.position.T, strict=True):
            entries[f"position_{axis}"] = np.ascontiguousarray(place)
    fields = {"x": batch.x, "y": batch.y, "layer": batch.layer.astype(np.int32)}
    fields["energy"] = batch.energy
    if batch.time is not None:
        fields["time"] = batch.time
    entries["point"] = awkward.unflatten(awkward.zip(fields), batch.n_points)
    return entries


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file that anyone may have made; whatever goes wrong in it is said in one sentence."""
    uproot = import_uproot()
    check_file(path)
    try:
        # Opened here: uproot would take a name for an address, or for a file and what is in it.
        with path.open("rb") as stream, uproot.open(stream) as file:
            yield file
    except Exception as error:
        failed = system_reason(error) if isinstance(error, OSError) else None
        msg = f"{path} is not a whole ROOT file of showers ({reason(error)}); make it again."
        if failed:
            msg = f"{path} cannot be read ({failed})."
        raise ShowerFileError(msg) from error


def _text(file: Any, name: str) -> str:
    if name not in file or file.classname_of(name) != "TObjString":
        msg = f"it does not say its {name}"
        raise ValueError(msg)
    text = str(file[name])
    if len(text) > _MAX_TEXT or not text.isprintable():
        msg = f"its {name} is no text for people to read"
        raise ValueError(msg)
    return text


def _tree(file: Any) -> Any:
    if TREE not in file or file.classname_of(TREE) != "TTree":
        msg = f"it has no tree {TREE}"
        raise ValueError(msg)
    return file[TREE]


def _branches(tree: Any, file_bytes: int) -> list[str]:
    """Names of the branches to read, once it is clear that they hold what they should."""
    types = dict(_SCALARS)
    if "position_x" in tree:
        types |= _POSITIONS
    points = dict(_POINTS) | (_TIME if "point_time" in tree else {})
    types |= {f"point_{name}": dtype for name, dtype in points.items()}
    if tree.num_entries > file_bytes * _LARGEST_DEFLATION:
        msg = f"it is too short for the {tree.num_entries} showers that it claims"
        raise ValueError(msg)
    for name, dtype in types.items():
        if name not in tree:
            msg = f"it has no branch {name}"
            raise ValueError(msg)
        branch = tree[name]
        form = branch.interpretation
        content = getattr(form, "content", form) if name.startswith("point_") else form
        numpy_type = getattr(content, "to_dtype", None)
        kinds = "f" if np.dtype(dtype).kind == "f" else "iu"
        if (
            numpy_type is None
            or numpy_type.kind not in kinds
            or (name.startswith("point_") and content is form)
        ):
            msg = f"its branch {name} does not hold numbers of type {dtype}"
            raise ValueError(msg)
        if branch.uncompressed_bytes > file_bytes * _LARGEST_DEFLATION:
            msg = f"it is too short for what its branch {name} claims"
            raise ValueError(msg)
    return list(types)


def _showers(arrays: Any, texts: dict[str, str]) -> Showers:
    import awkward

    def column(name: str) -> NDArray[Any]:
        values: NDArray[Any] = awkward.to_numpy(arrays[name])
        return values

    counts = awkward.to_numpy(awkward.num(arrays["point_x"]))
    fields = {name: f"point_{name}" for name in (*_POINTS, *_TIME)}
    points = {
        name: awkward.to_numpy(awkward.flatten(arrays[branch]))
        for name, branch in fields.items()
        if branch in arrays.fields
    }
    has_position = "position_x" in arrays.fields
    direction = np.column_stack([column(f"direction_{axis}") for axis in "xyz"])
    return Showers(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        **points,
        incident=Incident(
            column("incident_energy"),
            direction,
            texts["particle"],
            np.column_stack([column(f"position_{a}") for a in "xyz"]) if has_position else None,
        ),
        representation=texts["representation"],
        detector=texts["detector"],
    )
