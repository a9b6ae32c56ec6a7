"""Cards hold nothing but measurements, and the Hub can read them."""

from __future__ import annotations

import json

import pytest
from made_up_cards import measurements, with_structure
from pydantic import ValidationError

from calozoo.benchmark.measurements import (
    Measurements,
    Memory,
    read_measurements,
)
from calozoo.cards.card import find_card, own_cards, read_cards, write_card
from calozoo.cards.card_markdown import card_markdown
from calozoo.cli.cards import card_text
from calozoo_core.errors import CalozooError

CARDS = sorted(own_cards().glob("*/measurements.json"))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_no_number_in_a_card_is_typed(path):
    measured = read_measurements(path)
    assert measured.as_json() == path.read_text()
    assert card_markdown(measured) == (path.parent / "README.md").read_text()
    assert measured.spec.name == path.parent.name


def test_there_are_cards():
    assert CARDS


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
