"""From energies of voxels to vectors and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from calozoo_caloinn.config import PRESETS, CaloInnConfig, CodecConfig, RingsConfig, preset
from calozoo_caloinn.voxel_encoding import Codec

KINDS = ("ratios", "normalised")

energies = hnp.arrays(
    np.float32, (3, 4, 5), elements=st.floats(np.float32(0.02), np.float32(30), width=32)
)
primaries = hnp.arrays(np.float32, 3, elements=st.floats(1, 127, width=32))


def codec(kind: str, **more: float) -> Codec:
    return Codec(CodecConfig(layers=4, voxels=5, kind=kind, **more))


@settings(deadline=None)
@given(energies, primaries, st.sampled_from(KINDS), st.sampled_from([0.25, 0.5, 1.0]))
def test_what_is_encoded_comes_back(
    filled: np.ndarray, energy_gev: np.ndarray, kind: str, power: float
) -> None:
    there = codec(kind, power=power)
    back = there.decode(*there.encode(filled, energy_gev), energy_gev)
    # A voxel of a millionth of its layer is as good as empty.
    np.testing.assert_allclose(back, filled, rtol=0.02, atol=2e-3)


@settings(deadline=None)
@given(energies, primaries)
def test_what_is_encoded_is_finite(filled: np.ndarray, energy_gev: np.ndarray) -> None:
    for kind in KINDS:
        layers, voxels = codec(kind).encode(filled, energy_gev)
        assert np.isfinite(layers).all()
        assert np.isfinite(voxels).all()
        assert voxels.shape[1] == codec(kind).config.width


def test_the_first_ratio_is_the_visible_energy_and_the_others_begin_at_the_face() -> None:
    filled = np.full((1, 4, 5), 3.0, np.float32)
    layers, _ = codec("ratios", visible=0.06).encode(filled, np.array([1.0], np.float32))
    np.testing.assert_allclose(layers[0, 0], 0, atol=1e-6)
    ratios = 1 / (1 + np.exp(-layers[0, 1:]))
    np.testing.assert_allclose(ratios, [1 / 4, 1 / 3, 1 / 2], rtol=1e-5)


def test_scaling_a_layer_leaves_its_shares_alone() -> None:
    random = np.random.default_rng(1)
    filled = random.uniform(1, 5, (2, 4, 5)).astype(np.float32)
    scaled = filled * np.array([1, 7, 1, 1], np.float32)[:, None]
    energy_gev = np.array([5, 9], np.float32)
    for kind in KINDS:
        there = codec(kind)
        np.testing.assert_allclose(
            there.encode(filled, energy_gev).voxels,
            there.encode(scaled, energy_gev).voxels,
            atol=1e-4,
        )


@settings(deadline=None)
@given(hnp.arrays(np.float32, (2, 4), elements=st.floats(-100, 100, width=32)))
def test_stray_vectors_decode_to_finite_energies(layers: np.ndarray) -> None:
    for kind in KINDS:
        there = codec(kind)
        voxels = np.full((2, there.config.width), 40, np.float32)
        decoded = there.decode(layers, voxels, np.array([1, 127], np.float32))
        assert np.isfinite(decoded).all()
        assert (decoded >= 0).all()


def test_noise_fills_what_is_empty_and_is_taken_out_again() -> None:
    there = codec("ratios", noise_mev=0.01)
    empty = np.zeros((50, 4, 5), np.float32)
    filled = there.add_noise(empty, np.random.default_rng(2))
    assert (filled > 0).mean() > 0.99
    assert (there.threshold(filled) == 0).all()
    full = empty + 2
    back = there.threshold(there.add_noise(full, np.random.default_rng(2)))
    np.testing.assert_allclose(back.mean(), 2, atol=2e-4)


def test_the_condition_of_a_voxel_network_has_the_layer_energies() -> None:
    there = codec("ratios")
    filled = np.random.default_rng(3).uniform(1, 5, (2, 4, 5)).astype(np.float32)
    energy_gev = np.array([5, 9], np.float32)
    condition = np.column_stack([np.log(energy_gev), np.zeros((2, 2)), np.ones(2)])
    layers, _ = there.encode(filled, energy_gev)
    known = there.voxel_condition(layers, condition.astype(np.float32))
    np.testing.assert_allclose(np.exp(known[:, 4:]) - 0.05, filled.sum(axis=2), rtol=1e-4)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_file(name: str) -> None:
    config = preset(name)
    assert CaloInnConfig.model_validate_json(config.model_dump_json()) == config


def test_parts_that_do_not_fit_are_refused() -> None:
    good = preset("tiny").model_dump()
    for change in (
        {"arrangement": "joint"},
        {"rings": RingsConfig(edges_mm=(1.0, 2.0)).model_dump()},
        {"inn": good["inn"] | {"dim": 7}},
        {"vae": {"dim": 180, "conditions": 34}},
    ):
        with pytest.raises(ValidationError):
            CaloInnConfig.model_validate(good | change)


def test_rings_whose_edges_do_not_rise_are_refused() -> None:
    with pytest.raises(ValidationError, match="must rise"):
        RingsConfig(edges_mm=(2.0, 1.0))


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="ild-photon-joint"):
        preset("nonsense")
