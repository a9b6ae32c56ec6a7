"""What the optimum generators do to the showers they are fed with."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.representation import grid_offsets
from calozoo_core.showers import Showers
from calozoo_core.testing import ModelContract
from calozoo_optimum import STEPS, X1, X9
from calozoo_optimum.generator import Optimum, inside_box

ILD = load_detector("ild_siecal_regular")
SPLIT = {"x1": 1, "x9": 3}
COLUMNS = ("offsets", "x", "y", "layer", "energy", "time")


def spots(x, y, layer, direction=(0, 0, 1)):
    """One shower of steps of 1 MeV."""
    n = len(x)
    return Showers(
        offsets=[0, n],
        x=x,
        y=y,
        layer=layer,
        energy=np.ones(n),
        incident=Incident(10, direction),
        representation="steps",
        detector="ild_siecal_regular",
    )


# The box.


@pytest.mark.parametrize("layer", [0, 15, 29])
@pytest.mark.parametrize("direction", [(0, 0, 1), (0.8, -0.4, 0.45)])
def test_the_box_is_800_mm_wide_about_the_axis_where_it_crosses_each_layer(layer, direction):
    slope = np.array(direction[:2]) / direction[2]
    axis_x, axis_y = ILD.layer_depth_mm[layer] * slope
    edges = np.array([-400.01, -399.99, 399.99, 400.01])
    x, y = np.concatenate([[edges, np.zeros(4)], [np.zeros(4), edges]], axis=1)

    kept = inside_box(spots(x + axis_x, y + axis_y, [layer] * 8, direction))

    inside = [False, True, True, False] * 2
    np.testing.assert_allclose(kept.x, (x + axis_x)[inside], rtol=1e-6)
    np.testing.assert_allclose(kept.y, (y + axis_y)[inside], rtol=1e-6)


def test_the_box_takes_nothing_from_one_shower_for_another(steps):
    whole = inside_box(steps)
    parts = Showers.concatenate([inside_box(steps[i : i + 1]) for i in range(len(steps))])
    assert 0.9 < len(whole.x) / len(steps.x) < 1
    for column in COLUMNS:
        assert np.array_equal(getattr(whole, column), getattr(parts, column))


def test_showers_without_a_point_stay_without_one():
    assert len(inside_box(spots([], [], [])).x) == 0
    assert len(inside_box(spots([900.0], [0.0], [3])).x) == 0


# What becomes of the showers.


def test_steps_are_the_sources_own_inside_the_box(sprinkler, steps):
    optimum = Optimum.load(STEPS, source=sprinkler)
    made, expected = optimum.generate(steps.incident, seed=6), inside_box(steps)
    for column in COLUMNS:
        assert getattr(made, column).tobytes() == getattr(expected, column).tobytes()


@pytest.mark.parametrize("spec", [X1, X9], ids=lambda spec: spec.name)
def test_points_are_cells_of_a_regular_grid_with_the_energy_of_their_steps(spec, sprinkler, steps):
    made = Optimum.load(spec, source=sprinkler).generate(steps.incident, seed=6)
    kept, pitch = inside_box(steps), ILD.cell_mm / SPLIT[spec.representation]
    shift = grid_offsets(len(steps), ILD.cell_mm, seed=6)
    image = defaultdict(float)
    for i, layer, x, y, energy in zip(
        kept.shower_index, kept.layer, kept.x, kept.y, kept.energy.astype(float), strict=True
    ):
        ix, iy = np.floor((np.float64([x, y]) - shift[i]) / pitch).astype(int)
        image[i, layer, iy, ix] += energy
    cells = sorted(image)
    shower, layer, iy, ix = np.transpose(cells)
    assert np.array_equal(made.shower_index, shower)
    assert np.array_equal(made.layer, layer)
    np.testing.assert_allclose(made.x, (ix + 0.5) * pitch + shift[shower, 0], atol=1e-4)
    np.testing.assert_allclose(made.y, (iy + 0.5) * pitch + shift[shower, 1], atol=1e-4)
    np.testing.assert_allclose(made.energy, [image[cell] for cell in cells], rtol=1e-5)


def test_sub_cells_of_x9_lie_in_cells_of_x1(sprinkler, steps):
    x1, x9 = (Optimum.load(spec, source=sprinkler) for spec in (X1, X9))
    twice = Optimum(X1, x9).generate(steps.incident, seed=6)
    once = x1.generate(steps.incident, seed=6)
    for column in ("offsets", "x", "y", "layer", "time"):
        assert np.array_equal(getattr(twice, column), getattr(once, column))
    np.testing.assert_allclose(twice.energy, once.energy, rtol=1e-6)


def test_positions_of_the_primaries_are_kept(sprinkler):
    incident = Incident([5.0, 6.0], (0, 0, 1), position=[(1, 2, 3), (4, 5, 6)])
    made = Optimum.load(X9, source=sprinkler).generate(incident)
    assert np.array_equal(made.incident.position, incident.position)


@pytest.mark.parametrize("spec", [X1, X9, STEPS])
def test_showers_of_any_numbers_are_made_in_one_call_of_the_source(spec, sprinkler, monkeypatch):
    asked = []
    optimum = Optimum.load(spec, source=sprinkler)
    incident = Incident([2.0, 5.0, 3.0], (0.1, 0, 1))
    numbers = np.array([7, 8, 3])
    alone = [optimum.sample(incident[[i]], 6, int(n)) for i, n in enumerate(numbers)]
    make = sprinkler.sample_numbers

    def counted(*arguments):
        asked.append(arguments[2].tolist())
        return make(*arguments)

    monkeypatch.setattr(sprinkler, "sample_numbers", counted)
    assert optimum.sample_numbers(incident, 6, numbers) == Showers.concatenate(alone)
    assert asked == [[7, 8, 3]]


# What it takes from its source.


def test_conditions_batches_and_name_are_the_sources(sprinkler):
    optimum = Optimum.load(X1, source=sprinkler)
    assert optimum.spec.conditions == sprinkler.spec.conditions
    assert optimum.default_batch_size == sprinkler.default_batch_size
    assert optimum.spec.source == sprinkler.spec.name
    assert optimum.spec.name == X1.name


def test_without_a_source_it_says_so():
    with pytest.raises(InputError, match=r"optimum\.x1 makes no showers of its own; give source="):
        Optimum.load(X1)


@pytest.mark.parametrize("wrong", [{"device": "cuda"}, {"precision": "float32"}])
def test_other_arithmetic_is_refused(wrong, sprinkler):
    with pytest.raises(InputError, match="leave out device and precision"):
        Optimum.load(X1, source=sprinkler, **wrong)


@pytest.mark.parametrize(
    ("fine", "spec"), [("x25", X9), ("x1", X9), ("x1", STEPS), ("x25", STEPS), ("x9", STEPS)]
)
def test_a_source_whose_sub_cells_do_not_nest_is_refused(fine, spec, sprinkler):
    sprinkler.spec = sprinkler.spec.model_copy(update={"representation": fine})
    with pytest.raises(InputError, match=rf"The {fine} points of sprinkler\.test cannot be merged"):
        Optimum.load(spec, source=sprinkler)


def test_a_source_of_another_detector_is_refused(sprinkler):
    sprinkler.spec = sprinkler.spec.model_copy(update={"detector": "ild_siecal"})
    with pytest.raises(DetectorError, match=r"those of sprinkler\.test are of ild_siecal"):
        Optimum.load(X1, source=sprinkler)


def test_closing_it_closes_its_source(sprinkler, monkeypatch):
    closed = []
    monkeypatch.setattr(sprinkler, "close", lambda: closed.append(True))
    Optimum.load(X1, source=sprinkler).close()
    assert closed == [True]


# The contract that every model keeps.


class FedContract(ModelContract):
    visible_fraction = (0.02, 0.03)

    @pytest.fixture
    def load(self, sprinkler):
        return lambda: Optimum.load(self.spec, source=sprinkler)


class TestX1(FedContract):
    spec = X1


class TestX9(FedContract):
    spec = X9


class TestSteps(FedContract):
    spec = STEPS
