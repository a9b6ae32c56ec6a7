"""Models by name, from folders and repositories, moved, saved and copied."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatchcase

import numpy as np
import pytest

import calozoo
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.incident import Incident

TRAINED = "caloinn"


@pytest.fixture(scope="module")
def trained():
    return calozoo.load(TRAINED, offline=True)


def test_everything_at_the_top_is_there_and_in_the_list():
    assert {"generate", "load", "search", "load_placement", "Hits", "open_showers"} <= {
        *dir(calozoo)
    }
    for name in calozoo.__all__:
        assert getattr(calozoo, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        calozoo.nonsense  # noqa: B018


@pytest.mark.parametrize("path_type", [str, lambda path: path])
def test_saved_models_are_loaded_by_string_and_path(trained, path_type, tmp_path):
    folder = path_type(tmp_path / "mine")
    trained.save_pretrained(folder)
    showers = trained.generate(energy=[20, 30], seed=1)

    for again in (
        calozoo.load(TRAINED, weights=folder),
        calozoo.from_pretrained(folder, device="cpu"),
        calozoo.from_pretrained(TRAINED, offline=True),
    ):
        assert again.spec == trained.spec
        assert again.generate(energy=[20, 30], seed=1) == showers


def test_the_card_says_which_of_an_architecture_a_folder_is(tmp_path):
    electrons = calozoo.load("caloinn.calochallenge2-electron", offline=True)
    electrons.save_pretrained(tmp_path)

    assert calozoo.from_pretrained(tmp_path).spec.name == "caloinn.calochallenge2-electron"


def test_a_card_that_is_there_is_kept(trained, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    trained.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(WeightsError):
        calozoo.from_pretrained(tmp_path)


def test_an_organisation_and_a_name_are_a_repository(monkeypatch):
    asked = []
    monkeypatch.setattr("calozoo.api.load", lambda name, **options: asked.append((name, options)))

    calozoo.from_pretrained("my-lab/photons@v1", offline=True)
    calozoo.from_pretrained("hub:my-lab/photons")
    assert asked == [("hub:my-lab/photons@v1", {"offline": True}), ("hub:my-lab/photons", {})]


def test_generate_takes_what_the_method_and_load_take(trained, tmp_path):
    trained.save(tmp_path)
    incident = Incident([20, 30, 40], (0, 0.2, 1), position=(0, 1804.7, 0))
    options = {"seed": 5, "batch_size": 2}
    here = calozoo.generate(
        TRAINED, incident, weights=tmp_path, precision="float32", device="cpu", **options
    )

    assert here == trained.generate(incident, **options)
    words = {"energy": [20, 30], "direction": (0, 0.2, 1), "particle": "gamma", "n": 2}
    assert calozoo.generate(TRAINED, **words, offline=True) == trained.generate(**words)


def test_models_are_listed_by_pattern_detector_and_particle():
    every = calozoo.list_models()
    electrons = calozoo.list_models(particle="e-")
    ours = calozoo.list_models("calo*", detector="ild_siecal_regular", particle="gamma")

    assert electrons
    assert all("e-" in spec.conditions.particles for spec in electrons)
    assert ours == [
        spec
        for spec in every
        if fnmatchcase(spec.name, "calo*")
        and spec.detector == "ild_siecal_regular"
        and "gamma" in spec.conditions.particles
    ]
    assert calozoo.list_models(detector="nowhere") == []


def test_a_model_that_knows_no_other_device_says_so(trained):
    assert trained.to("cpu") is trained
    for model in (trained, calozoo.load("toy")):
        with pytest.raises(InputError, match=r"CPU only|on cpu|use device='cpu'"):
            model.to("cuda")


def test_a_model_goes_to_another_process(trained, tmp_path):
    import pickle

    (tmp_path / "model.pickle").write_bytes(pickle.dumps(trained))
    code = (
        "import pickle, pathlib; m = pickle.loads(pathlib.Path('model.pickle').read_bytes());"
        "print(m.generate(energy=[20, 30], seed=1).visible_energy.tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    there = np.array(eval(run.stdout))
    assert np.array_equal(there, trained.generate(energy=[20, 30], seed=1).visible_energy)
