"""Cards and leaderboards hold nothing but measurements, and the Hub can read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from calozoo.benchmark.measurements import (
    EnergyRatios,
    EnergyTimes,
    Fidelity,
    Machine,
    Measurements,
    Memory,
    SampleDescription,
    Timing,
    read_measurements,
)
from calozoo.cards.card import (
    add_physics,
    card_markdown,
    find_card,
    own_cards,
    read_cards,
    write_card,
)
from calozoo.cards.leaderboard import (
    LeaderboardRow,
    LeaderboardValue,
    leaderboard,
    leaderboard_markdown,
)
from calozoo.cards.leaderboard_page import leaderboard_page, page_data, reproducing_command
from calozoo.cards.speed_fidelity import (
    SpeedFidelity,
    description,
    pareto_front,
    plot_speed_fidelity,
    speed_and_fidelity,
)
from calozoo.cli.benchmark import _with_rest_of_card
from calozoo.cli.cards import card_text, leaderboard_text
from calozoo.physics.results import PhysicsResult, PhysicsSample
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.metrics.result import MetricResult

ROOT = Path(__file__).parents[2]
CARDS = sorted(own_cards().glob("*/measurements.json"))


def spec(name: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        summary="A model: with a colon, and 'quotes'.",
        factory="nowhere:Nothing",
        representation="x25",
        detector="ild_siecal_regular",
        conditions=Conditions(energy_gev=(1, 127), theta_deg=(0, 60)),
        license="Apache-2.0",
        papers=("https://arxiv.org/abs/2511.01460",),
    )


def figure(name: str, value: float | None, metric: str = "js") -> MetricResult:
    return MetricResult(
        name=name,
        metric=metric,
        value=value,
        error=None if value is None else abs(value) / 10,
        noise_floor=None if value is None else 2e-5,
        n_generated=100,
        n_reference=100,
        reason="Too few." if value is None else None,
    )


def with_structure(name: str, auc: float, cells: float) -> Measurements:
    """Measurements with a classifier and ratios."""

    def classifier(group: str, value: float) -> MetricResult:
        telling = {f"first of {group}": 0.9, f"second of {group}": 0.8}
        found = figure(f"cells.classifier{group}", value, "auc")
        return found.model_copy(update={"telling_features": telling, "noise_floor": 0.51})

    def ratio(name: str, value: float, metric: str = "ratio") -> MetricResult:
        values = {"generated_value": 0.5 * value, "reference_value": 0.5}
        return figure(name, value, metric).model_copy(update=values)

    figures = (
        classifier("", auc),
        classifier(".rings", auc - 0.01),
        classifier(".hottest_cells", 0.52),
        ratio("cells.occupancy", cells),
        ratio("cells.occupancy@50GeV", cells),
        ratio("cells.centre_x", 0.9, "width_ratio"),
        ratio("cells.hot_1e-3", 1.1),
        ratio("points.neighbour_1.6mm@40-80mm", 0.04),
        ratio("cells.neighbour_adjacent@40-80mm", 0.7),
    )
    plain = measurements(name)
    (fidelity,) = plain.fidelity[:1]
    more = fidelity.model_copy(update={"figures": fidelity.figures + figures})
    sample = plain.sample.model_copy(update={"reference_sha256": "0123456789abcdef" * 4})
    return plain.model_copy(update={"fidelity": (more,), "sample": sample})


def measurements(name: str = "caloclouds3.test", value: float = 4e-4, ms: float = 2.0):
    figures = (
        figure("cells.layer_energy", value),
        figure("cells.radial_energy_30", 2 * value),
        figure("cells.linearity", value, "l1"),
        figure("cells.resolution", None, "l1"),
        figure("points.spectrum", value),
    )
    row = EnergyTimes(
        energy_gev=10,
        single_ms=ms,
        batched_ms=ms / 4,
        single_placed_ms=2 * ms,
        batched_placed_ms=ms / 2,
        geant4_ms=150,
        speedups=(150 / ms, 600 / ms, 75 / ms, 300 / ms),
    )
    ratios = EnergyRatios(
        low_gev=10,
        high_gev=10,
        n_generated=100,
        n_reference=100,
        visible_energy=(1.01, 0.02),
        hits=(0.99, 0.01),
    )
    return Measurements(
        spec=spec(name),
        precision="float32",
        parameters=1234,
        weights_bytes=5000,
        machine=Machine.here(),
        sample=SampleDescription(
            n_showers=100,
            energies_gev=(10, 20),
            theta_deg=(43, 137),
            phi_deg=(79, 109),
            detector="ild_siecal",
            threshold_mev=0.1,
            reference="geant4.ild-siecal",
            points_reference="geant4.ild-siecal-regular",
            seed=0,
        ),
        fidelity=(Fidelity(precision="float32", figures=figures, ratios=(ratios,)),),
        timings=(
            Timing(
                precision="float32",
                threads=1,
                rounds=3,
                batch_size=64,
                geant4="geant4.ild-siecal-regular",
                load=0.1,
                energies=(row,),
            ),
        ),
        memory=Memory(n_showers=100, peak_mb=300, interpreter_mb=10, startup_s=2.5),
        notes=("A note.",),
    )


# The cards that are there


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_no_number_in_a_card_is_typed(path):
    measured = read_measurements(path)
    assert measured.as_json() == path.read_text()
    assert card_markdown(measured) == (path.parent / "README.md").read_text()
    assert measured.spec.name == path.parent.name


def test_there_are_cards():
    assert CARDS


def test_no_number_in_the_leaderboard_is_typed():
    board = leaderboard(read_cards())
    assert leaderboard_markdown(board) == (ROOT / "docs" / "leaderboard.md").read_text()


# What the Hub reads


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_hub_reads_every_card(path):
    check_front_matter(read_measurements(path))


def test_hub_reads_licence_tags_and_every_result():
    check_front_matter(measurements())


def check_front_matter(measured: Measurements) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(card_markdown(measured)).data
    assert data.license == measured.spec.license.lower()
    assert data.library_name == "calozoo"
    assert measured.spec.architecture in data.tags
    assert data.model_name == measured.spec.name
    results = {result.metric_name: result for result in data.eval_results}
    for wanted in measured.fidelity[0].figures:
        found = results.get(f"Jensen-Shannon divergence of {wanted.name}, nat")
        if wanted.metric == "js" and wanted.value is not None:
            assert found is not None
            assert found.metric_value == wanted.value
            assert measured.sample.detector in found.dataset_type
    types = {result.metric_type: result.metric_value for result in data.eval_results}
    if measured.timings:
        timing = measured.timings[0]
        assert types.get("speed-up-single-placed") == timing.placed_speedup
        assert types["milliseconds-batched"] == timing.mean_ms(lambda row: row.batched_ms)
    if measured.memory is not None:
        assert types["peak-memory"] == measured.memory.peak_mb
    # What the Hub needs of a result, and would refuse a card without.
    assert all(r.task_type and r.dataset_type and r.dataset_name for r in data.eval_results)


# The page


def test_card_names_the_papers_own_figure_beside_ours():
    text = card_markdown(measurements())
    assert (
        "| longitudinal energy profile | 1e-4 nat | 4.00 ± 0.40 | 0.2 | 0.050 ± 0.011 [1]" in text
    )
    assert "[1] <https://arxiv.org/abs/2511.17293>, Full physics benchmark, Table I" in text
    assert "0.09 ± 0.04 (no unit printed)" in text
    assert "reports 129.29x" in text


def test_card_says_why_a_figure_is_missing():
    text = card_markdown(measurements())
    assert "| energy resolution | % | - | - |" in text
    assert "Not given: Too few." in text


def test_card_warns_of_primaries_outside_the_training():
    measured = measurements()
    outside = measured.fidelity[0].model_copy(update={"extrapolated": True})
    text = card_markdown(measured.model_copy(update={"fidelity": (outside,)}))
    assert "outside what the model was trained on" in text
    assert "outside what" not in card_markdown(measured)


def test_terminal_sees_columns_and_no_front_matter():
    text = card_text(card_markdown(measurements()))
    assert text.startswith("\x1b[1mcaloclouds3.test\x1b[0m")
    assert "|" not in text
    assert "model-index" not in text


def test_card_and_measurements_are_read_back(tmp_path):
    folder = write_card(tmp_path, measurements())
    assert read_measurements(folder / "measurements.json") == measurements()
    assert find_card("caloclouds3", tmp_path) == folder
    assert [one.spec.name for one in read_cards(tmp_path)] == ["caloclouds3.test"]
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "measurements.json"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"surprise": 1}, "surprise"),
        ({"version": 1}, "version"),
        ({"precision": None}, "precision"),
        ({"fidelity": []}, "fidelity"),
        ({"memory": {"n_showers": 1}}, "memory"),
    ],
)
def test_measurements_that_are_not_ours_are_refused(change, where, tmp_path):
    broken = tmp_path / "measurements.json"
    broken.write_text(json.dumps(json.loads(measurements().as_json()) | change))
    with pytest.raises(CalozooError, match=rf"\({where}"):
        read_measurements(broken)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValidationError):
        Memory(n_showers=1, peak_mb=float("nan"), interpreter_mb=1, startup_s=1)


# The leaderboard


def test_best_and_worst_are_marked():
    entries = (
        LeaderboardValue("1", 1.0),
        LeaderboardValue("3", 3.0),
        LeaderboardValue("-", None),
        LeaderboardValue("2", 2.0),
    )
    row = LeaderboardRow("a figure", entries)
    assert row.marks == ("best", "worst", "", "")
    assert replace(row, better="high").marks == ("worst", "best", "", "")
    assert replace(row, better=None).marks == ("", "", "", "")


@pytest.mark.parametrize("values", [(2.0, 2.0), (2.0, None), (None, None)])
def test_nothing_is_marked_where_nothing_differs(values):
    assert set(
        LeaderboardRow("r", tuple(LeaderboardValue("x", value) for value in values)).marks
    ) == {""}


def test_leaderboard_ranks_models_row_by_row():
    good, fast = measurements("good.one", 1e-4, ms=8.0), measurements("fast.one", 9e-4, ms=1.0)
    board = leaderboard([good, fast])
    assert board.models == ("good.one", "fast.one")
    rows = {row.label: row for table in board.tables.values() for row in table}
    assert rows["longitudinal energy profile [1e-4 nat]"].marks == ("best", "worst")
    assert rows["a shower alone [ms]"].marks == ("worst", "best")
    assert rows["times faster than Geant4, alone"].marks == ("worst", "best")
    assert rows["parameters"].marks == ("", "")
    assert "energy resolution [%]" not in rows  # nobody has it
    text = leaderboard_markdown(board)
    assert (
        "| longitudinal energy profile [1e-4 nat] | **1.00 ± 0.10** | *9.00 ± 0.90* | 0.2 |" in text
    )
    plain = leaderboard_text(board)
    assert "1.00 ± 0.10*" in plain
    assert "9.00 ± 0.90!" in plain


def test_first_rows_are_those_of_the_papers_table():
    board = leaderboard([measurements()])
    labels = [row.label for row in board.tables["How good: cells of placed showers"]]
    assert labels[0].startswith("radial energy profile, 0-30 mm")
    assert labels[1].startswith("longitudinal energy profile")
    assert any(row.label.startswith("Full physics benchmark, Table I") for row in board.papers)


def test_models_measured_differently_are_said_to_be():
    one, other = measurements("one.a"), measurements("other.b")
    assert not [note for note in leaderboard([one, other]).notes if "different" in note]
    fewer = other.model_copy(update={"sample": other.sample.model_copy(update={"n_showers": 50})})
    notes = "\n".join(leaderboard([one, fewer]).notes)
    assert "one.a: 100 photons" in notes
    assert "other.b: 50 photons" in notes
    assert "different samples" in notes


def test_no_cards_are_no_leaderboard():
    with pytest.raises(InputError, match="calozoo benchmark MODEL"):
        leaderboard([])


# The page of the leaderboard, and the picture of the README


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
    from calozoo.cli.benchmark import benchmark

    words = reproducing_command(one).split()
    assert words[:3] == ["calozoo", "benchmark", one.spec.name]
    context = benchmark.make_context("benchmark", words[2:], resilient_parsing=False)
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


def test_picture_of_the_readme_shows_the_numbers_of_the_cards():
    from PIL import Image

    with Image.open(ROOT / "docs" / "images" / "speed_fidelity.png") as picture:
        assert picture.text["Description"] == description(speed_and_fidelity(read_cards()))


def test_no_times_are_no_picture(tmp_path):
    with pytest.raises(InputError, match="calozoo benchmark"):
        plot_speed_fidelity([measurements()], tmp_path / "speed.png")


# The commands


def test_commands_read_cards_of_a_folder(calozoo, tmp_path):
    write_card(tmp_path / "cards", measurements("one.a", 1e-4))
    write_card(tmp_path / "cards", measurements("other.b", 9e-4))
    shown = calozoo("compare", "--cards", "cards", "--markdown", "--html", "board.html")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("# Leaderboard")
    page = (tmp_path / "board.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert '"card":"cards/one.a/README.md"' in page
    one = calozoo("compare", "other.b", "--cards", "cards", "--json")
    assert json.loads(one.stdout)["models"] == ["other.b"]
    printed = calozoo("card", "one", "--cards", "cards")
    assert printed.stdout == card_markdown(measurements("one.a", 1e-4))
    path = calozoo("card", "one", "--cards", "cards", "--path").stdout.strip()
    assert path == "cards/one.a/README.md"
    as_json = calozoo("card", "one", "--cards", "cards", "--json").stdout
    assert as_json == measurements("one.a", 1e-4).as_json()


@pytest.mark.parametrize("command", ["card", "compare"])
def test_model_without_a_card_is_told_how_to_get_one(command, calozoo, tmp_path):
    (tmp_path / "cards").mkdir()
    run = calozoo(command, "toy", "--cards", "cards")
    assert run.returncode == 1
    assert "`calozoo benchmark toy --out cards` makes one" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_misspelt_card_is_guessed(calozoo, tmp_path):
    write_card(tmp_path / "cards", measurements())
    run = calozoo("card", "calocluds3", "--cards", "cards")
    assert "Did you mean caloclouds3?" in run.stderr


def test_a_card_shows_the_classifier_the_ratios_and_the_neighbours():
    text = card_markdown(with_structure("caloclouds3.test", 0.99, 1.22))
    assert "| AUC, all features |  | 0.990 ± 0.099 | 0.51 | - |" in text
    assert (
        "Worst group: rings. Its most telling features, each alone: first of .rings (0.90)" in text
    )
    assert "| cells |  | 1.22 ± 0.12 |" in text
    assert "cells, 50GeV" not in text  # by energy they stand among the means
    assert "| 40-80mm | 0.020 / 0.500 | 0.350 / 0.500 |" in text
    assert "(sha256 0123456789ab)" in text
    assert "### Classifier" not in card_markdown(measurements())


def test_a_ratio_is_the_better_the_nearer_it_is_to_one():
    pair = [with_structure("a.low", 0.6, 0.98), with_structure("b.high", 0.99, 1.22)]
    board = leaderboard([*pair, measurements("c.old")])
    rows = {row.label: row for row in next(iter(board.tables.values()))}
    assert rows["cells, over Geant4's"].marks == ("best", "worst", "")
    assert rows["AUC, all features"].marks == ("best", "worst", "")
    worst = rows["AUC, worst group of features"].entries
    assert [entry.text.partition("(")[2] for entry in worst] == ["rings)", "rings)", ""]
    assert rows["hot cells, the reference's hottest 1e-3, over Geant4's"].floor.startswith("±")
    assert "classifier" not in " ".join(leaderboard([measurements()]).tables)


def physics_result(test: str, weights: dict[str, str] | None = None) -> PhysicsResult:
    """Result of `calozoo physics` with a difference and a divergence."""
    difference = figure("pi0.good" if test == "tau" else "pairs.5GeV.d50", -0.05, "difference")
    values = {"error": 0.02, "generated_value": 0.5, "reference_value": 0.55, "seed_spread": 0.01}
    number = "pi0.categories" if test == "tau" else "pairs.5GeV.number"
    return PhysicsResult(
        test=test,
        truth="geant4.ild-siecal",
        samples={test: PhysicsSample(n_events=7, primaries_sha256="1", truth_sha256="2")},
        seeds=3,
        parameters_sha256="3",
        packages={"calozoo": "0.1.0"},
        weights_sha256=weights,
        figures=(difference.model_copy(update=values), figure(number, 3e-5)),
    )


def test_results_of_physics_stand_in_card_and_leaderboard_beside_those_of_papers(tmp_path):
    write_card(tmp_path, measurements())
    for test in ("tau", "pairs", "tau"):
        add_physics(tmp_path, "caloclouds3.test", physics_result(test))
    (measured,) = read_cards(tmp_path)
    assert [one.test for one in measured.physics] == ["pairs", "tau"]
    card = card_markdown(measured)
    assert "### Pi0 of tau decays, photons only, calozoo's photon finder" in card
    assert "| pi0 that are right | 0.5 | 0.55 | -0.050 ± 0.020 | 0.01 |" in card
    assert "0.36 ± 0.14 ([Full physics benchmark]" in card
    other = measurements("other.test").with_physics(
        physics_result("tau").model_copy(
            update={"figures": (figure("pi0.good", 0.04, "difference"),)}
        )
    )
    board = leaderboard([measured, other])
    (title,) = (title for title in board.tables if title.startswith("Pi0 of tau decays"))
    row = board.tables[title][0]
    assert row.label == "pi0 that are right, Geant4 0.55"
    assert row.marks == ("worst", "best")  # by distance from 0, not by value
    page = page_data([measured, other], lambda name: name)
    described = {one["id"]: one for one in page["figures"]}
    assert described["pi0.good/difference"]["group"] == "tau"
    assert described["pi0.good/difference"]["signed"] is True
    assert "signed" not in described["pairs.5GeV.number/js"]
    assert page["values"]["caloclouds3.test"]["pairs.5GeV.number/js"]["papers"]


@pytest.mark.parametrize("same", [True, False])
def test_a_benchmark_keeps_results_of_physics_of_the_same_weights(tmp_path, capsys, same):
    weights = {"model.safetensors": "1" * 64}
    old = measurements().model_copy(update={"notes": ("A note.",)})
    write_card(tmp_path, old.with_physics(physics_result("pairs", weights)))
    new = measurements(value=1e-3).model_copy(
        update={"weights_sha256": weights if same else {"model.safetensors": "2" * 64}}
    )
    kept = _with_rest_of_card(new, {}, tmp_path, quiet=False)
    assert kept.notes == ("A note.",)
    assert [one.test for one in kept.physics] == (["pairs"] if same else [])
    assert ("has other weights" in capsys.readouterr().err) is not same
    assert kept.fidelity == new.fidelity
