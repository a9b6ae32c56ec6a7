"""Files of other programs become shower files, and what they do not say is asked for."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from calozoo.export.formats import export_file
from calozoo.export.import_file import import_file
from calozoo.generation.generate_file import generate_to_file
from calozoo.generation.parsing import make_source
from calozoo_core.errors import InputError, OutputExistsError, ShowerFileError
from calozoo_core.io import ShowerWriter, read_showers

ILD = "ild_siecal_regular"


@pytest.fixture
def showers(tmp_path):
    from calozoo import api

    path = tmp_path / "s.h5"
    generate_to_file(api.load("toy"), make_source("10,20", "0,0"), path)
    return path


def test_a_root_file_comes_back_as_it_was(tmp_path, showers):
    export_file(showers, tmp_path / "s.root")
    import_file(tmp_path / "s.root", tmp_path / "again.h5", "root")
    assert read_showers(tmp_path / "again.h5") == read_showers(showers)


def test_voxels_and_libraries_keep_their_energy(tmp_path, showers):
    voxels = {"voxels": "16x30x4.65", "detector": ILD, "particle": 22}
    export_file(showers, tmp_path / "v.h5", "calochallenge", voxels="16x30x4.65")
    import_file(tmp_path / "v.h5", tmp_path / "1.h5", "calochallenge", options=voxels)
    export_file(showers, tmp_path / "d.h5", "ddml", grid="90x90")
    library = {"detector": ILD, "energy": "10,20", "grid": "90x90"}
    import_file(tmp_path / "d.h5", tmp_path / "2.h5", "ddml", options=library)
    for name in ("1.h5", "2.h5"):
        found, expected = read_showers(tmp_path / name), read_showers(showers)
        assert found.incident == expected.incident
        np.testing.assert_allclose(found.visible_energy, expected.visible_energy, rtol=0.02)


def test_voxels_of_a_data_set_were_divided_by_the_sampling_fraction(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["incident_energies"] = [1000.0]
        file["showers"] = np.ones((1, 45, 16, 9))
    writer = import_file(
        tmp_path / "c.h5", tmp_path / "s.h5", "calochallenge", options={"voxels": "dataset2"}
    )
    assert writer.n_showers == 1
    visible = read_showers(tmp_path / "s.h5").visible_energy[0]
    assert visible == pytest.approx(0.033 * 45 * 16 * 9, rel=1e-5)


def test_what_is_missing_or_belongs_to_another_format_is_said(tmp_path, showers):
    export_file(showers, tmp_path / "d.h5", "ddml")
    export_file(showers, tmp_path / "v.h5", "calochallenge", voxels="16x9x4.65")
    refused = [
        ("d.h5", "ddml", {}, "give detector"),
        ("d.h5", "ddml", {"voxels": "dataset2"}, "voxels means nothing"),
        ("d.h5", "hepmc", {}, "no format 'hepmc'"),
        ("v.h5", "par04", {"voxels": "dataset2"}, "layout='calochallenge'"),
        ("v.h5", "calochallenge", {}, "needs voxels"),
        ("none.h5", "root", {}, "no shower file"),
        ("d.h5", "caloclouds", {}, "differ from file to file"),
        ("d.h5", "showerdata", {}, "neither its detector nor"),
    ]
    for name, kind, options, words in refused:
        with pytest.raises((InputError, ShowerFileError), match=words):
            import_file(tmp_path / name, tmp_path / "out.h5", kind, options=options)
    with pytest.raises(OutputExistsError):
        import_file(tmp_path / "d.h5", showers, "root")
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("events", "energy"), "layout of CaloClouds"),
        (("showers", "energies", "shower_ids"), "layout of ShowerData"),
        (("showers", "incident_energy", "incident_theta"), "row 0 at theta 1.5"),
    ],
)
def test_layouts_that_cannot_be_read_safely_are_refused_by_name(tmp_path, names, said):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for name in names:
            file[name] = np.full((2, 3, 4, 2) if name in ("showers", "events") else (2, 1), 1.5)
    kind = "par04" if "incident_theta" in names else "calochallenge"
    with pytest.raises(ShowerFileError, match=said):
        import_file(tmp_path / "f.h5", tmp_path / "o.h5", kind, options={"voxels": "dataset2"})
    assert not (tmp_path / "o.h5").exists()


@pytest.mark.parametrize(
    "attributes",
    [
        {"generator": "two\nlines"},
        {"generator": "x" * 70_000},
        {"seed": 2**64},
        {"hits_detector": "mine.toml"},
        {"hits_detector": ILD, "hits_threshold_mev": -1.0},
        {"provenance": {"particle": "e-"}},
        {"provenance": {"note": "\x1b[2J"}},
        {"provenance": {"part": float("nan")}},
        {"provenance": {"part": None}},
    ],
)
def test_the_writer_refuses_what_the_reader_would(tmp_path, attributes):
    with pytest.raises(ShowerFileError, match="cannot be written, since"):
        ShowerWriter(tmp_path / "s.h5", **{"generator": "toy", "seed": 0} | attributes)
    assert not list(tmp_path.iterdir())
