"""Training on a handful of showers: every arrangement, resumed, and the same twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from calozoo_caloinn import SPEC
from calozoo_caloinn.calibration import calibration_tables
from calozoo_caloinn.checkpoint_metrics import ring_metrics, score
from calozoo_caloinn.config import preset
from calozoo_caloinn.model import CaloInn
from calozoo_caloinn.networks import samplers
from calozoo_caloinn.ring_energies import RingEnergySampler, VectorSampler
from calozoo_caloinn.trained import TrainedCaloInn
from calozoo_caloinn.training import LayersStage, train
from calozoo_caloinn.training_data import TrainingRings, batch
from calozoo_caloinn.voxel_encoding import Codec
from calozoo_core.io import write_showers
from calozoo_core.showers import Showers
from calozoo_core.testing.trainers import TrainerContract
from calozoo_core.training.model_training import BEST_WEIGHTS

QUICK = {"preset": "tiny", "epochs": 2, "steps": 3, "batch_size": 16, "threads": 1}


@pytest.fixture(scope="module")
def data(showers: Showers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for part, rows in (("train", slice(0, 30)), ("val", slice(30, 40))):
        (folder / part).mkdir(parents=True)
        write_showers(folder / part / "showers.h5", showers[rows], generator="tiny")
    return folder


def assert_same_weights(one: Path, two: Path) -> None:
    """Up to rounding: a matrix product may differ in its last bit with where its memory begins."""
    for stage in ("layers", "inn"):
        torch.testing.assert_close(
            load_file(one / stage / BEST_WEIGHTS),
            load_file(two / stage / BEST_WEIGHTS),
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize(
    ("name", "stages"),
    [("tiny", {"layers", "inn"}), ("tiny-joint", {"inn"}), ("tiny-vae", {"vae", "inn"})],
)
def test_a_training_ends_in_a_model_that_generates(
    data: Path, tmp_path: Path, name: str, stages: set[str]
) -> None:
    out = train(data, tmp_path / "run", **QUICK | {"preset": name})
    model = CaloInn.load(SPEC, out)
    assert len(model.generate(energy=20, n=3)) == 3
    record = json.loads((out / "training.json").read_text())
    assert set(record["stages"]) == stages
    assert record["showers"] == {"train": 30, "val": 10}
    for stage in stages:
        assert "score" in (out / f"{stage}.csv").read_text()


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropping = preset("tiny").model_copy(deep=True)
    parts = {
        name: getattr(dropping, name).model_copy(update={"dropout": 0.3})
        for name in ("layers", "inn")
    }
    dropping = dropping.model_copy(update=parts)
    monkeypatch.setattr("calozoo_caloinn.training.preset", lambda _: dropping)
    whole = train(data, tmp_path / "whole", **QUICK)
    looks = 0
    metrics = LayersStage.metrics

    def stopped_at_the_second_look(
        stage: LayersStage, network: torch.nn.Module
    ) -> dict[str, float]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError
        return metrics(stage, network)

    with monkeypatch.context() as patch:
        patch.setattr(LayersStage, "metrics", stopped_at_the_second_look)
        with pytest.raises(RuntimeError):
            train(data, tmp_path / "stopped", **QUICK)
    assert not (tmp_path / "stopped" / "layers" / BEST_WEIGHTS).exists()
    resumed = train(data, tmp_path / "stopped", **QUICK)
    assert_same_weights(resumed, whole)


class TestTraining(TrainerContract):
    spec = SPEC
    options = QUICK


def test_every_other_shower_is_mirrored_with_its_direction(sample: TrainingRings) -> None:
    codec = Codec(preset("tiny").codec)
    condition = batch(sample, codec, 200, seed=1, step=0)[2].numpy()
    known = {tuple(row) for row in sample.condition.tolist()}
    mirrored = {tuple(row) for row in (sample.condition * np.float32([1, -1, 1, 1])).tolist()}
    seen = [tuple(row) for row in condition.tolist()]
    assert all(row in known or row in mirrored for row in seen)
    assert any(row in known for row in seen)
    assert any(row in mirrored for row in seen)


def test_batches_depend_on_the_step_alone(sample: TrainingRings) -> None:
    codec = Codec(preset("tiny").codec)
    first, again, other = (batch(sample, codec, 8, seed=1, step=step) for step in (7, 7, 8))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_calibration_makes_the_mean_energies_agree(
    sample: TrainingRings, made_tiny: TrainedCaloInn
) -> None:
    tables = calibration_tables(made_tiny.config, made_tiny.networks, sample, seed=1)
    vectors = VectorSampler(made_tiny.config, samplers(made_tiny.networks))
    noise = np.random.default_rng(3).standard_normal((len(sample), vectors.noise), np.float32)
    energies = RingEnergySampler(vectors, tables["threshold"], tables["calibration"])
    direction = sample.condition[:, 1:]
    sampled = energies(sample.energy_gev, direction, noise).sum(axis=0)
    plain = RingEnergySampler(
        vectors, np.zeros(len(sampled.T), np.float32), np.ones(len(sampled.T), np.float32)
    )
    before = plain(sample.energy_gev, direction, noise).sum(axis=0)
    truth = sample.rings.energies.reshape(len(sample), -1).sum(axis=0)
    assert np.abs(sampled - truth).sum() < np.abs(before - truth).sum()


def test_showers_are_no_distance_from_themselves(sample: TrainingRings) -> None:
    rings, energy = sample.rings.energies, sample.energy_gev
    same = ring_metrics(rings, rings, energy, energy)
    assert max(same.values()) < 1e-9
    other = ring_metrics(rings[:, ::-1] * 1.2, rings, energy, energy)
    for name in ("profile_layers", "visible", "depth", "late"):
        assert other[name] > 1e-3, name
    assert score(other, nll=1.0) > score(same, nll=1.0) > 0.99
