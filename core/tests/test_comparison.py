"""Two samples against each other: Geant4 at its own noise floor, and what is no figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.metrics.comparison import compare, compare_features
from calozoo_core.metrics.result import MetricResult
from calozoo_core.observables import ObservableAccumulator, observables
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
    others = {key for key in figures if key[1] in ("l1", "cfd")}
    assert others == {
        ("cells.resolution", "l1"),
        ("cells.linearity", "l1"),
        ("cells.layer_correlation", "cfd"),
        ("cells.voxel_correlation", "cfd"),
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
        assert figure.reason is not None or figure.value == pytest.approx(0, abs=1e-12)


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


def test_features_of_few_showers_have_an_auc_and_no_distances(parts):
    pytest.importorskip("sklearn")
    fpd, kpd, auc = compare_features(*parts)
    assert fpd.reason == kpd.reason
    assert "400 showers are too few" in fpd.reason
    assert (auc.n_generated, auc.n_entries) == (400, 44)
    assert abs(auc.value - 0.5) < 5 * auc.error + 0.03
    assert abs(auc.half_floor - 0.5) < 0.15
    with pytest.raises(InputError, match="No metric is called 'wasserstein'; there are fpd"):
        compare_features(*parts, metrics=["wasserstein"])
