"""The CaloChallenge's figures: features of layers of voxels, and separation powers of samples."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.metrics.voxel_comparison import (
    VoxelSample,
    VoxelSpectrum,
    compare_voxels,
    spectrum_binning,
)
from calozoo_core.observables.voxel_features import LAYER_QUANTITIES, VoxelFeatures
from calozoo_core.voxels import DATASETS, CylinderVoxels

VOXELS = DATASETS["dataset2"]
CUT = 0.01515
SMALL = CylinderVoxels.regular(3, n_alpha=4, n_r=5, dr_mm=4.65)


def made_up(n, seed, scale=1.0, voxels=SMALL):
    """Energies and voxels in MeV, most of which are empty."""
    random = np.random.default_rng(seed)
    energy = random.uniform(900, 1100, n)
    values = random.lognormal(0, 0.3, (n, voxels.n_voxels)) * (np.arange(voxels.n_voxels) % 3 > 0)
    values *= random.random((n, voxels.n_voxels)) < 0.9
    return energy, values * (scale * energy / values.sum(axis=1).mean())[:, None]


def compared(generated, reference, **options):
    samples, spectra = [], []
    for energy, values in (generated, reference):
        sample = VoxelSample(SMALL, CUT)
        for start in range(0, len(energy), 70):  # runs of any length give the same
            rows = slice(start, start + 70)
            sample.add(energy[rows], values[rows])
        samples.append(sample)
    binning = spectrum_binning(samples[1])
    for _, values in (generated, reference):
        spectra.append(VoxelSpectrum(binning))
        spectra[-1].add(values)
    figures = compare_voxels(*samples, tuple(spectra), **options)
    return {(f.name.removeprefix("voxels."), f.metric): f for f in figures}


def by_hand(generated, reference, edges):
    """Equation 15 of arXiv:2009.03796 on numpy's histograms."""
    p, q = (np.histogram(values, edges)[0].astype(float) for values in (generated, reference))
    p, q = p / p.sum(), q / q.sum()
    return 0.5 * ((p - q) ** 2 / (p + q + 1e-16)).sum()


def test_features_of_a_single_voxel_are_those_of_its_middle():
    values = np.zeros((1, 45, 16, 9))
    values[0, 7, 9, 2] = 500
    values[0, 8, 0, 0] = 0.015  # below the cut
    found = VoxelFeatures.of(np.array([[1000.0]]), values.reshape(1, -1), VOXELS, CUT)
    assert found.energy_ratio == 0.5
    r, alpha = 2.5 * 4.65, 1.5 * np.pi / 8
    expected = [500, r * np.cos(alpha), r * np.sin(alpha), r, 0, 0, 0, 143 / 144]
    np.testing.assert_allclose(found.layers[0, 7], expected, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found.layers[0, 8], [0] * 7 + [1])


def test_widths_are_those_of_the_energy_about_its_centre():
    values = np.zeros((1, 45, 16, 9))
    values[0, 0, 8, 1], values[0, 0, 0, 3] = 1, 3
    found = VoxelFeatures.of(np.array([1000.0]), values.reshape(1, -1), VOXELS)
    r = 4.65 * np.array([1.5, 3.5])
    eta = r * np.cos(np.pi / 16) * [1, -1]
    for name, places in (("r", r), ("eta", eta)):
        centre = np.average(places, weights=[1, 3])
        width = np.sqrt(np.average((places - centre) ** 2, weights=[1, 3]))
        assert found.quantity(f"centre_{name}")[0, 0] == pytest.approx(centre, rel=1e-5)
        assert found.quantity(f"width_{name}")[0, 0] == pytest.approx(width, rel=1e-5)


def test_the_high_level_classifier_gets_as_many_features_as_the_challenges():
    found = VoxelFeatures.of(np.array([1000.0]), np.ones((1, 6480)), VOXELS)
    assert found.matrix().shape == (1, 362)
    assert np.isfinite(found.matrix()).all()


def test_separation_powers_are_those_of_the_challenges_histograms():
    generated, reference = made_up(300, 1, 1.1), made_up(400, 2)
    found = compared(generated, reference, classifier=False)
    mine, theirs = (VoxelFeatures.of(*sample, SMALL, CUT) for sample in (generated, reference))
    ratio = by_hand(mine.energy_ratio, theirs.energy_ratio, np.linspace(0.5, 1.5, 101))
    assert found["energy_ratio", "separation"].value == pytest.approx(ratio, rel=1e-9)
    edges = np.geomspace(CUT, reference[1].max(), 50)
    spectrum = by_hand(generated[1], reference[1], edges)
    assert found["voxel_energy", "separation"].value == pytest.approx(spectrum, rel=1e-9)
    bins = {
        "centre_eta": np.linspace(-30, 30, 101),
        "width_r": np.linspace(0, 20, 101),
        "sparsity": np.linspace(0, 1, 21),
    }
    for name in ("layer_energy", *bins):
        one, other = (each.quantity(name).astype(float) for each in (mine, theirs))
        powers = []
        for layer in range(3):
            low_to_high = np.geomspace(CUT, other[:, layer].max(), 40)
            edges = bins.get(name, low_to_high)
            powers.append(by_hand(one[:, layer], other[:, layer], edges))
            value = found[f"{name}@layer {layer}", "separation"].value
            assert value == pytest.approx(powers[-1], rel=1e-9)
        assert found[name, "separation"].value == pytest.approx(np.mean(powers), rel=1e-9)
        assert found[name, "separation"].n_entries == 3


def test_samples_of_one_law_lie_at_the_floor_and_others_above_it():
    same = compared(made_up(600, 1), made_up(600, 2), classifier=False)
    other = compared(made_up(220, 1, 1.2), made_up(220, 2))
    for name in ("energy_ratio", *LAYER_QUANTITIES):
        figure = same[name, "separation"]
        assert figure.value < 2 * figure.noise_floor
    assert other["energy_ratio", "separation"].value > 0.6
    assert other["classifier", "auc"].value > 0.9
    assert other["classifier", "auc"].n_entries == 2 + 8 * 3


def test_what_a_small_or_an_empty_sample_does_not_say_has_a_reason():
    energy, values = made_up(60, 1)
    values[:, :20] = 0
    found = compared((energy, values), (energy, values), distances=True)
    assert "No reference shower" in found["layer_energy@layer 0", "separation"].reason
    assert found["layer_energy", "separation"].n_entries == 2
    assert "200" in found["classifier", "auc"].reason
    assert "1000" in found["features", "fpd"].reason
