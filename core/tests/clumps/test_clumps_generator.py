"""Generators on clumps: the core of one model, the rest from Geant4's showers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.clumps import ClumpsGenerator, ShowersFromCore, load_library, load_table
from calozoo_core.clumps.ring_calibration import RingCalibration, fit_ring_calibration
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.clumps.training import drawn_showers, train_clumps
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Conditions, Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.random import stream
from calozoo_core.showers import Showers

ILD = "ild_siecal_regular"
SPEC = ModelSpec(
    name="sprinkler.ild-photon",
    summary="Points at random.",
    factory="nowhere:Sprinkler",
    representation="x25",
    detector=ILD,
    conditions=Conditions(particles=("gamma",), energy_gev=(1.0, 127.0), theta_deg=(0.0, 60.0)),
    license="Apache-2.0",
)
CLUMPS = SPEC.model_copy(
    update={
        "name": "sprinkler.ild-photon-clumps",
        "factory": "calozoo_core.clumps:ClumpsGenerator",
        "source": SPEC.name,
        "weights": "nowhere:weights",
    }
)


class Sprinkler(Generator):
    """Generator of independent points about the axis, too bright."""

    brightness = 1.3

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        return cls(spec)

    def sample(self, incident, seed, first):
        parts = [
            self._one(incident[[i]], stream(seed, first + i, "test")) for i in range(len(incident))
        ]
        return Showers.concatenate(parts)

    def _one(self, incident, random):
        n = 200
        radius, phi = random.exponential(4, n), random.uniform(0, 2 * np.pi, n)
        slopes = incident.direction[0, :2] / incident.direction[0, 2]
        layer = np.sort(random.integers(0, 30, n))
        depth = load_table(ILD).layer_depth_mm[layer]
        return Showers(
            offsets=[0, n],
            x=radius * np.cos(phi) + depth * slopes[0],
            y=radius * np.sin(phi) + depth * slopes[1],
            layer=layer,
            energy=np.full(n, self.brightness * incident.energy[0] / 10),
            incident=incident,
            representation="x25",
            detector=ILD,
        )


class Truth(Sprinkler):
    brightness = 1.0


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Showers of less brightness to calibrate on."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "train").mkdir()
    rng = np.random.default_rng(1)
    for k in range(2):
        incident = Incident(np.exp(rng.uniform(np.log(2), np.log(120), 60)), (0, 0, 1))
        showers = Truth(SPEC).generate(incident, seed=k)
        write_showers(folder / "train" / f"{k}.h5", showers, generator="test", seed=k)
    return folder


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    pytest.importorskip("torch")
    return train_clumps(
        data, tmp_path_factory.mktemp("w"), source=Sprinkler(SPEC), showers=100, seed=4
    )


@pytest.fixture(scope="module")
def model(folder):
    return ClumpsGenerator.load(CLUMPS, folder, source=Sprinkler(SPEC))


def cores(showers):
    config = load_library(ILD).config
    return core_energies(showers, config.mesh, config.core_rings)


def test_the_calibration_makes_the_core_as_bright_as_geant4s(model):
    incident = Incident([20.0] * 40, (0, 0, 1))
    mine = cores(model.generate(incident, seed=3)).sum()
    theirs = cores(Truth(SPEC).generate(incident, seed=5)).sum()
    assert mine == pytest.approx(theirs, rel=0.1)


def test_the_halo_is_not_the_models_own(model):
    incident = Incident([40.0] * 10, (0, 0, 1))
    showers, theirs = (m.generate(incident, seed=3) for m in (model, Sprinkler(SPEC)))
    outer = [s.energy[np.hypot(s.x, s.y) > 8].sum() for s in (showers, theirs)]
    assert outer[0] != pytest.approx(outer[1], rel=0.05)


def test_a_shower_depends_on_its_number_alone(model):
    incident = Incident([10.0, 20.0, 60.0, 100.0], (0.3, 0.1, 0.95))
    whole = model.sample(incident, 7, 0)
    some = model.sample_numbers(incident[[3, 1]], 7, np.array([3, 1]))
    for mine, theirs in ((some[0], whole[3]), (some[1], whole[1])):
        np.testing.assert_array_equal(mine.x, theirs.x)
        np.testing.assert_array_equal(mine.energy, theirs.energy)


def test_it_is_the_same_after_it_was_a_file(model, tmp_path):
    model.save(tmp_path)
    back = ClumpsGenerator.load(CLUMPS, tmp_path, source=Sprinkler(SPEC))
    first, second = (m.generate(energy=30, n=3, seed=2) for m in (model, back))
    np.testing.assert_array_equal(first.x, second.x)


def test_weights_of_another_model_are_refused(folder):
    other = Sprinkler(SPEC.model_copy(update={"name": "other.ild-photon"}))
    with pytest.raises(WeightsError, match=r"fitted on the showers of sprinkler\.ild-photon, not"):
        ClumpsGenerator.load(CLUMPS, folder, source=other)


def test_a_core_that_ends_elsewhere_is_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["core_edges_mm"][-1] = 9.0
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=r"rings that end at 1\.5, 3, 4\.5, 6, 9 mm"):
        ClumpsGenerator.load(CLUMPS, tmp_path, source=Sprinkler(SPEC))


def test_bands_that_do_not_grow_are_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    config["bands_gev"] = config["bands_gev"][::-1]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="bands_gev must grow"):
        ClumpsGenerator.load(CLUMPS, tmp_path, source=Sprinkler(SPEC))


def test_without_weights_or_a_source_it_says_so(folder):
    with pytest.raises(WeightsError, match="calozoo pull sprinkler"):
        ClumpsGenerator.load(CLUMPS, None, source=Sprinkler(SPEC))
    with pytest.raises(InputError, match="takes the core of sprinkler"):
        ClumpsGenerator.load(CLUMPS, folder)


def test_library_and_table_must_be_for_the_same_voxels():
    library = load_library(ILD)
    other = library.config.model_copy(update={"detector": "par04_siw"})
    wrong = replace(library, config=other)
    with pytest.raises(WeightsError, match="made for ild_siecal_regular, not for par04_siw"):
        ShowersFromCore(wrong, load_table(ILD))


def test_too_few_showers_are_refused(data, tmp_path):
    with pytest.raises(InputError, match="1000 showers are needed, and the files hold 120"):
        train_clumps(data, tmp_path, source=Sprinkler(SPEC), showers=1000)


def test_drawn_showers_say_where_they_come_from(data):
    paths = sorted((data / "train").glob("*.h5"))
    showers, sources = drawn_showers(paths, 50, 3)
    assert sum(len(source.rows) for source in sources) == len(showers) == 50
    assert [source.seed for source in sources] == ["0", "1"]


def test_rings_are_empty_as_often_as_the_truth_and_as_bright():
    rng = np.random.default_rng(5)
    truth = rng.exponential(1, (4000, 3)).astype(np.float32) * (rng.random((4000, 3)) < 0.7)
    sampled = 0.8 * rng.exponential(1, (4000, 3)).astype(np.float32)
    sampled[rng.random((4000, 3)) < 0.2] = 0.005
    calibrated = fit_ring_calibration(sampled, truth, 0.01)(sampled)
    np.testing.assert_allclose(calibrated.mean(axis=0), truth.mean(axis=0), rtol=1e-3)
    assert np.all((calibrated > 0).mean(axis=0) <= (sampled > 0.01).mean(axis=0))


def test_between_bands_the_calibration_is_linear_in_the_logarithm():
    bands = RingCalibration(
        np.array([[0.1], [0.3]], np.float32), np.array([[1.0], [2.0]], np.float32)
    )
    found = bands.at(np.array([1.0, 10.0, 100.0, 1000.0], np.float32), (10.0, 1000.0))
    np.testing.assert_allclose(found.threshold.ravel(), [0.1, 0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.factor.ravel(), [1, 1, 1.5, 2], rtol=1e-6)
