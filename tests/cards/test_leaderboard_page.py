"""The page of the leaderboard, and the picture of speed against fidelity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up_cards import figure, measurements, with_structure

from calozoo.cards.card import (
    read_cards,
)
from calozoo.cards.leaderboard_page import leaderboard_page, page_data, reproducing_command
from calozoo.cards.speed_fidelity import (
    SpeedFidelity,
    description,
    draw_speed_fidelity,
    pareto_front,
    plot_speed_fidelity,
    speed_and_fidelity,
)
from calozoo_core.errors import InputError

ROOT = Path(__file__).parents[2]


def linked(name: str) -> str:
    return f"cards/{name}"


def test_page_gives_value_error_floor_paper_card_and_command_of_a_row():
    one = with_structure("caloclouds3.test", 0.99, 1.22)
    data = page_data([one], linked)
    (model,) = data["models"]
    assert model["card"] == "cards/caloclouds3.test"
    assert model["command"] == reproducing_command(one)
    assert one.machine.processor in model["hardware"]
    values = data["values"]["caloclouds3.test"]
    profile = values["cells.radial_energy_30/js"]
    assert (profile["value"], profile["error"]) == (pytest.approx(8), pytest.approx(0.8))
    assert profile["floor"] == pytest.approx(0.2)
    paper = next(p for p in profile["papers"] if p["where"] == "Full physics benchmark, Table I")
    assert paper["value"] == pytest.approx(2.24)
    assert values["worst_group"]["detail"] == "rings"
    assert values["cost/single_ms"]["value"] == 2.0


@pytest.mark.parametrize(
    ("name", "value", "metric", "floor", "is_within"),
    [
        ("cells.spectrum", 3.9e-5, "js", 2e-5, True),
        ("cells.spectrum", 4.1e-5, "js", 2e-5, False),
        ("cells.occupancy", 0.97, "ratio", 0.02, True),
        ("cells.occupancy", 1.05, "ratio", 0.02, False),
        ("cells.classifier", 0.51, "auc", 0.5, True),
        ("cells.classifier", 0.7, "auc", 0.5, False),
    ],
)
def test_what_lies_within_the_noise_floor(name, value, metric, floor, is_within):
    plain = measurements()
    error = 0.01 if metric == "auc" else value / 10
    found = figure(name, value, metric).model_copy(update={"noise_floor": floor, "error": error})
    only = plain.fidelity[0].model_copy(update={"figures": (found,)})
    data = page_data([plain.model_copy(update={"fidelity": (only,)})], linked)
    assert data["values"]["caloclouds3.test"][f"{name}/{metric}"]["within"] is is_within


def test_page_knows_every_figure_it_shows_values_of():
    data = page_data(read_cards(), linked)
    known = {figure["id"] for figure in data["figures"]}
    assert set(data["shown"]) <= known
    for values in data["values"].values():
        assert set(values) <= known


@pytest.mark.parametrize("one", read_cards(), ids=lambda one: one.spec.name)
def test_command_that_reproduces_a_row_is_a_command(one):
    from calozoo.cli import cli

    words = reproducing_command(one).split()
    assert words[:3] == ["calozoo", "benchmark", one.spec.name]
    with cli.make_context("calozoo", words[1:2]) as calozoo:
        # Below its group, or it would keep another help option for the tests that come after.
        benchmark = cli.get_command(calozoo, "benchmark")
        context = benchmark.make_context("benchmark", words[2:], parent=calozoo)
    assert context.params["models"] == (one.spec.name,)
    assert context.params["showers"] * len(one.sample.energies_gev) == one.sample.n_showers


def test_page_is_safe_from_what_names_hold():
    measured = measurements()
    odd = measured.model_copy(
        update={"sample": measured.sample.model_copy(update={"reference": "</script><b>&.h5"})}
    )
    page = leaderboard_page([odd], linked)
    assert "</script><b>" not in page
    text = page.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(text)["models"][0]["sample"].endswith("of </script><b>&.h5")


def test_pareto_front_has_those_that_nobody_beats():
    points = [
        SpeedFidelity("slow and good", 10, 0.6, 0.01),
        SpeedFidelity("beaten", 5, 0.9, 0.01),
        SpeedFidelity("fast", 1, 0.9, 0.01),
        SpeedFidelity("slower, as good", 20, 0.6, 0.01),
    ]
    assert [point.model for point in pareto_front(points)] == ["fast", "slow and good"]
    assert pareto_front([]) == ()


def test_the_front_is_drawn_over_all_its_models_and_the_legend_on_nothing():
    slow = SpeedFidelity("slow", 30, 0.71, 0.01)
    points = [SpeedFidelity("fast", 2, 0.99, 0.01), SpeedFidelity("even", 9, 0.72, 0.01), slow]
    figure = draw_speed_fidelity([*points, SpeedFidelity("beaten", 9, 0.8, 0.01)])
    (axes,) = figure.axes
    (front,) = (line for line in axes.lines if line.get_label() == "Pareto front")
    drawn = list(zip(*front.get_data(), strict=True))
    assert drawn[1:-1] == [(point.milliseconds, point.auc) for point in points]
    assert drawn[0] == (2, axes.get_ylim()[1])
    assert drawn[-1] == (axes.get_xlim()[1], slow.auc)
    figure.draw_without_rendering()
    legend = axes.get_legend().get_window_extent()
    assert legend.y0 >= axes.get_window_extent().y1
    assert legend.y1 <= figure.bbox.y1


def test_picture_of_the_readme_shows_the_numbers_of_the_cards():
    from PIL import Image

    with Image.open(ROOT / "docs" / "images" / "speed_fidelity.png") as picture:
        assert picture.text["Description"] == description(speed_and_fidelity(read_cards()))


def test_no_times_are_no_picture(tmp_path):
    with pytest.raises(InputError, match="calozoo benchmark"):
        plot_speed_fidelity([measurements()], tmp_path / "speed.png")
