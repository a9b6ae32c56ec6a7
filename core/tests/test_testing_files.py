"""The contract suite sees what is wrong with the card and the weights of a model."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from sound_models import ENTRY, SPEC, WEIGHTED, Sound, Weighted

from calozoo_core.errors import InputError
from calozoo_core.generator import Generator
from calozoo_core.testing import ModelContract
from calozoo_core.testing._model_files import HARMS, find_card
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, write_weights

pytestmark = pytest.mark.usefixtures("sound_package")


class TestModelWithWeights(ModelContract):
    spec = WEIGHTED

    @pytest.fixture
    def gpu(self):
        return "cpu"  # where there is no other device, the way there and back is still gone


def test_position_in_cm_is_caught_where_no_direction_shows_it(sound_package):
    model = Weighted.load(WEIGHTED, sound_package / "weights")
    model.tensors["width"] /= 10
    with pytest.raises(AssertionError, match="are positions in mm"):
        ModelContract().test_width_is_that_of_a_shower(model)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("apache-2.0", "gpl-3.0"), "gives the licence as 'gpl-3.0', the spec as 'Apache-2.0'"),
        (("license", "licence"), "gives the licence as ''"),
        (("---", ""), "does not begin with a front matter"),
        (("# sound.ild-photon", "# Mine"), "does not mention sound.ild-photon"),
        (("https://example.org/sound", "a paper"), "does not mention https://example.org/sound"),
        (("Described", "x" * (1 << 20)), "is larger than 1048576 bytes"),
    ],
)
def test_card_that_does_not_say_what_it_must_is_caught(sound_package, change, complaint):
    card = sound_package / "cards" / SPEC.name / "README.md"
    card.write_text(card.read_text().replace(*change))
    with pytest.raises(AssertionError, match=complaint):
        ModelContract().test_card_names_the_model_its_licence_and_its_papers(Sound(SPEC), card)


def test_missing_card_is_named_with_the_command_that_makes_one(sound_package):
    shutil.rmtree(sound_package / "cards")
    with pytest.raises(AssertionError, match=r"calozoo benchmark sound.ild-photon --out cards"):
        find_card(SPEC)


def test_card_beside_the_weights_is_found_first(sound_package):
    (sound_package / "weights" / "README.md").write_text("# Here\n")
    assert find_card(WEIGHTED) == sound_package / "weights" / "README.md"


class Forgets(Weighted):
    """Saves something else than it was loaded from."""

    def save(self, folder):
        write_weights(folder, self.config, {"width": self.tensors["width"] * 2})


class ForgetsItsShowers(Weighted):
    """Needs what it does not save."""

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        model = super().load(spec, folder)
        model.seed = 1
        return model

    def sample(self, incident, seed, first):
        return super().sample(incident, seed + getattr(self, "seed", 0), first)


class CannotSave(Weighted):
    def save(self, folder):
        Generator.save(self, folder)


@pytest.mark.parametrize("kind", [Forgets, ForgetsItsShowers, CannotSave])
def test_model_that_loses_something_when_it_is_saved_is_caught(kind, sound_package, tmp_path):
    sound = Weighted.load(WEIGHTED, sound_package / "weights")
    model = kind(WEIGHTED, sound.config, sound.tensors)
    with pytest.raises((AssertionError, InputError)):
        ModelContract().test_saved_and_loaded_it_is_the_same_to_the_last_byte(model, tmp_path)


def test_package_whose_weights_come_out_otherwise_is_caught(sound_package, tmp_path):
    config = sound_package / "weights" / "config.json"
    config.write_text(config.read_text().replace("\n", " "))
    model = Weighted.load(WEIGHTED, sound_package / "weights")
    with pytest.raises(AssertionError, match=r"\['config.json'\] changed"):
        ModelContract().test_weights_of_the_package_are_saved_as_they_are(model, tmp_path)


class MovesOtherwise(Weighted):
    """Computes something else on another device."""

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        model = super().load(spec, folder)
        model.device = device
        return model

    def sample(self, incident, seed, first):
        return super().sample(incident, seed + (self.device != "cpu"), first)


class RoundsOnItsWay(MovesOtherwise):
    """Leaves some of its weights on another device."""

    def save(self, folder):
        width = self.tensors["width"] * (1 if self.device == "cpu" else 1 + 1e-6)
        write_weights(folder, self.config, {"width": width})

    def sample(self, incident, seed, first):
        return Weighted.sample(self, incident, seed, first)


@pytest.mark.parametrize(
    ("kind", "complaint"), [(MovesOtherwise, "Centres"), (RoundsOnItsWay, "changed")]
)
def test_model_that_another_device_changes_is_caught(kind, complaint, sound_package, tmp_path):
    model = kind.load(WEIGHTED, sound_package / "weights")
    check = ModelContract().test_a_gpu_makes_the_showers_of_the_processor_and_keeps_the_weights
    with pytest.raises(AssertionError, match=complaint):
        check(model, "another", tmp_path)


class TakesAnything(Weighted):
    """Reads its files by itself, and looks at nothing."""

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        return Weighted.load(spec, Path(sys.modules[ENTRY].__path__[0]) / "weights")


class FailsOtherwise(Weighted):
    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        try:
            return super().load(spec, folder)
        except Exception as error:
            raise RuntimeError from error


@pytest.mark.parametrize("harm", HARMS)
def test_model_that_does_not_notice_spoiled_weights_is_caught(harm, sound_package, tmp_path):
    sound = Weighted.load(WEIGHTED, sound_package / "weights")
    kinds = {FailsOtherwise: "raise a WeightsError"}
    if harm != "a larger number":  # which may be no size, and do no harm
        kinds[TakesAnything] = "It takes weights"
    for kind, complaint in kinds.items():
        model = kind(WEIGHTED, sound.config, sound.tensors)
        (tmp_path / kind.__name__).mkdir()
        with pytest.raises(AssertionError, match=complaint):
            ModelContract().test_spoiled_weights_are_refused(model, harm, tmp_path / kind.__name__)


def test_every_place_of_a_configuration_is_spoiled_and_a_choice_of_long_lists(tmp_path):
    rows = [[{"n": 1}, {"n": 2}]] * 500
    config = {"a": 1, "sizes": [8, 16, 32], "rows": rows, "b": {"c": 2, "label": "x"}}
    (tmp_path / CONFIG_FILE).write_text(json.dumps(config))
    (tmp_path / TENSORS_FILE).touch()
    spoiled = [place for place, _ in HARMS["a larger number"](tmp_path, tmp_path / "spoiled")]
    in_rows = {place for place in spoiled if place.startswith("rows")}
    assert {*spoiled} - in_rows == {"a", "sizes.0", "sizes.1", "sizes.2", "b.c"}
    assert {"rows.0.0.n", "rows.499.1.n"} < in_rows
    assert 10 < len(in_rows) < 20
    last = json.loads((tmp_path / "spoiled" / CONFIG_FILE).read_text())
    assert last["b"]["c"] == 10**12
