"""The solids of a detector fit into one another, as numbers and in Geant4 itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.detector import Detector, load_detector, parse_detector
from calozoo_core.errors import DetectorError
from calozoo_geant4.data_sets import data_environment
from calozoo_geant4.layout import CylinderFrame, layout
from calozoo_geant4.solids import Box, PlacedVolume, Prism, Trapezoid, Volume, check_boxes

ILD = load_detector("ild_siecal")


def _inside(volume: Volume, name: str) -> list[tuple[Volume, PlacedVolume]]:
    """Every part of this name, wherever it lies, with what it lies in."""
    found = [(volume, placed) for placed in volume.daughters if placed.volume.name == name]
    for inner in {id(placed.volume): placed.volume for placed in volume.daughters}.values():
        found += _inside(inner, name)
    return found


def _body(detector: Detector, name: str) -> Volume:
    return next(placed.volume for placed in layout(detector).volumes if placed.volume.name == name)


def test_there_are_eight_staves_and_at_either_end_four_quadrants():
    names = [placed.volume.name for placed in layout(ILD).volumes]
    assert names.count("stave") == 8
    assert names.count("quadrant") == 2 * 4
    assert len({id(placed.volume) for placed in layout(ILD).volumes}) == 2


def test_stave_is_a_trapezoid_that_ends_on_the_back_of_its_neighbour():
    solid = _body(ILD, "stave").solid
    assert isinstance(solid, Trapezoid)
    depth = ILD.depth_mm - 0.1
    assert 2 * solid.half_z_mm == pytest.approx(depth)
    width = 2 * 747.573 + np.sqrt(2) * (depth - 14.91)
    assert 2 * solid.half_y_front_mm == pytest.approx(width, abs=1e-3)
    assert 2 * solid.half_y_back_mm == pytest.approx(width - 2 * depth, abs=1e-3)
    assert 2 * solid.half_x_mm == pytest.approx(4700)


def test_slabs_are_as_wide_as_their_tower_less_its_walls():
    stave = _body(ILD, "stave")
    slabs, plates = _inside(stave, "alveolus"), _inside(stave, "plate of tungsten")
    assert (len(slabs), len(plates)) == (15 * 25, 15 * 5)
    for _, slab in slabs:
        assert 2 * slab.volume.solid.half_mm[0] == pytest.approx(187.36 - 0.88, abs=1e-3)
    for _, plate in plates:
        assert 2 * plate.volume.solid.half_mm[0] == pytest.approx(940 - 0.84)


def test_every_wafer_is_whole_cells_and_full_but_for_the_last_of_its_slab():
    for body in ("stave", "quadrant"):
        sizes = {placed.volume.solid.half_mm for _, placed in _inside(_body(ILD, body), "wafer")}
        side = 18 * ILD.cell_mm / 2
        cells = sorted(round(2 * half[1] / ILD.cell_mm, 6) for half in sizes)
        assert all(half[0] == pytest.approx(side) for half in sizes)
        assert all(count == round(count) and 1 <= count <= 18 for count in cells)
        assert cells[-1] == 18


def test_silicon_fills_96_7_percent_of_a_stave_but_for_its_ends():
    stave = _body(ILD, "stave")
    alveolus = max(
        (p.volume for _, p in _inside(stave, "alveolus")), key=lambda v: len(v.daughters)
    )
    wafer = max((p.volume.solid.half_mm for _, p in _inside(stave, "wafer")), key=lambda h: h[1])
    side = 2 * wafer[0]
    assert side**2 * 2 / (92.59 * 187.36) == pytest.approx(0.967, abs=0.0005)
    assert len([placed for placed in alveolus.daughters if placed.volume.name == "wafer"]) > 60


def test_silicon_is_all_that_is_sensitive():
    def sensitive(volume: Volume) -> set[tuple[str, str | None]]:
        own = {(volume.name, volume.material)} if volume.is_sensitive else set()
        return own.union(*(sensitive(placed.volume) for placed in volume.daughters))

    world = Volume("world", Box((1e4, 1e4, 1e4)), None, daughters=layout(ILD).volumes)
    assert sensitive(world) == {("wafer", "silicon")}


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (((0, 0, 0.5), (0, 0, 1.4)), "a small box and a small box overlap in their large box"),
        (((0, 0, 9.6),), "a small box sticks out of its large box"),
        (((0, -9.6, 0),), "a small box sticks out"),
    ],
)
def test_boxes_that_overlap_or_stick_out_are_named(positions, words):
    small = Volume("small box", Box((0.5, 0.5, 0.5)), None)
    large = Volume(
        "large box",
        Box((10, 10, 10)),
        None,
        daughters=tuple(PlacedVolume(small, at) for at in positions),
    )
    with pytest.raises(DetectorError, match=f"In detector mine {words}"):
        check_boxes("mine", large)


def test_boxes_that_touch_do_not_overlap():
    small = Volume("small box", Box((0.5, 0.5, 0.5)), None)
    parts = tuple(PlacedVolume(small, (0.0, 0.0, z)) for z in (-0.5, 0.5, 1.5))
    check_boxes("mine", Volume("large box", Box((0.5, 0.5, 2)), None, daughters=parts))


@pytest.mark.parametrize(
    ("solid", "at", "fits"),
    [
        (Trapezoid(5, 5, 1, 5), (0, 3, -4), True),
        (Trapezoid(5, 5, 1, 5), (0, 3, 4), False),
        (Prism(((0, 0), (10, 0), (0, 10)), 5), (2, 2, 0), True),
        (Prism(((0, 0), (10, 0), (0, 10)), 5), (6, 6, 0), False),
    ],
)
def test_slanted_sides_are_looked_at(solid, at, fits):
    small = Volume("small box", Box((0.5, 0.5, 0.5)), None)
    outer = Volume("body", solid, None, daughters=(PlacedVolume(small, at),))
    if fits:
        check_boxes("mine", outer)
    else:
        with pytest.raises(DetectorError, match="sticks out of its body"):
            check_boxes("mine", outer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plug_mm": 5000.0}, "no room"),
        ({"wall_mm": 94.0}, "no room"),
        ({"wall_mm": 2.0}, "a wafer sticks out of its alveolus"),
        ({"alveoli": frozenset({"thin"})}, "layer 20 is in no alveolus"),
    ],
)
def test_wafers_that_do_not_fit_are_refused_in_one_sentence(change, words):
    wafers = ILD.wafers.model_copy(update=change)
    detector = replace(ILD, wafers=wafers)
    if "alveoli" in change:
        slabs = tuple(
            replace(s, alveolus=None) if (s.alveolus or 0) >= 10 else s for s in ILD.slabs
        )
        detector = replace(detector, slabs=slabs)
    with pytest.raises(DetectorError, match=words) as refusal:
        layout(detector)
    assert str(refusal.value).endswith(".")


def test_stack_too_thick_for_its_staves_is_refused():
    barrel = ILD.barrel.model_copy(update={"inner_radius_mm": 1804.8, "sides": 64})
    with pytest.raises(DetectorError, match="too thick"):
        layout(replace(ILD, barrel=barrel))


def test_point_of_a_cylinder_is_measured_along_its_arc():
    frame = CylinderFrame(800.0)
    radius, angle = 850.0, 0.1
    point = np.array([[25.0, radius * np.sin(angle), radius * np.cos(angle)]])
    local, is_inside = frame.local(point, 5.0, 0.0)
    assert local[0].tolist() == pytest.approx([20.0, radius * angle, 50.0])
    assert is_inside.all()


WITHOUT_WAFERS = """
summary = "a barrel of plain staves with plain ends"
face_mm = 100.0
cell_mm = 5.0
field_tesla = [1.0, 0.0, 0.0]
range_cut_mm = 0.7
stack = ["pair", "pair", "pair", "back"]
[barrel]
sides = 6
inner_radius_mm = 100.0
half_length_mm = 90.0
modules = 2
towers_per_module = 1
lateral_mm = 1.0
support_mm = 4.0
[endcap]
face_mm = 120.0
inner_radius_mm = 20.0
outer_radius_mm = 90.0
modules = 1
towers_per_module = 1
lateral_mm = 1.0
[materials]
tungsten = "G4_W"
silicon = "G4_Si"
[sections]
pair = [
  { material = "tungsten", thickness_mm = 2.0 },
  { material = "silicon", thickness_mm = 0.5, sensitive = true },
]
back = [{ material = "tungsten", thickness_mm = 4.0 }]
"""


@pytest.mark.parametrize("name", ["ild_siecal", "ild_siecal_regular", "par04_siw", "plain"])
def test_geant4_finds_no_overlaps(geant4_data, tmp_path, name):
    if name == "plain":
        parse_detector("plain", WITHOUT_WAFERS)
        (tmp_path / "plain.toml").write_text(WITHOUT_WAFERS)
        name = str(tmp_path / "plain.toml")
    assert _overlaps(name, tmp_path / "found") == "[] True"


def test_geant4_would_find_overlaps(geant4_data, tmp_path):
    spoil = (
        "from calozoo_geant4 import layout as where\n"
        "where.check_boxes = lambda *_: None\n"
        "wafers = detector.wafers.model_copy(update={'guard_mm': -1.0})\n"
        "detector = replace(detector, wafers=wafers)\n"
    )
    assert "wafer" in _overlaps("ild_siecal", tmp_path / "found", spoil)


def _overlaps(name: str, result, change: str = "") -> str:
    """What Geant4's own check finds, in a process of its own; and whether there were parts."""
    code = (
        "import sys\nfrom dataclasses import replace\nfrom pathlib import Path\n"
        "from calozoo_core.detector import load_detector\n"
        "from calozoo_geant4.simulation import Simulation\n"
        f"detector = load_detector({name!r})\n{change}"
        "geometry = Simulation(detector).geometry\n"
        "found = sorted(set(geometry.overlaps()))\n"
        f"Path({str(result)!r}).write_text(f'{{found}} {{geometry.n_placed > 5}}')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | data_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return result.read_text()
