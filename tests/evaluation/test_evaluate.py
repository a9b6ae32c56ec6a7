"""`calozoo evaluate`: figures, pictures and one sentence for what cannot be compared."""

from __future__ import annotations

import json
import math
import tracemalloc
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest

import calozoo
from calozoo.cards.metric_labels import label
from calozoo.cli import main
from calozoo.cli.evaluation_table import evaluation_text
from calozoo.evaluation.evaluate import EvaluationReport, evaluate, evaluate_files
from calozoo.evaluation.plan import kolmogorov_distance
from calozoo.plotting import draw
from calozoo_core.errors import DetectorError, InputError
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerWriter, read_showers, write_showers
from calozoo_core.placement import load_placement
from calozoo_core.representation import Representation
from calozoo_core.showers import Showers

N = 180


@pytest.fixture(scope="module")
def toy():
    return calozoo.load("toy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, toy):
    """Two samples of one law, 10 and 20 GeV, straight in; one passes for Geant4."""
    folder = tmp_path_factory.mktemp("evaluate")
    energy = np.tile([10.0, 20.0], N // 2)
    for name, seed, generator in (("gen", 1, "toy.ild-photon"), ("ref", 2, "geant4")):
        showers = toy.generate(energy=energy, seed=seed)
        write_showers(folder / f"{name}.h5", showers, generator=generator, seed=seed)
    return folder


@pytest.fixture(scope="module")
def evaluation(folder):
    return evaluate(folder / "gen.h5", folder / "ref.h5")


@pytest.fixture(autouse=True)
def there(folder, monkeypatch):
    monkeypatch.chdir(folder)


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", *words, "--workers", "1"])
    said = capsys.readouterr().err
    assert said.startswith("calozoo: ")
    assert said.count("\n") == 1
    return end.value.code, said


def write(path, showers, generator="toy.ild-photon"):
    write_showers(path, showers, generator=generator, seed=3, overwrite=True)
    return str(path)


def test_two_samples_of_one_law_are_as_far_apart_as_chance_says(evaluation):
    figure = evaluation.figure("cells.layer_energy", "js")
    assert figure.value < figure.noise_floor + 4 * figure.error
    assert evaluation.report.notes == ()
    assert evaluation.report.reference.cells == "merged"


def test_a_sample_of_another_law_is_further_apart(tmp_path, folder):
    showers = read_showers(folder / "gen.h5")
    louder = Showers(**(vars(showers) | {"energy": 1.3 * showers.energy}))
    apart = evaluate(write(tmp_path / "louder.h5", louder), folder / "ref.h5")
    response = apart.figure("cells.response", "js")
    assert response.value > response.noise_floor + 4 * response.error
    assert apart.figure("cells.linearity", "l1").value == pytest.approx(0.3, abs=0.05)


def test_the_report_holds_all_to_do_it_again(folder, tmp_path, evaluation, capsys):
    target = tmp_path / "f.json"
    main(["evaluate", "gen.h5", "--reference", "ref.h5", "--json", str(target), "--workers", "1"])
    (content,) = json.loads(target.read_bytes())
    report = EvaluationReport.model_validate_json(json.dumps(content))
    assert report.figures == evaluation.figures
    assert (report.generated.file, report.generated.seed) == ("gen.h5", "1")
    assert len(report.reference.sha256) == 64
    assert report.reference.n_showers == N
    assert report.threshold_mev == 0.1
    assert report.seconds > 0
    assert report.peak_mb > 10
    assert {"calozoo", "calozoo-core", "numpy", "python"} <= set(report.versions)
    said = capsys.readouterr()
    assert "layer_energy" in said.out
    assert "ANGLES" in said.out
    assert f"{2 * N} showers in" in said.err


def test_an_evaluation_is_shown_in_one_line(evaluation):
    for thing in (evaluation, evaluation.report):
        assert repr(thing).startswith(f"<{type(thing).__name__}: gen.h5 ({N} showers) against ref")
        assert len(repr(thing)) < 200


def test_json_on_stdout_is_json_and_nothing_else(capsys):
    words = ["gen.h5", "--reference", "ref.h5", "--json", "-", "--workers", "1", "--quiet"]
    main(["evaluate", *words])
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["format"] == "calozoo-evaluation"
    assert said.err == ""


def test_figures_do_not_depend_on_the_number_of_workers(folder, evaluation):
    two = evaluate(folder / "gen.h5", folder / "ref.h5", workers=2).figures
    for mine, one in zip(two, evaluation.figures, strict=True):
        numbers = {name: getattr(one, name) for name in ("value", "error", "half_floor")}
        rest = one.model_dump(exclude=numbers.keys() | {"noise_floor"})
        assert mine.model_dump(exclude=numbers.keys() | {"noise_floor"}) == rest
        for name, number in numbers.items():  # sums of parts round otherwise than the whole
            if number is None:
                assert mine.reason == one.reason is not None
                continue
            assert getattr(mine, name) == pytest.approx(number, rel=1e-9)


def test_each_row_of_the_table_has_a_value_or_a_reason(evaluation):
    text = evaluation_text(evaluation.report)
    assert "nan" not in text
    rows = [line.split() for line in text.splitlines() if "JS [1e-4]" in line]
    js = [figure for figure in evaluation.figures if figure.metric == "js"]
    assert len(rows) == len(js)


def test_a_classifier_and_ratios_stand_below_the_figures(folder, tmp_path):
    """Too little energy everywhere: the worst group of features is the first below all of them."""
    pytest.importorskip("sklearn")
    toy = calozoo.load("toy")
    truth = write(tmp_path / "ref.h5", toy.generate(energy=5, n=200, seed=4), "geant4")
    showers = toy.generate(energy=5, n=200, seed=5)
    quiet = Showers(**(vars(showers) | {"energy": np.float32(0.8) * showers.energy}))
    found = evaluate(write(tmp_path / "quiet.h5", quiet), truth)
    lines = evaluation_text(found.report).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("CLASSIFIER"))
    assert lines[start + 1].startswith("  all features")
    groups = [f for f in found.figures if f.name.startswith("cells.classifier.")]
    worst = max(groups, key=lambda figure: figure.value)
    assert lines[start + 2].startswith(f"  {label(worst).removeprefix('AUC, ')}")
    assert all(feature in lines[start + 2] for feature in worst.telling_features)
    cells = found.figure("cells.occupancy", "ratio")
    assert cells.value < 1 - 3 * cells.error
    for title in ("RATIO TO THE REFERENCE", "ENERGY", "RADIUS"):
        assert any(line.startswith(title) for line in lines)
    none = evaluate(tmp_path / "quiet.h5", truth, classifier=False)
    assert "CLASSIFIER" not in evaluation_text(none.report)


def test_what_papers_print_of_the_model_stands_beside(folder, tmp_path):
    path = write(tmp_path / "c.h5", read_showers(folder / "gen.h5"), "caloclouds3.ild-photon")
    text = evaluation_text(evaluate(path, folder / "ref.h5").report)
    assert "0.050 ± 0.011 [" in text
    assert "Full physics benchmark, Table I" in text


def test_points_of_other_representations_are_left_out_with_a_reason(folder, tmp_path):
    cells = Representation.named("x9", cell=5.0883331298828125)(
        read_showers(folder / "gen.h5"), seed=1
    )
    mixed = evaluate(write(tmp_path / "x9.h5", cells), folder / "ref.h5")
    assert "cannot be compared" in mixed.figure("points.spectrum", "js").reason
    assert mixed.figure("cells.spectrum", "js").value is not None


def test_finer_points_are_merged_as_the_reference_has_them(folder, tmp_path):
    cell = 5.0883331298828125
    generated, truth = (read_showers(folder / name) for name in ("gen.h5", "ref.h5"))
    x9 = write(
        tmp_path / "x9.h5", Representation.named("x9", cell)(truth, seed=5), "geant4.made-up"
    )
    found = evaluate(folder / "gen.h5", x9)
    assert found.report.notes == (
        "The x25 points of gen.h5 were merged to x9, as the reference has them.",
    )
    merged = write(tmp_path / "m.h5", Representation.named("x9", cell)(generated, seed=1))
    again = evaluate(merged, x9)
    assert again.report.notes == ()
    for name in ("points.spectrum", "points.occupancy", "cells.spectrum", "cells.occupancy"):
        assert found.figure(name, "js").value == again.figure(name, "js").value, name


@pytest.fixture(scope="module")
def placed(tmp_path_factory, toy):
    """The same primaries twice: made for a detector without gaps, and in one that has them."""
    folder = tmp_path_factory.mktemp("placed")
    placement = load_placement("ild_siecal")
    momentum = np.tile([[0.05, 1.0, 0.1], [0.2, 1.0, -0.3]], (N // 2, 1))
    position = placement.enter(momentum)
    direction = placement.local_direction(position, momentum)
    incident = Incident(np.full(N, 10.0), direction, position=position)
    model = toy.generate(incident, seed=1)
    with ShowerWriter(
        folder / "gen.h5", generator="toy.ild-photon", seed=1, hits_detector="ild_siecal"
    ) as writer:
        writer.append(model, placement.place(model))
    truth = toy.generate(incident, seed=2)
    steps = vars(truth) | {"representation": "steps", "detector": "ild_siecal"}
    write_showers(folder / "ref.h5", Showers(**steps), generator="geant4.ild-siecal", seed=2)
    return folder


def test_showers_of_a_model_are_placed_where_geant4_has_its_gaps(placed):
    found = evaluate(placed / "gen.h5", placed / "ref.h5")
    assert found.report.readout == "ild_siecal"
    assert (found.report.generated.cells, found.report.reference.cells) == ("hits", "placed")
    figure = found.figure("cells.layer_energy", "js")
    assert figure.value < figure.noise_floor + 4 * figure.error
    assert "cannot be compared" in found.figure("points.layer_energy", "js").reason


def test_stored_hits_and_placing_again_give_the_same(placed):
    stored = evaluate(placed / "gen.h5", placed / "ref.h5")
    again = evaluate(placed / "gen.h5", placed / "ref.h5", place="ild_siecal")
    assert again.report.generated.cells == "placed"
    for name in ("cells.occupancy", "cells.layer_energy"):
        assert again.figure(name, "js").value == pytest.approx(stored.figure(name, "js").value)


def test_showers_that_do_not_say_where_they_enter_are_refused(capsys, placed, folder):
    code, said = refused(capsys, "gen.h5", "--reference", str(placed / "ref.h5"))
    assert code == 2
    assert "--place ild_siecal" in said


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("energies", {"energy": 30.0}),
        ("directions along x'", {"direction": (0.5, 0, 1)}),
    ],
)
def test_other_primaries_are_named(toy, tmp_path, folder, what, change):
    request = {"energy": np.tile([10.0, 20.0], N // 2)} | change
    path = write(tmp_path / "o.h5", toy.generate(**request, n=N, seed=1))
    with pytest.raises(InputError, match=f"The {what} of the incident particles differ"):
        evaluate(path, folder / "ref.h5")


def test_primaries_that_differ_a_little_are_noted(toy, tmp_path):
    n = 3000
    few = np.zeros(0)
    for name, share in (("a", 0.5), ("b", 0.58)):
        energy = np.where(np.arange(n) < share * n, 10, 20)
        empty = Showers(np.zeros(n + 1, int), few, few, few, few, Incident(energy, (0, 0, 1)),
                        "x25", "ild_siecal_regular")  # fmt: skip
        write(tmp_path / f"{name}.h5", empty)
    found = evaluate(tmp_path / "a.h5", tmp_path / "b.h5", classifier=False)
    assert "energies" in found.report.notes[0]
    assert "not by Geant4" in found.report.notes[1]


def test_a_distance_is_seen_only_where_chance_does_not_explain_it():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=1000), rng.normal(size=3000)
    assert kolmogorov_distance(one, other)[1]
    assert not kolmogorov_distance(one, other + 0.3)[1]


def test_samples_that_seem_to_be_swapped_are_refused(capsys):
    code, said = refused(capsys, "ref.h5", "--reference", "gen.h5")
    assert code == 2
    assert "the other way round" in said


def test_a_missing_file_is_refused(capsys):
    said = refused(capsys, "no.h5", "--reference", "ref.h5")
    assert said == (1, "calozoo: There is no shower file no.h5.\n")


def test_showers_of_another_detector_are_refused(folder, tmp_path):
    other = Showers(**(vars(read_showers(folder / "gen.h5")) | {"detector": "par04_siw"}))
    with pytest.raises(DetectorError, match="place=DETECTOR"):
        evaluate(write(tmp_path / "other.h5", other), folder / "ref.h5")


def test_a_report_that_is_there_is_kept(capsys, folder):
    (folder / "kept.json").write_text("mine")
    code, said = refused(capsys, "gen.h5", "--reference", "ref.h5", "--json", "kept.json")
    assert code == 1
    assert "--overwrite" in said
    assert (folder / "kept.json").read_text() == "mine"


@pytest.mark.parametrize("words", [["--threshold", "-1"], ["--threshold", "nan"]])
def test_a_threshold_that_is_none_is_refused(capsys, words):
    assert refused(capsys, "gen.h5", "--reference", "ref.h5", *words)[0] == 2


def test_too_few_and_empty_showers_have_reasons_and_pictures_without_warnings(
    tmp_path, folder, toy
):
    few = toy.generate(energy=[10.0, 20.0], seed=1)
    none = np.zeros(0)
    empty = Showers([0] * 31, none, none, none, none, Incident(np.full(30, 10.0), (0, 0, 1)),
                    "x25", "ild_siecal_regular")  # fmt: skip
    write(tmp_path / "few.h5", few)
    write(tmp_path / "empty.h5", empty, "geant4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        some = evaluate(tmp_path / "few.h5", folder / "ref.h5")
        nothing = evaluate(tmp_path / "empty.h5", tmp_path / "empty.h5")
    for found in (some, nothing):
        for figure in found.figures:
            assert figure.reason or math.isfinite(figure.value), figure.name
    assert "too few" in some.figure("cells.layer_energy", "js").reason
    assert nothing.figure("cells.layer_energy", "js").reason


def test_memory_does_not_grow_with_the_file(tmp_path, folder):
    showers = read_showers(folder / "gen.h5")[:50]
    peaks = []
    for n in (20, 50):
        path = tmp_path / f"{n}.h5"
        with ShowerWriter(path, generator="toy", seed=1) as writer:
            for _ in range(n):
                writer.append(showers)
        tracemalloc.start()
        try:
            evaluate(path, folder / "gen.h5")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_every_observable_is_drawn_for_several_models(folder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = evaluate_files([folder / "gen.h5", folder / "gen.h5"], folder / "ref.h5")
        pictures = draw(both, tmp_path / "plots")
    names = {picture.stem for picture in pictures}
    assert {"overview", "longitudinal", "radial_30", "response", "correlations"} <= names
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    assert not list((tmp_path / "plots").glob("*.part"))


def test_a_notebook_shows_an_evaluation_as_a_table(evaluation):
    tree = ElementTree.fromstring(evaluation._repr_html_())
    names = {row[0].text for row in tree.findall(".//tr")}
    assert {"figure", "points.layer_energy"} <= names
