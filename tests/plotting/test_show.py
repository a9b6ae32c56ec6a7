"""`calozoo show`: a file in a few numbers and one picture."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import calozoo
from calozoo.cli import main
from calozoo.generation.file_summary import RunningMean, summarise
from calozoo.plotting.hits import PlacedShower
from calozoo.plotting.showers import plot_file
from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, ShowerWriter, read_hits, write_showers
from calozoo_core.placement import load_placement
from calozoo_core.showers import Showers

STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


@pytest.fixture(scope="module")
def showers():
    return calozoo.load("toy").generate(energy=[10, 20, 40], direction=(0.5, 0, 1), seed=1)


@pytest.fixture
def file(tmp_path, monkeypatch, showers):
    monkeypatch.chdir(tmp_path)
    write_showers("s.h5", showers, generator="toy.ild-photon", seed=1)
    return tmp_path / "s.h5"


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=5), max_size=5))
def test_a_mean_of_batches_is_the_mean_of_all(batches):
    mean, values = RunningMean(), [value for batch in batches for value in batch]
    for batch in batches:
        mean.add(batch)
    assert mean.n == len(values)
    if values:
        assert mean.value == pytest.approx(np.mean(values), abs=1e-9)
    if len(values) > 1:
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert mean.error == pytest.approx(error, rel=1e-9, abs=1e-9)


def test_the_summary_says_what_is_in_the_file(file, showers):
    summary = summarise(file)
    assert (summary.n_showers, summary.n_points) == (3, len(showers.energy))
    assert (summary.model, summary.seed) == ("toy.ild-photon", "1")
    assert summary.energy_gev == (10, 40)
    assert summary.theta_deg == pytest.approx((26.565, 26.565), abs=1e-3)
    assert summary.visible_energy_mev.value == pytest.approx(showers.visible_energy.mean())
    fraction = showers.visible_energy / 1000 / showers.incident.energy
    assert summary.visible_percent.value == pytest.approx(100 * fraction.mean())
    assert summary.points_per_shower.value == pytest.approx(showers.n_points.mean())


def test_show_prints_an_aligned_table(file, capsys):
    main(["show", "s.h5"])
    lines = capsys.readouterr().out.splitlines()
    assert {line.index(line[21:].strip()) for line in lines} == {21}
    assert "incident energy      10 to 40 GeV" in lines
    assert any(line.startswith("visible fraction") and "±" in line for line in lines)


def test_show_prints_json_without_a_number_json_does_not_have(file, capsys):
    main(["show", "s.h5", "--json"])

    def refuse(constant):
        raise AssertionError(constant)

    report = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert report["n_showers"] == 3
    assert set(report["visible_energy_mev"]) == {"mean", "error"}


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_picture_is_drawn_whole_in_the_format_of_its_name(file, suffix, capsys):
    picture = file.with_name("picture" + suffix)
    picture.write_text("an older picture")
    main(["show", "s.h5", "--plot", picture.name, "--event", "2"])
    assert picture.read_bytes().startswith(STARTS[suffix])
    assert sorted(path.name for path in file.parent.iterdir()) == [picture.name, "s.h5"]


def test_a_picture_that_cannot_be_written_leaves_the_old_one(file):
    picture = file.with_name("picture.png")
    picture.mkdir()
    with pytest.raises(calozoo.CalozooError, match=r"picture\.png"):
        plot_file(file, picture)
    assert sorted(path.name for path in file.parent.iterdir()) == ["picture.png", "s.h5"]


@pytest.mark.parametrize("n_points", [0, 1, 3])
def test_a_shower_of_few_points_or_none_is_drawn(tmp_path, n_points):
    column = np.arange(n_points)
    few = Showers(
        [0, n_points],
        x=column,
        y=column,
        layer=column,
        energy=column * 0.2,
        incident=Incident(1, (0, 0, 1)),
        representation="x25",
        detector="ild_siecal_regular",
    )
    write_showers(tmp_path / "s.h5", few, generator="hand")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_file(tmp_path / "s.h5", tmp_path / "s.png")


@pytest.mark.parametrize("event", [-1, 3])
def test_a_shower_that_is_not_there_is_not_drawn(file, event):
    with pytest.raises(InputError, match="showers 0 to 2"):
        plot_file(file, file.with_name("s.png"), event=event)


@pytest.mark.parametrize("name", ["s.h5", "s.jpg", "s", "nowhere/s.png"])
def test_a_picture_of_another_kind_or_place_is_refused(file, name):
    before = file.read_bytes()
    with pytest.raises(InputError):
        plot_file(file, file.with_name(name) if "/" not in name else file.parent / name)
    assert file.read_bytes() == before


def test_showers_of_an_unknown_detector_are_summed_up_but_not_drawn(tmp_path, showers):
    far = Showers(**(vars(showers) | {"detector": "elsewhere"}))
    write_showers(tmp_path / "s.h5", far, generator="toy")
    assert summarise(tmp_path / "s.h5").n_showers == 3
    with pytest.raises(DetectorError, match="elsewhere"):
        plot_file(tmp_path / "s.h5", tmp_path / "s.png")


def test_without_matplotlib_a_picture_ends_in_one_sentence(file):
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from calozoo.cli import main; main(['show', 's.h5', '--plot', 's.png'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "calozoo: Drawing needs matplotlib; `pip install 'calozoo[plot]'` brings it.\n"
    )


def test_memory_does_not_grow_with_the_file(tmp_path, showers):
    peaks = []
    for n in (200, 1600):
        path = tmp_path / f"{n}.h5"
        with ShowerWriter(path, generator="toy", seed=1) as writer:
            for _ in range(n):
                writer.append(showers)
        tracemalloc.start()
        try:
            summarise(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.fixture(params=["70,50", "20,50"], ids=["turned", "at an end"])
def placed(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = f"--from-ip --dir {request.param} --place ild_siecal --out s.h5 -n 3 --quiet"
    main(["generate", "--model", "toy", "--energy", "30", *words.split()])
    return tmp_path / "s.h5"


def test_hits_are_summed_up_and_drawn(placed, capsys):
    main(["show", "s.h5", "--plot", "s.svg", "--event", "2"])
    table = capsys.readouterr().out
    assert "hits                 ild_siecal, from 0.1 MeV" in table
    hits = read_hits(placed)
    summary = summarise(placed)
    assert summary.n_hits == len(hits.energy)
    assert summary.hits_per_shower.value == pytest.approx(len(hits.energy) / 3)
    assert summary.hit_energy_mev.value == pytest.approx(hits.energy.sum() / 3, rel=1e-5)
    assert summary.hit_energy_mev.value < summary.visible_energy_mev.value


def test_a_picture_of_hits_shows_the_layers_they_are_in(placed):
    with ShowerFile(placed) as file:
        shower = file[:1]
        hits, position = file.hits(slice(0, 1)), shower.incident.position[0]
    one = PlacedShower(
        hits, load_placement("ild_siecal"), position, shower.incident.direction[0].astype(float)
    )
    depth = load_detector("ild_siecal").layer_depth_mm[hits.layer]
    assert one.local[:, 2] == pytest.approx(depth, abs=1e-3)
    for layer in range(30):
        x, y = one.local[hits.layer == layer, :2].T
        assert one.is_live(x, y, layer).all()


def test_a_shower_without_hits_is_drawn_in_its_detector(tmp_path, showers):
    incident = Incident(10, (0, 0, 1), position=(0, 1804.7, 0))
    none = Showers([0, 0], [], [], [], [], incident, "x25", "ild_siecal_regular")
    hits = load_placement("ild_siecal").place(none)
    path = tmp_path / "s.h5"
    with ShowerWriter(path, generator="toy", seed=1, hits_detector="ild_siecal") as writer:
        writer.append(none, hits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_file(path, tmp_path / "s.png")
