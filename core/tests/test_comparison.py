"""Two samples against each other: Geant4 at its own noise floor, and what is no figure."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.frames import axis_offsets
from calozoo_core.incident import Incident
from calozoo_core.metrics.comparison import (
    compare,
    compare_classifier,
    compare_features,
    worst_group,
)
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator, observables
from calozoo_core.observables.cell_features import FEATURE_GROUPS
from calozoo_core.observables.deposits import merged_cells
from calozoo_core.placement import load_placement
from calozoo_core.showers import Showers

ILD = load_detector("ild_siecal_regular")
PER_SHOWER = [name for name, o in observables(ILD).items() if o.per == "shower"]


def tally_of(showers, **options):
    tally = ObservableAccumulator(ILD, **options)
    tally.add(showers)
    return tally


def by_name(figures):
    return {(figure.name, figure.metric): figure for figure in figures}


@pytest.fixture(scope="module")
def parts(geant4_showers):
    """Two tallies of 400 different Geant4 showers each."""
    return tally_of(geant4_showers[:400]), tally_of(geant4_showers[400:])


@pytest.fixture(scope="module")
def figures(parts):
    return by_name(compare(*parts))


def test_all_observables_have_all_figures(figures):
    names = set(observables(ILD))
    assert {name for name, metric in figures if metric == "js"} == names
    assert {name for name, metric in figures if metric == "separation"} == names
    others = {key for key in figures if key[1] in ("l1", "cfd", "width_ratio")}
    others = {(name, metric) for name, metric in others if "@" not in name}
    assert others == {
        ("cells.resolution", "l1"),
        ("cells.linearity", "l1"),
        ("cells.layer_correlation", "cfd"),
        ("cells.voxel_correlation", "cfd"),
        *(
            (f"cells.{what}_{axis}", "width_ratio")
            for what in ("centre", "position")
            for axis in "xy"
        ),
    }
    ratios = {name.partition("@")[0] for name, metric in figures if metric == "ratio"}
    assert ratios == {
        "cells.occupancy",
        "cells.hot_1e-2",
        "cells.hot_1e-3",
        "cells.hot_1e-4",
        "points.neighbour_1.6mm",
        "points.neighbour_3mm",
        "cells.neighbour_adjacent",
    }
    assert all(figure.error is not None for figure in figures.values() if figure.reason is None)


@pytest.mark.parametrize("metric", ["js", "separation"])
def test_geant4_is_at_its_noise_floor(figures, metric):
    chosen = [f for f in figures.values() if f.metric == metric and f.name in PER_SHOWER]
    above = np.array([f.value / f.noise_floor for f in chosen])
    assert len(above) > 15
    # 400 showers are few: the figures are correlated, and each scatters by a third.
    assert np.median(above) == pytest.approx(1, abs=0.4)
    assert above.max() < 2.5


def test_correlations_of_geant4_are_at_their_noise_floor(figures):
    for kind, entries in (("layer", 900), ("voxel", 1000)):
        figure = figures[f"cells.{kind}_correlation", "cfd"]
        assert figure.value / figure.noise_floor == pytest.approx(1, abs=0.5)
        assert figure.n_entries >= entries


def at_50_gev(showers, brighter=1.0):
    """The showers with their energies scaled, as if all primaries had had 50 GeV."""
    scale = np.float32(50 * brighter) / showers.incident.energy
    return replace(
        showers,
        energy=showers.energy * scale[showers.shower_index],
        incident=Incident(50.0, showers.incident.direction),
    )


def test_too_much_energy_stands_out_where_it_must_and_nowhere_else(geant4_showers):
    brighter = tally_of(at_50_gev(geant4_showers[:400], brighter=1.2))
    found = by_name(compare(brighter, tally_of(at_50_gev(geant4_showers[400:]))))
    response = found["points.response", "js"]
    assert response.value > response.noise_floor + 5 * response.error
    linearity = found["cells.linearity", "l1"]
    assert linearity.value == pytest.approx(0.2, abs=5 * linearity.error)
    assert linearity.n_entries == 1
    layers = found["points.layer_energy", "js"]
    assert layers.value < 5 * layers.noise_floor
    resolution = found["cells.resolution", "l1"]
    assert (resolution.n_generated, resolution.n_reference) == (400, 400)
    assert resolution.value < 4 * resolution.noise_floor


def test_equal_samples_are_at_no_distance(parts):
    for figure in compare(parts[0], parts[0]):
        least = 1 if figure.metric.endswith("ratio") else 0
        assert figure.reason is not None or figure.value == pytest.approx(least, abs=1e-12)


def test_every_figure_survives_json(figures):
    for figure in figures.values():
        assert MetricResult.model_validate_json(figure.model_dump_json()) == figure


def test_points_of_other_representations_are_not_compared_but_their_cells_are(
    geant4_showers, parts
):
    found = by_name(compare(tally_of(replace(geant4_showers[:400], representation="x9")), parts[1]))
    points = found["points.spectrum", "js"]
    assert points.value is None
    assert points.reason == "Points of x9 and x25 showers cannot be compared; their cells can."
    assert found["cells.spectrum", "js"].value > 0


def test_figures_of_few_showers_say_so(geant4_showers, parts):
    found = by_name(compare(tally_of(geant4_showers[:19]), parts[1]))
    assert found["cells.spectrum", "js"].reason == (
        "19 generated showers are too few; this figure needs 20."
    )
    found = by_name(compare(tally_of(geant4_showers[:40]), parts[1]))
    assert found["cells.spectrum", "js"].value > 0
    assert "40 generated showers are too few" in found["cells.layer_correlation", "cfd"].reason
    assert "At no energy are there 50" in found["cells.resolution", "l1"].reason


def test_samples_without_showers_or_without_energy_give_reasons_only(parts):
    empty = Showers(
        offsets=np.zeros(101, np.int64),
        x=[],
        y=[],
        layer=[],
        energy=[],
        incident=Incident(np.linspace(10, 100, 100), (0, 0, 1)),
        representation="x25",
        detector=ILD.name,
    )
    for pair in (
        (ObservableAccumulator(ILD), parts[1]),
        (parts[1], ObservableAccumulator(ILD)),
        (ObservableAccumulator(ILD), ObservableAccumulator(ILD)),
    ):
        assert all(figure.value is None for figure in compare(*pair))
    found = by_name(compare(tally_of(empty), parts[1]))
    assert "generated showers have anything" in found["cells.spectrum", "js"].reason
    assert "0 generated showers are too few" in found["cells.centre_x", "js"].reason
    assert "No layer has an energy that changes" in found["cells.layer_correlation", "cfd"].reason
    assert "At no energy" in found["cells.linearity", "l1"].reason
    # That nothing was seen is a measurement: every shower has occupancy 0.
    assert found["cells.occupancy", "js"].value == pytest.approx(np.log(2), rel=0.05)
    assert all(
        figure.reason
        for figure in compare(tally_of(empty), tally_of(empty))
        if not figure.name.endswith(("occupancy", "visible_energy", "response"))
    )


def test_other_detectors_cells_or_thresholds_are_not_compared(parts):
    with pytest.raises(DetectorError, match="made for par04_siw"):
        compare(ObservableAccumulator("par04_siw"), parts[1])
    with pytest.raises(DetectorError, match="read out in ild_siecal cannot be compared"):
        compare(ObservableAccumulator(ILD, placement=load_placement("ild_siecal")), parts[1])
    with pytest.raises(
        InputError, match=r"above 0\.2 MeV cannot be compared with cells above 0\.1"
    ):
        compare(ObservableAccumulator(ILD, threshold_mev=0.2), parts[1])


def test_features_of_few_showers_have_no_distances(parts):
    fpd, kpd = compare_features(*parts)
    assert fpd.reason == kpd.reason
    assert "400 showers are too few" in fpd.reason
    with pytest.raises(InputError, match="No metric is called 'wasserstein'; there are fpd"):
        compare_features(*parts, metrics=["wasserstein"])


# Ratios


def test_ratios_of_geant4_to_itself_are_one_within_their_errors(figures):
    ratios = [f for f in figures.values() if f.metric.endswith("ratio") and f.value is not None]
    assert len(ratios) > 25
    apart = np.array([(f.value - 1) / f.error for f in ratios])
    assert np.abs(apart).max() < 5
    assert 0.4 < apart.std() < 2
    floors = np.array([f.noise_floor / f.error for f in ratios])
    assert 0.2 < np.median(floors) < 1.5
    for figure in ratios:
        assert figure.value == pytest.approx(figure.generated_value / figure.reference_value)


def test_error_of_a_ratio_is_its_scatter(geant4_showers):
    """Twenty samples of 40 showers, against all of them."""
    truth = tally_of(geant4_showers, levels=("cells",))
    found = [
        by_name(compare(tally_of(geant4_showers[k : k + 40], levels=("cells",)), truth))
        for k in range(0, 800, 40)
    ]
    for key in (("cells.occupancy", "ratio"), ("cells.centre_y", "width_ratio")):
        scatter = np.std([one[key].value for one in found], ddof=1)
        assert np.mean([one[key].error for one in found]) == pytest.approx(scatter, rel=0.6)


def test_hot_cells_of_scaled_energies_are_those_above_a_lower_threshold(geant4_showers):
    sample, scale = at_50_gev(geant4_showers[:200]), 1.3
    truth = tally_of(sample, threshold_mev=0.0, levels=("cells",))
    brighter = tally_of(
        at_50_gev(geant4_showers[:200], brighter=scale), threshold_mev=0.0, levels=("cells",)
    )
    found = by_name(compare(brighter, truth))
    cells = merged_cells(sample, ILD, threshold_mev=0.0).energy
    for share in (1e-2, 1e-3):
        figure = found[f"cells.hot_{'1e-2' if share == 1e-2 else '1e-3'}", "ratio"]
        threshold = np.quantile(cells, 1 - share)
        expected = (cells * scale > threshold).sum() / (cells > threshold).sum()
        assert figure.value == pytest.approx(expected, rel=0.03)
        assert figure.reference_value == pytest.approx(share * len(cells) / 200, rel=0.05)


def test_narrow_centres_and_missing_cells_show_in_their_ratios(geant4_showers):
    """Showers half as wide as they are."""
    showers = at_50_gev(geant4_showers[:200])
    truth = tally_of(showers)
    found = by_name(compare(tally_of(towards_the_axis(showers, 0.5)), truth))
    for name in ("cells.centre_x", "cells.centre_y", "cells.position_x", "cells.position_y"):
        # A cell is 5 mm wide: the position of its middle blurs that of its points.
        assert found[name, "width_ratio"].value == pytest.approx(0.5, abs=0.1)
    cells = found["cells.occupancy", "ratio"]
    assert cells.value < 1 - 5 * cells.error
    assert found["cells.occupancy@50GeV", "ratio"].value < 0.9


def towards_the_axis(showers, share):
    ax, ay = axis_offsets(showers, ILD)
    x, y = (a + share * (v - a) for a, v in ((ax, showers.x), (ay, showers.y)))
    return replace(showers, x=x.astype(np.float32), y=y.astype(np.float32))


def test_points_without_neighbours_are_found(geant4_showers):
    """Every point turned about the axis by an angle of its own: nothing else changes in a ring."""
    showers = geant4_showers[:200]
    ax, ay = axis_offsets(showers, ILD)
    turn = np.random.default_rng(1).uniform(0, 2 * np.pi, len(showers.x))
    dx, dy = showers.x - ax, showers.y - ay
    x = ax + dx * np.cos(turn) - dy * np.sin(turn)
    y = ay + dx * np.sin(turn) + dy * np.cos(turn)
    turned = replace(showers, x=x.astype(np.float32), y=y.astype(np.float32))
    found = by_name(compare(tally_of(turned), tally_of(showers)))
    far = found["points.neighbour_1.6mm@40-80mm", "ratio"]
    assert far.reference_value == pytest.approx(0.55, abs=0.03)
    assert far.value < 0.1
    assert found["cells.neighbour_adjacent@40-80mm", "ratio"].value < 0.9
    assert found["points.neighbour_3mm@0-5mm", "ratio"].value == pytest.approx(1, abs=0.01)


# Classifier


@pytest.mark.slow
def test_classifier_cannot_tell_geant4_from_itself(parts):
    pytest.importorskip("sklearn")
    figures = compare_classifier(*parts)
    assert [f.name for f in figures] == [
        "cells.classifier",
        *(f"cells.classifier.{group}" for group in FEATURE_GROUPS),
    ]
    for figure in figures:
        assert abs(figure.value - 0.5) < 5 * figure.error + 0.05
        assert abs(figure.noise_floor - 0.5) < 0.12
        assert len(figure.telling_features) == 3
        assert MetricResult.model_validate_json(figure.model_dump_json()) == figure


def test_classifier_names_the_worst_group_and_its_most_telling_feature(geant4_showers, parts):
    """Showers with more energy in layer 12, and nothing else."""
    pytest.importorskip("sklearn")
    sample = geant4_showers[:200]
    in_layer = np.where(sample.layer == 12, np.float32(1.6), np.float32(1))
    changed = tally_of(replace(sample, energy=sample.energy * in_layer), levels=("cells",))
    truth = tally_of(geant4_showers[400:600], levels=("cells",))
    figures = compare_classifier(changed, truth)  # halves of 100: no floor
    worst = worst_group(figures)
    assert worst.name == "cells.classifier.layers"
    assert worst.value > 0.8
    assert next(iter(worst.telling_features)) == "energy of layer 12"
    assert figures[0].value > 0.75
    assert worst.noise_floor is None


def test_classifier_of_few_showers_says_so(geant4_showers, parts):
    pytest.importorskip("sklearn")
    for figure in compare_classifier(tally_of(geant4_showers[:199], levels=("cells",)), parts[1]):
        assert figure.value is None
        assert figure.reason == "199 showers are too few to train on; give at least 200."
    assert worst_group(()) is None


def test_classifier_without_scikit_learn_says_what_to_type(parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    figures = compare_classifier(*parts)
    assert all("pip install 'calozoo-core[classifier]'" in figure.reason for figure in figures)
    assert worst_group(figures) is None
