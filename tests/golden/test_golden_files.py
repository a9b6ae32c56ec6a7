"""Files are laid out and read as before; `golden_data` says how to rewrite what is stored.

Hashes are those of data sets and branches, not of files, whose bytes change with the HDF5 library.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from golden_data import (
    FILES,
    CylinderVoxels,
    Hits,
    RefinementReport,
    ShowerFile,
    ShowerWriter,
    calochallenge,
    check_values,
    ddml,
    digest,
    output,
    read_hits,
    read_showers,
    root,
    uniform_showers,
    write_showers,
)

ILD = "ild_siecal_regular"
SHOWERS = uniform_showers(ILD, 30)
COMPLETE = uniform_showers(ILD, 30, complete=True)
ELECTRONS = uniform_showers("par04_siw", 90, particle="e-", representation="steps")
VOXELS = CylinderVoxels.regular(90, n_alpha=8, n_r=6, dr_mm=20.0)
PLAIN_GRID = ddml.Grid((30, 30))


def hits(n=4):
    rng = np.random.default_rng(5)
    return Hits(
        offsets=np.arange(n + 1) * 20,
        cell=rng.integers(0, 2**62, 20 * n),
        layer=rng.integers(0, 30, 20 * n).astype(np.uint8),
        **{name: rng.uniform(-1e3, 1e3, 20 * n).astype(np.float32) for name in "xyz"},
        energy=rng.uniform(0.1, 2, 20 * n).astype(np.float32),
    )


def write_native(path):
    write_showers(path, SHOWERS, generator="toy.ild-photon", seed=7)


def write_native_with_hits(path):
    options = {"hits_detector": ILD, "hits_threshold_mev": 0.1, "provenance": {"source": "golden"}}
    with ShowerWriter(path, generator="toy.ild-photon", seed=7, **options) as writer:
        writer.append(COMPLETE, hits())


def read_native(path):
    return digests(read_showers(path))


def read_native_with_hits(path):
    with ShowerFile(path) as file:
        header = {
            name: getattr(file, name)
            for name in ("generator", "seed", "hits_detector", "hits_threshold_mev")
        }
        energies = digest(file.incident().energy)
    return {
        "showers": digests(read_showers(path)),
        "hits": digests(read_hits(path)),
        "incident energy": energies,
        "header": header,
    }


def write_library(path):
    ddml.write_library(path, [SHOWERS])


def read_library(path):
    return digests(ddml.read_library(path, SHOWERS.incident, detector=ILD))


def write_plain_library(path):
    ddml.write_library(path, [SHOWERS], grid=PLAIN_GRID)


def read_plain_library(path):
    return digests(ddml.read_library(path, SHOWERS.incident, detector=ILD, grid=PLAIN_GRID))


def write_voxels(path):
    calochallenge.write(path, [ELECTRONS], VOXELS, sampling_fraction=0.033, threshold_mev=0.015)


def read_voxels(path):
    energies, voxels = calochallenge.read(path)
    showers = calochallenge.read_showers(
        path, VOXELS, detector="par04_siw", seed=3, sampling_fraction=0.033
    )
    return {"energies": digest(energies), "voxels": digest(voxels), "showers": rounded(showers)}


def write_tree(path):
    root.write(path, [COMPLETE], generator="toy.ild-photon")


def read_tree(path):
    return digests(root.read(path))


@dataclass(frozen=True)
class Format:
    """A kind of file: how one is written, and what is read of it."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], dict]


FORMATS = (
    Format("native.h5", write_native, read_native),
    Format("native_with_hits.h5", write_native_with_hits, read_native_with_hits),
    Format("ddml.h5", write_library, read_library),
    Format("ddml_plain_grid.h5", write_plain_library, read_plain_library),
    Format("calochallenge.h5", write_voxels, read_voxels),
    Format("tree.root", write_tree, read_tree),
)
FORMAT_OF = {one.name: one for one in FORMATS}


def digests(columns) -> dict:
    """Hashes of the columns of showers or hits, and their texts."""
    made = {}
    for name, value in vars(columns).items():
        if isinstance(value, np.ndarray):
            made[name] = digest(value)
        elif name == "incident":
            made[name] = digests(value)
        elif value is not None:
            made[name] = value
    return made


def rounded(showers) -> dict:
    """As `digests`, with positions that a sine or a cosine went into rounded to 1/16 mm."""
    x, y = (np.round(16 * values.astype(np.float64)) + 0.0 for values in (showers.x, showers.y))
    return digests(showers) | {"x": digest(x), "y": digest(y)}


def layout(path) -> dict:
    """Every data set and attribute of an HDF5 file, or every branch and text of a ROOT file."""
    if path.suffix == ".root":
        return tree_layout(path)
    made = {}

    def add(name, item):
        attributes = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        values = {"values": digest(item[...])} if isinstance(item, h5py.Dataset) else {}
        made[name] = attributes | values

    with h5py.File(path) as file:
        add("/", file)
        file.visititems(add)
    return made


def tree_layout(path) -> dict:
    uproot = pytest.importorskip("uproot")
    import awkward

    made = {}
    with uproot.open(path) as file:
        for name, kind in sorted(file.classnames(cycle=False).items()):
            if kind != "TTree":
                made[name] = [kind, str(file[name])]
                continue
            for branch in file[name].branches:
                array = branch.array()
                counts = awkward.num(array, axis=1) if array.ndim > 1 else []
                made[f"{name}/{branch.name}"] = [
                    branch.typename,
                    digest(np.asarray(awkward.flatten(array, axis=None))),
                    digest(np.asarray(counts, dtype=np.int64)),
                ]
    return made


def skip_without_root(name: str) -> None:
    if name.endswith(".root"):
        pytest.importorskip("uproot", reason="install calozoo[root]")


@pytest.mark.parametrize("name", FORMAT_OF)
def test_a_file_is_laid_out_and_read_as_before(name, tmp_path):
    skip_without_root(name)
    path = tmp_path / name
    FORMAT_OF[name].write(path)
    check_values("files.json", name, {"layout": layout(path), "read": FORMAT_OF[name].read(path)})


@pytest.mark.parametrize("name", FORMAT_OF)
def test_a_file_saved_once_stays_readable(name):
    skip_without_root(name)
    path = FILES / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        FORMAT_OF[name].write(path)
    check_values("saved.json", name, FORMAT_OF[name].read(path), is_kept=True)


def test_the_report_of_a_refinement_saved_once_stays_readable():
    path = FILES / "toy_refined" / "refinement.json"
    report = RefinementReport.model_validate_json(path.read_bytes())
    assert report.model_dump(mode="json", exclude_unset=True) == json.loads(
        path.read_text(encoding="utf-8")
    )


def test_the_generate_command_writes_the_file_it_wrote_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = "--model toy --energy 10:20 -n 4 --seed 3 --from-ip --place ild_siecal --quiet"
    output("generate", *asked.split(), "--out", "s.h5")
    made = layout(tmp_path / "s.h5")
    for name in set(made) - {"/", "points/offsets", "points/layer", "hits/cell"}:
        # Type and shape: their last bits may differ on another processor.
        if "values" in made[name]:
            made[name]["values"] = made[name]["values"].rpartition(" ")[0]
    check_values("files.json", "calozoo generate", made)
