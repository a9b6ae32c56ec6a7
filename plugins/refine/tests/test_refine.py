"""`calozoo refine`: a model's tails, made those of its reference."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from calozoo import api
from calozoo.cli import main
from calozoo_core.errors import InputError, ModelNameError, WeightsError
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.testing import ModelContract
from calozoo_refine.refinement import RefinementConfig, read_refinement, write_refinement
from calozoo_refine.report import RefinementReport

N = 1200


def toy_file(path: Path, n: int = N, **changes) -> Path:
    """Toy showers, wider and brighter than the toy makes them."""
    rng = np.random.default_rng(1)
    theta, phi = rng.uniform(0, 0.5, n), rng.uniform(0, 6.28, n)
    direction = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    incident = Incident(rng.uniform(1, 6, n), np.stack(direction, axis=1))
    showers = api.load("toy").generate(incident, seed=77)
    for name, value in ({"energy": showers.energy * 1.1} | changes).items():
        object.__setattr__(showers, name, value)
    write_showers(path, showers, generator="geant4", seed=77)
    return path


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return toy_file(tmp_path_factory.mktemp("data") / "g4.h5")


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory):
    """A refined toy, as the command writes it."""
    out = tmp_path_factory.mktemp("refined") / "toy"
    words = ["--reference", str(reference), "--out", str(out), "--copies", "1", "--quiet"]
    assert main(["refine", "toy", *words, "--plot", str(out.parent / "tails.png")]) == 0
    return out


def with_mode(folder: Path, target: Path, **changes) -> Path:
    """The same refinement, used in another way."""
    found = read_refinement(folder)
    config = RefinementConfig.model_validate(found.config.model_dump() | changes)
    object.__setattr__(found, "config", config)
    write_refinement(target, found)
    return target


@pytest.fixture(scope="module", params=["accept-reject", "metropolis", "weights", "none"])
def refined(request, folder, tmp_path_factory):
    changes = {"mode": request.param, "steps": 3}
    other = with_mode(folder, tmp_path_factory.mktemp("mode"), **changes)
    return api.load("toy+refined", weights=other)


def test_a_refined_model_is_written_with_its_report_and_its_picture(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.json", "model.safetensors", "refinement.json"]
    assert (folder.parent / "tails.png").stat().st_size > 20_000
    report = RefinementReport.model_validate_json((folder / "refinement.json").read_bytes())
    assert report.n_fitted + report.n_held_out == N
    assert report.n_generated == report.n_held_out
    first, second = report.levels
    assert first.level == 0.01
    assert second.reason is not None  # for a thousandth there are too few
    assert report.cost.ratio == report.cost.after / report.cost.before > 0


def test_what_was_a_tenth_off_is_brought_back(folder):
    report = RefinementReport.model_validate_json((folder / "refinement.json").read_bytes())
    tails = {(t.observable, t.side): t for t in report.levels[0].tails}
    high = tails["response", "high"]
    assert high.before < -0.3
    assert abs(high.after) < 4 * high.after_error
    assert report.levels[0].after < report.levels[0].before
    before, after = (
        next(f for f in bulk if f.name == "points.response")
        for bulk in (report.bulk_before, report.bulk_after)
    )
    assert after.value < before.value


def test_shower_depends_on_its_number_and_not_on_its_company(refined):
    rng = np.random.default_rng(3)
    incident = Incident(rng.uniform(1, 6, 9), (0, 0, 1))
    together = refined.generate(incident, seed=4)
    for size in (1, 4):
        again = refined.generate(incident, seed=4, batch_size=size)
        assert np.array_equal(again.energy, together.energy)
    numbers = np.array([7, 2, 3])
    some = refined.sample_numbers(incident[numbers], 4, numbers)
    assert np.allclose(some.visible_energy, together.visible_energy[numbers], rtol=1e-6)


def test_a_model_without_its_own_way_makes_scattered_showers_too(reference):
    from calozoo_core.generator import Generator

    toy = api.load("toy")
    incident = Incident(np.linspace(1, 6, 8), (0, 0, 1))
    numbers = np.array([5, 6, 1])
    one = Generator.sample_numbers(toy, incident[numbers], 4, numbers)
    other = toy.sample_numbers(incident[numbers], 4, numbers)
    assert np.array_equal(one.energy, other.energy)


def test_weights_of_showers_are_one_on_average(folder, tmp_path):
    weighted = api.load(
        "toy+refined", weights=with_mode(folder, tmp_path, mode="weights", power=1.0)
    )
    incident = Incident(np.random.default_rng(3).uniform(1, 5.9, 400), (0, 0, 1))
    weights = weighted.weights(weighted.generate(incident, seed=4))
    assert weights.shape == (400,)
    assert weights.mean() == pytest.approx(1, abs=0.2)


def test_a_refined_model_is_generated_with_like_any_other(folder, tmp_path, capsys):
    out = tmp_path / "f.h5"
    words = ["--energy", "2:5", "--dir", "cone:20", "-n", "5", "--weights", str(folder)]
    main(["generate", "--model", "toy.ild-photon+refined", *words, "--out", str(out), "--json"])
    assert json.loads(capsys.readouterr().out)["model"] == "toy.ild-photon+refined"
    config = read_refinement(folder).config
    with h5py.File(out) as file:
        assert file.attrs["generator"] == "toy.ild-photon+refined"
        for name in ("mode", "acceptance", "ess", "clipped", "seed"):
            assert file.attrs[f"refinement_{name}"] == getattr(config, name)


def test_info_says_what_a_refined_model_corrects(capsys):
    main(["info", "toy+refined"])
    text = capsys.readouterr().out
    assert "toy.ild-photon+refined" in text
    assert "fed by" in text


def test_what_is_saved_is_what_was_read(folder, tmp_path):
    api.load("toy+refined", weights=folder).save(tmp_path)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


class TestRefinedToy(ModelContract):
    """A refined model keeps the contract."""

    visible_fraction = (1e-3, 1.0)

    @pytest.fixture
    def load(self, folder):
        return partial(api.load, "toy+refined", weights=folder)

    @pytest.fixture
    def card(self):
        pytest.skip("what a user refined has the report as its card")


# What goes wrong.


def test_a_refined_model_without_a_folder_says_how_to_get_one():
    with pytest.raises(WeightsError, match=r"`calozoo refine toy\.ild-photon --reference"):
        api.load("toy+refined")


def test_a_refined_model_of_nothing_is_not_found():
    with pytest.raises(ModelNameError, match="no model named"):
        api.find_model("tooy+refined")


def test_weights_of_another_model_are_refused(folder):
    with pytest.raises(WeightsError, match="a refinement of toy"):
        api.load("caloinn+refined", weights=folder)


def test_weights_that_are_no_refinement_are_refused():
    ours = api.pull("caloclouds3", offline=True).folder
    with pytest.raises(WeightsError, match="is not this model's configuration"):
        api.load("toy+refined", weights=ours)


def test_another_version_of_the_model_is_noticed(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["fingerprint"] = [2 * energy for energy in config["fingerprint"]]
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="with other weights than these"):
        api.load("toy+refined", weights=tmp_path / "copy")


def test_a_file_cannot_be_refined(reference, folder):
    with pytest.raises(InputError, match="leave out source"):
        api.load("toy+refined", weights=folder, source=str(reference))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"particle": "pi+"}, "holds showers of pi\\+; toy.ild-photon makes those of gamma"),
        ({"n": 30}, "30 showers are too few to refine on; give at least 1000"),
        ({"representation": "x9"}, "holds x9 showers, coarser than the x25"),
        ({"detector": "sim_siw_cylinder"}, "holds showers in"),
        ({"gev": 150}, "was trained on 1-127 GeV and 0-60 degrees; leave the others out"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_reference_of_another_kind_is_refused(tmp_path, capsys, changes, says):
    path = toy_file(tmp_path / "other.h5", changes.get("n", 1000 if "gev" in changes else 20))
    with h5py.File(path, "r+") as file:
        for name in ("particle", "representation"):
            if name in changes:
                file.attrs[name] = changes[name]
        if "detector" in changes:
            file.attrs["detector"] = other_detector()
        if "gev" in changes:
            file["incident/energy"][0] = changes["gev"]
    with pytest.raises(SystemExit) as stopped:
        main(["refine", "toy", "--reference", str(path), "--out", str(tmp_path / "out")])
    assert stopped.value.code in (1, 2)
    said = capsys.readouterr().err
    assert says.replace("\\", "") in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def other_detector() -> str:
    from calozoo_core.detector import list_detectors

    return next(name for name in list_detectors() if name != "ild_siecal_regular")


def test_a_folder_in_use_is_kept(reference, folder, capsys):
    with pytest.raises(SystemExit):
        main(["refine", "toy", "--reference", str(reference), "--out", str(folder)])
    assert "Add --overwrite to replace them." in capsys.readouterr().err


def test_a_folder_without_showers_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["refine", "toy", "--reference", str(tmp_path), "--out", str(tmp_path / "out")])
    assert "There are no shower files in" in capsys.readouterr().err
