"""Simulated events as ROOT trees, one entry an event, through uproot.

The plain tree has the columns of the native file::

    events  primary_pdg[]/I  primary_energy[]/D GeV  primary_px, _py, _pz[]/D GeV
            primary_x, _y, _z[]/D mm  primary_time[]/D ns  primary_simulated_by[]/I
            hit_cell[]/L  hit_layer[]/I  hit_x, _y, _z[]/F mm  hit_energy[]/F MeV
            contribution_hit, _primary[]/I  contribution_energy[]/F MeV

The tree in the shape of EDM4hep has its names and units, energies of hits in GeV among them; it is
a plain tree without podio's metadata, which uproot and RDataFrame read by the same names::

    events  MCParticles.PDG, .generatorStatus, .time, .vertex.x, .momentum.x, ...
            ECalCollection.cellID, .energy, .position.x, .contributions_begin, _end
            ECalContributions.PDG, .energy, .time, .stepPosition.x, ...
            ECalContributions_particle.index

Beside a tree, four texts (TObjString): detector, model, threshold_mev, seed.

References:
    | EDM4hep's data model: https://github.com/key4hep/EDM4hep/blob/main/edm4hep.yaml
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.io._exchange_format import Exported
from calozoo_core.io._output import whole_file
from calozoo_core.io.events import EventFile
from calozoo_core.io.root import extend_tree, import_uproot
from calozoo_core.typing import FloatArray, IntArray

__all__ = ["TREE", "write_edm4hep", "write_root"]

TREE: Final = "events"
_TEXTS: Final = ("detector", "model", "seed")
_EVENTS_AT_ONCE: Final = 256
_MEV: Final = 1e-3  # in GeV, the unit of EDM4hep


def write_root(
    path: str | os.PathLike[str],
    file: EventFile,
    *,
    overwrite: bool = False,
    on_events: Callable[[int], None] = lambda n: None,
) -> Exported:
    """Write simulated events to a plain ROOT tree, which is complete or not there.

    Arguments:
        path: The file to write.
        file: Native file of simulated events.
        overwrite: Replace a file that is already there.
        on_events: Called with the number of events of each run.

    Returns:
        Numbers of events, and their visible energy.

    Raises:
        InputError: If uproot or awkward is not installed.
        OutputExistsError: If the file is there and `overwrite` is not set.
        ShowerFileError: If the native file has no hits, or the file cannot be written.
    """
    return _write(Path(path), file, _plain, "_", overwrite, on_events)


def write_edm4hep(
    path: str | os.PathLike[str],
    file: EventFile,
    *,
    overwrite: bool = False,
    on_events: Callable[[int], None] = lambda n: None,
) -> Exported:
    """Write simulated events to a ROOT tree in the shape of EDM4hep, complete or not there.

    Arguments, result and errors are those of `write_root`.
    """
    return _write(Path(path), file, _edm4hep, ".", overwrite, on_events)


_Group = tuple[IntArray, dict[str, NDArray[Any]]]  # entries of each event, and their columns
_Groups = Callable[[Events, NDArray[np.uint8], EventHits], dict[str, _Group]]


def _write(
    path: Path,
    file: EventFile,
    groups: _Groups,
    separator: str,
    overwrite: bool,
    on_events: Callable[[int], None],
) -> Exported:
    uproot = import_uproot()
    import awkward

    file.check_taken()
    exported = Exported()
    with whole_file(path, overwrite=overwrite) as part, uproot.recreate(part) as out:
        for name in _TEXTS:
            out[name] = file.text(name) or "unknown"
        out["threshold_mev"] = repr(file.threshold_mev)
        tree = None
        for rows in _runs(len(file)):
            hits = file.hits(rows)
            of_run = groups(file.events(rows), file.simulated_by(rows), hits)
            entries = {
                name: awkward.unflatten(awkward.zip(columns), counts)
                for name, (counts, columns) in of_run.items()
            }
            if tree is None:
                types = {name: values.type.content for name, values in entries.items()}
                tree = out.mktree(
                    TREE, types, field_name=lambda outer, inner: f"{outer}{separator}{inner}"
                )
            extend_tree(tree, entries, part)
            exported += Exported(len(hits), float(hits.hits.energy.sum(dtype=np.float64)))
            on_events(len(hits))
    return exported


def _runs(n: int) -> Iterator[slice]:
    for first in range(0, n, _EVENTS_AT_ONCE):
        yield slice(first, min(first + _EVENTS_AT_ONCE, n))


def _plain(events: Events, simulated_by: NDArray[np.uint8], hits: EventHits) -> dict[str, _Group]:
    primary = {
        "pdg": events.pdg,
        "energy": events.energy,
        **_vector("p", events.momentum),
        **_vector("", events.vertex),
        "time": events.time,
        "simulated_by": simulated_by.astype(np.int32),
    }
    cells = hits.hits
    hit = {
        "cell": cells.cell,
        "layer": cells.layer.astype(np.int32),
        **{name: getattr(cells, name) for name in ("x", "y", "z", "energy")},
    }
    counts, of_hit = _contributions(hits)
    contribution = {"hit": of_hit, "primary": hits.primary, "energy": hits.energy}
    return {
        "primary": (np.diff(events.offsets), primary),
        "hit": (cells.n_hits, hit),
        "contribution": (counts, contribution),
    }


def _edm4hep(events: Events, simulated_by: NDArray[np.uint8], hits: EventHits) -> dict[str, _Group]:
    del simulated_by
    particle = {
        "PDG": events.pdg,
        "generatorStatus": np.ones(len(events.pdg), np.int32),
        "time": events.time.astype(np.float32),
        **_vector("vertex.", events.vertex),
        **_vector("momentum.", events.momentum),
    }
    cells = hits.hits
    of_event, of_hit = _contributions(hits)
    first = hits.offsets[cells.offsets[:-1]]  # of the contributions of each event
    begin = hits.offsets[:-1] - np.repeat(first, cells.n_hits)
    hit = {
        "cellID": cells.cell.astype(np.uint64),
        "energy": cells.energy * np.float32(_MEV),
        "position.x": cells.x,
        "position.y": cells.y,
        "position.z": cells.z,
        "contributions_begin": begin.astype(np.uint32),
        "contributions_end": (begin + np.diff(hits.offsets)).astype(np.uint32),
    }
    event = np.repeat(np.arange(len(events)), of_event)
    row = hits.primary + events.offsets[event]
    hit_row = of_hit + cells.offsets[event]
    contribution = {
        "PDG": events.pdg[row],
        "energy": hits.energy * np.float32(_MEV),
        "time": events.time[row].astype(np.float32),
        **{f"stepPosition.{axis}": getattr(cells, axis)[hit_row] for axis in "xyz"},
    }
    return {
        "MCParticles": (np.diff(events.offsets), particle),
        "ECalCollection": (cells.n_hits, hit),
        "ECalContributions": (of_event, contribution),
        "ECalContributions_particle": (of_event, {"index": hits.primary}),
    }


def _contributions(hits: EventHits) -> tuple[IntArray, NDArray[np.int32]]:
    """Number of contributions in each event, and the number of the hit of each in its event."""
    per_hit = np.diff(hits.offsets)
    ends = hits.offsets[hits.hits.offsets]
    in_event = np.arange(len(per_hit)) - np.repeat(hits.hits.offsets[:-1], hits.hits.n_hits)
    return np.diff(ends), np.repeat(in_event, per_hit).astype(np.int32)


def _vector(prefix: str, values: FloatArray) -> dict[str, NDArray[Any]]:
    columns = zip("xyz", values.T, strict=True)
    return {f"{prefix}{axis}": np.ascontiguousarray(column) for axis, column in columns}
