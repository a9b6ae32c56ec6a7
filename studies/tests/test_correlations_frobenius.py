"""Correlations in their three modes, on samples whose correlations are known."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.showers import Showers
from studies.correlations import frobenius as study
from studies.correlations.frobenius import MODES, distances, floors, voxels

LAYERS, SECTORS, RINGS = 10, 16, 9


def sample(n: int, seed: int, common: float) -> np.ndarray:
    """Energies that have a part in common with all others of their shower."""
    random = np.random.default_rng(seed)
    shared = random.normal(0, 1, (n, 1, 1, 1))
    return 10 + common * shared + random.normal(0, 1, (n, LAYERS, SECTORS, RINGS))


def test_the_modes_have_the_published_entries_and_the_known_correlations() -> None:
    energies = sample(20_000, 1, 1.0)
    voxel, layer, group = (MODES[name](energies) for name in ("voxel", "layer", "group"))
    assert voxel.shape == (LAYERS - 1, SECTORS * RINGS)
    np.testing.assert_allclose(voxel, 0.5, atol=0.04)
    assert layer.shape == (LAYERS, LAYERS)
    # A layer is the sum of m voxels: m^2 of its variance are common, and m are its own.
    m = SECTORS * RINGS
    np.testing.assert_allclose(layer[np.triu_indices(LAYERS, 1)], m / (m + 1), atol=0.01)
    np.testing.assert_allclose(np.diag(layer), 1)
    assert group.shape == (LAYERS // 5 - 1, RINGS)
    np.testing.assert_allclose(group, 5 * SECTORS / (5 * SECTORS + 1), atol=0.01)


def test_a_sample_of_the_same_law_is_at_the_floor_and_another_is_not() -> None:
    truth = sample(600, 2, 1.0)
    floor = floors(truth, 600)
    same, other = (distances(sample(600, 3, common), truth) for common in (1.0, 0.6))
    for mode in MODES:
        assert floor[mode] / 3 < same[mode].value < 2 * floor[mode]
        assert other[mode].value > 3 * floor[mode]
        assert other[mode].error > 0


def made_up(n: int) -> Showers:
    random = np.random.default_rng(4)
    return Showers(
        offsets=np.arange(n + 1) * 50,
        x=random.normal(0, 15, n * 50).astype(np.float32),
        y=random.normal(0, 15, n * 50).astype(np.float32),
        layer=np.sort(random.integers(0, 30, (n, 50)), axis=1).ravel(),
        energy=random.exponential(0.5, n * 50),
        incident=Incident(np.linspace(10, 100, n), np.tile([0.0, 0.0, 1.0], (n, 1))),
        representation="x25",
        detector="ild_siecal_regular",
    )


def test_voxels_hold_all_energy_by_layer() -> None:
    showers = made_up(3)
    energies = voxels(showers)
    assert energies.shape == (3, 30, SECTORS, RINGS)
    np.testing.assert_allclose(energies.sum(), showers.energy.sum(), rtol=1e-5)
    layers = np.bincount(showers.layer, showers.energy, minlength=30)
    np.testing.assert_allclose(energies.sum(axis=(0, 2, 3)), layers, rtol=1e-5)


def test_the_command_prints_writes_and_draws(tmp_path, capsys) -> None:
    write_showers(tmp_path / "truth.h5", made_up(40), generator="made-up")
    page, picture = tmp_path / "page.md", tmp_path / "cfd.png"
    page.write_text("<!-- begin frobenius -->\n<!-- end frobenius -->\n")
    words = [str(tmp_path / "truth.h5"), "--model", "toy.ild-photon"]
    study.main([*words, "--write", str(page), "--picture", str(picture)])
    printed = capsys.readouterr().out
    assert "| `toy.ild-photon` | **" in printed
    assert printed in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_file_with_too_few_showers_is_refused(tmp_path) -> None:
    write_showers(tmp_path / "few.h5", made_up(5), generator="made-up")
    with pytest.raises(SystemExit, match="holds 5 showers; 40 are needed"):
        study.main([str(tmp_path / "few.h5")])
