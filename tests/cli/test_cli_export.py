"""`calozoo export` as a person uses it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from calozoo.cli import main
from calozoo_core.incident import Incident
from calozoo_core.io import ddml, read_showers, root, write_showers
from calozoo_core.io.calochallenge import read
from calozoo_core.showers import Showers

BINS = """<Bins><Bin pid="22" name="photon">{}</Bin></Bins>"""
LAYER = '<Layer id="0" r_edges="0,10,50" n_bin_alpha="4"/>'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a shower file s.h5 of ILD's calorimeter."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    batch = Showers(
        offsets=np.arange(6) * 100,
        x=rng.normal(0, 20, 500),
        y=rng.normal(0, 20, 500),
        layer=rng.integers(0, 30, 500),
        energy=rng.exponential(0.3, 500),
        incident=Incident(rng.uniform(1, 100, 5), (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    write_showers("s.h5", batch, generator="toy")
    return tmp_path


def test_a_name_ending_in_root_is_a_root_file(capfd):
    main(["export", "s.h5", "out.root"])
    said = capfd.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"out\.root  5 showers, [\d.]+ kB\n", said.err)
    assert np.array_equal(root.read("out.root").x, read_showers("s.h5").x)


def test_a_library_is_written_on_the_grid_of_ddmls_reader_or_a_plain_one():
    main(["export", "s.h5", "a.h5", "--to", "ddml"])
    main(["export", "s.h5", "b.h5", "--to", "ddml", "--grid", "20x10"])
    for name, shape in (("a.h5", (5, 30, 30, 49)), ("b.h5", (5, 30, 20, 10))):
        with h5py.File(name) as file:
            assert file["layers"].shape == shape
    incident = read_showers("s.h5").incident
    assert len(ddml.read_library("a.h5", incident, detector="ild_siecal_regular")) == 5


def test_json_says_how_much_energy_the_format_had_no_room_for(capfd):
    words = ["--to", "calochallenge", "--voxels", "16x9x4.65", "--threshold", "0.1", "--json"]
    main(["export", "s.h5", "out.h5", *words])
    said = capfd.readouterr()
    report = json.loads(said.out)
    energies, voxels = read("out.h5")
    assert report["format"] == "calochallenge"
    assert report["showers"] == len(energies) == 5
    assert report["visible_mev"] == pytest.approx(read_showers("s.h5").energy.sum())
    lost = report["outside_mev"] + report["below_threshold_mev"]
    assert voxels.sum() + lost == pytest.approx(report["visible_mev"])
    assert report["outside_mev"] > 0 < report["below_threshold_mev"]
    assert re.search(r"[\d.]+ % of the energy outside, [\d.]+ % of the energy below", said.err)


def test_voxels_come_from_a_file_of_bins(folder):
    (folder / "bins.xml").write_text(BINS.format(LAYER * 15))
    main(["export", "s.h5", "out.h5", "--to", "calochallenge", "--voxels", "bins.xml", "--quiet"])
    assert read("out.h5")[1].shape == (5, 15 * 8)


def test_voxels_of_a_data_set_are_divided_and_cut_as_the_data_set_is(folder):
    batch = Showers(
        [0, 2], [1, 30], [0, 0], [0, 0], [0.33, 1e-4], Incident(1, (0, 0, 1)), "steps", "par04_siw"
    )
    write_showers("p.h5", batch, generator="toy")
    main(["export", "p.h5", "out.h5", "--to", "calochallenge", "--voxels", "dataset2"])
    assert read("out.h5")[1].sum() == pytest.approx(0.33 / 0.033)
    words = ["--sampling-fraction", "1", "--threshold", "0", "--overwrite"]
    main(["export", "p.h5", "out.h5", "--to", "calochallenge", "--voxels", "dataset2", *words])
    assert read("out.h5")[1].sum() == pytest.approx(0.3301)


def test_a_terminal_shows_a_bar():
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "calozoo", "export", "s.h5", "out.root"]
    done = subprocess.run(command, stderr=slave, stdout=subprocess.PIPE, check=True)
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert done.stdout == b""
    assert "5/5 showers" in shown


REFUSED = {
    "missing.h5 o.root": (1, "There is no shower file missing.h5"),
    "text.h5 o.root": (1, "not a whole HDF5 file"),
    "s.h5 o.h5": (2, "o.h5 could be of two formats; add --to ddml or --to calochallenge"),
    "s.h5 o.txt": (2, "o.txt does not tell its format"),
    "s.h5 o.h5 --to podio": (
        2,
        "no format 'podio'; give --to ddml, calochallenge, root or edm4hep",
    ),
    "s.h5 s.h5 --to ddml --overwrite": (2, "would replace what it is made of"),
    "s.h5 text.h5 --to ddml": (1, "Add --overwrite"),
    "s.h5 no/o.h5 --to ddml": (1, "no such file or directory"),
    "s.h5 o.h5 --to ddml --grid 30": (2, "Cannot read the grid '30'"),
    "s.h5 o.h5 --to ddml --grid 0x3": (2, "not 0 x 3"),
    "s.h5 o.h5 --to ddml --voxels dataset2": (2, "--voxels means nothing to ddml"),
    "s.h5 o.root --sampling-fraction 1": (2, "--sampling-fraction means nothing to root"),
    "s.h5 o.h5 --to calochallenge": (2, "needs --voxels: dataset2, dataset3"),
    "s.h5 o.h5 --to calochallenge --voxels dataset2": (1, "45 layers of voxels"),
    "s.h5 o.h5 --to calochallenge --voxels dataset7": (2, "Cannot read the voxels 'dataset7'"),
    "s.h5 o.h5 --to calochallenge --voxels 16x9x0": (2, "16x9x0"),
    "s.h5 o.h5 --to calochallenge --voxels no.xml": (1, "no.xml cannot be read (no such file"),
    "s.h5 o.h5 --to calochallenge --voxels bad.xml": (1, "document type"),
    "s.h5 o.h5 --to calochallenge --voxels two.xml": (2, "has the bins a, b"),
    "s.h5 o.h5 --to calochallenge --voxels 4x4x4 --bin a": (2, "--bin chooses from a file"),
    "s.h5 o.h5 --to calochallenge --voxels 4x4x4 --threshold -1": (2, "0 MeV or more"),
    "s.h5 o.h5 --to calochallenge --voxels 4x4x4 --sampling-fraction 2": (2, "between 0 and 1"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_bad_request_ends_in_one_sentence_and_changes_nothing(capsys, folder, words):
    (folder / "text.h5").write_text("text")
    (folder / "bad.xml").write_text("<!DOCTYPE Bins><Bins/>")
    two = "".join(f'<Bin name="{name}">{LAYER}</Bin>' for name in "ab")
    (folder / "two.xml").write_text(f"<Bins>{two}</Bins>")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, sentence = REFUSED[words]
    with pytest.raises(SystemExit) as end:
        main(["export", *words.split()])
    said = capsys.readouterr()
    assert end.value.code == code
    assert said.out == ""
    assert said.err.startswith("calozoo: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_uproot_the_command_says_what_to_type(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uproot", None)
    with pytest.raises(SystemExit) as end:
        main(["export", "s.h5", "o.root"])
    assert end.value.code == 2
    assert "type pip install 'calozoo-core[root]'" in capsys.readouterr().err
