"""The detector is the published one, and a description that is none is refused by name."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from calozoo_core.detector import list_detectors, load_detector, parse_detector
from calozoo_core.errors import DetectorError

# Distance from the plane of the gun to the middles of the layers, from CaloClouds3's metadata.
PUBLISHED_DEPTH_MM = """
6.9027 10.0276 19.3726 22.4976 31.8425 34.9675 44.3125 47.4375 56.7825 59.9075 69.2525 72.3775
81.7225 84.8475 94.1925 97.3175 106.6625 109.7875 119.1325 122.2575 133.7025 138.9275 150.3726
155.5975 167.0425 172.2675 183.7125 188.9375 200.3825 205.6076
"""

ILD = load_detector("ild_siecal_regular")
REAL = load_detector("ild_siecal")
REAL_TEXT = (files("calozoo_core") / "detectors" / "ild_siecal.toml").read_text("utf-8")
TEXT = (files("calozoo_core") / "detectors" / "ild_siecal_regular.toml").read_text("utf-8")


def test_layers_lie_where_the_published_ones_do_to_a_micrometre():
    published = [float(word) for word in PUBLISHED_DEPTH_MM.split()]
    np.testing.assert_allclose(ILD.layer_depth_mm, published, atol=1e-3)


def test_the_last_layer_ends_where_the_published_one_does():
    last = next(i for i, slab in enumerate(ILD.slabs) if slab.layer == 29)
    end = ILD.face_mm + ILD.slab_front_mm[last] + ILD.slabs[last].thickness_mm
    assert end == pytest.approx(2010.570, abs=1e-3)


def test_the_stack_is_as_thick_as_its_slabs():
    assert ILD.depth_mm == pytest.approx(223.72, abs=1e-9)
    assert ILD.depth_mm == pytest.approx(ILD.slab_front_mm[-1] + ILD.slabs[-1].thickness_mm)


def test_layers_are_numbered_from_the_face():
    assert [s.layer for s in ILD.slabs if s.layer is not None] == list(range(ILD.n_layers))


def test_absorber_is_twenty_thin_and_ten_thick_sheets():
    sheets = [slab.thickness_mm for slab in ILD.slabs if slab.material == "tungsten"]
    assert sheets == [2.1] * 20 + [4.2] * 10


def test_the_field_lies_along_the_local_x_axis():
    assert ILD.field_tesla == (3.5, 0.0, 0.0)


@pytest.mark.parametrize("name", list_detectors())
def test_every_detector_loads_and_uses_all_it_describes(name):
    detector = load_detector(name)
    assert {slab.material for slab in detector.slabs} == set(detector.materials)
    assert np.all(np.diff(detector.layer_depth_mm) > 0)


def test_the_real_detector_has_the_stack_of_the_regular_one():
    assert [(s.material, s.thickness_mm, s.layer) for s in REAL.slabs] == [
        (s.material, s.thickness_mm, s.layer) for s in ILD.slabs
    ]


def test_two_layers_lie_in_each_alveolus_of_the_real_detector():
    layers = {p: [s.layer for s in REAL.slabs if s.alveolus == p] for p in range(15)}
    assert all([2 * p, 2 * p + 1] == [n for n in layers[p] if n is not None] for p in layers)
    assert all(s.alveolus is None for s in ILD.slabs)


def test_towers_are_as_wide_as_the_published_period_of_gaps():
    assert REAL.barrel.tower_mm == pytest.approx(187.36)
    assert REAL.endcap.tower_mm == pytest.approx(187.36)
    assert REAL.wafers.tower_mm(REAL.cell_mm) == pytest.approx(187.36, abs=1e-4)


def test_a_description_of_ones_own_is_a_detector_named_after_its_file(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT, encoding="utf-8")
    mine = load_detector(str(tmp_path / "mine.toml"))
    assert mine.name == "mine"
    assert mine.slabs == ILD.slabs


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 2_000_000])
def test_a_file_that_is_no_description_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"mine\.toml .*\.$"):
        load_detector(str(path))


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("cells = 18", "cells = 19", "the towers of the barrel are 187.360 mm wide"),
        ("guard_mm = 0.5", "guard_mm = -0.5", "guard_mm"),
        ("wall_mm = 0.44", "wall_mm = 2.0", "overlap"),
        ("[endcap]", "[cylinder]\nhalf_length_mm = 10\n[endcap]", "overlaps"),
        ("inner_radius_mm = 400.0", "inner_radius_mm = 4000.0", "smaller"),
        ('alveoli = ["thin"', 'alveoli = ["thin", "thinner"', "'thinner'"),
        ("inner_radius_mm = 1804.8", "inner_radius_mm = 1800.0", "before the face"),
        ("sides = 8", "sides = 2", "sides"),
    ],
)
def test_a_shape_whose_parts_do_not_fit_is_refused_by_name(old, new, word):
    assert old in REAL_TEXT
    with pytest.raises(DetectorError, match=word) as refusal:
        parse_detector("mine", REAL_TEXT.replace(old, new))
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


def test_an_unknown_detector_is_answered_with_the_known_ones():
    with pytest.raises(DetectorError, match=r"there are .*ild_siecal_regular"):
        load_detector("atlas")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("face_mm = 1804.7", "face_mm =", "not TOML"),
        ("face_mm = 1804.7", "face_mm = -1804.7", "face_mm"),
        ("face_mm = 1804.7", "face_mm = nan", "face_mm"),
        ("cell_mm = 5.08", "cell_mm = '5.08 mm' #", "cell_mm"),
        ("cell_mm = ", "cel_mm = ", "cel_mm"),
        ("range_cut_mm = 0.1", "range_cut_mm = inf", "range_cut_mm"),
        ("thickness_mm = 2.1", "thickness_mm = 0", "thickness_mm"),
        ("[3.5, 0.0, 0.0]", "[3.5, 0.0]", "field_tesla"),
        ("density_g_cm3 = 5.19", "density_g_cm3 = -5.19", "density_g_cm3"),
        ("Cu = 0.863", "Cu = 0.963", "mass fractions"),
        ('"front",', '"front", "middle",', "'middle'"),
        ('material = "silicon"', 'material = "silicium"', "'silicium'"),
        (", sensitive = true", "", "0 sensitive layers"),
        ("range_cut_mm = 0.1", "range_cut_mm = 0.1\ncolour = 'red'", "colour"),
    ],
)
def test_a_wrong_description_is_refused_in_one_sentence_that_says_where(old, new, word):
    assert old in TEXT
    with pytest.raises(DetectorError, match=word) as refusal:
        parse_detector("mine", TEXT.replace(old, new))
    message = str(refusal.value)
    assert "mine" in message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_layer_more_than_its_index_can_count_is_refused():
    stack = TEXT.replace('"back",', '"back", ' + '"thin", ' * 128)
    with pytest.raises(DetectorError, match="286 sensitive layers"):
        parse_detector("mine", stack)


def test_absurdly_nested_text_is_refused():
    with pytest.raises(DetectorError, match="not TOML"):
        parse_detector("mine", "a = " + "[" * 100_000)
