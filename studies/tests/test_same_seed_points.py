"""Showers compared as sets of points: the order does not matter, and what is elsewhere is found."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.incident import Incident
from calozoo_core.showers import Showers
from studies.same_seed import points as study
from studies.same_seed.points import NEAR_ENERGY, NEAR_MM, difference

OFFSETS = [0, 300, 1000]


def sample(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Two showers of 300 and 700 points, far enough from each other to be told apart."""
    n = OFFSETS[-1]
    layer = random.integers(0, 30, n).astype(np.uint8)
    x, y = np.arange(n) * 5.0, random.normal(0, 9, n)
    return {"x": x, "y": y, "layer": layer, "energy": random.uniform(0.1, 2, n)}


def showers(columns: dict[str, np.ndarray], offsets=OFFSETS) -> Showers:
    incident = Incident([10, 20], (0, 0, 1))
    return Showers(
        offsets, **columns, incident=incident, representation="x25", detector="ild_siecal_regular"
    )


def test_the_order_and_the_last_digits_do_not_matter() -> None:
    random = np.random.default_rng(1)
    columns = sample(random)
    order = np.concatenate([random.permutation(300), 300 + random.permutation(700)])
    shuffled = {name: values[order] for name, values in columns.items()}
    shuffled["x"] = shuffled["x"] + 0.9 * NEAR_MM
    shuffled["energy"] = shuffled["energy"] * (1 + 0.9 * NEAR_ENERGY)
    found = difference(showers(columns), showers(shuffled))
    assert (found.n_same, found.percent, found.worst_percent) == (2, 0, 0)
    assert found.energy == pytest.approx(0.9 * NEAR_ENERGY, rel=0.02)


@pytest.mark.parametrize("name", ["x", "y", "layer", "energy"])
def test_a_point_that_is_elsewhere_is_found(name) -> None:
    columns = sample(np.random.default_rng(2))
    moved = {key: values.copy() for key, values in columns.items()}
    moved[name][500] = moved[name][500] * 1.1 + 1
    found = difference(showers(columns), showers(moved))
    assert found.n_same == 1
    assert found.percent == pytest.approx(100 * 2 / 2000)
    assert found.worst_percent == pytest.approx(100 * 2 / 1400)


def test_a_point_more_counts_once() -> None:
    columns = sample(np.random.default_rng(3))
    fewer = {name: np.delete(values, 100) for name, values in columns.items()}
    found = difference(showers(columns), showers(fewer, [0, 299, 999]))
    assert found.n_same == 1
    assert found.worst_percent == pytest.approx(100 / 599)


def test_the_table_goes_between_the_marks_of_a_page(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin same-seed -->\n<!-- end same-seed -->\nafter\n")
    study.main(["toy", "-n", "2", "--write", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| `toy.ild-photon` | the same bytes | 2 of 2 | 0 | 0 | 0 |\n" in text
