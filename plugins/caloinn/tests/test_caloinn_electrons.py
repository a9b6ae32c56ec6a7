"""The electrons that come with the package, against Geant4 showers they were not trained on.

`electrons_held_out.h5` is the file of energies number 15, simulated as docs/caloinn.md has it and
exported with `calozoo export --to calochallenge --voxels dataset2`, in 32 bits of which the last 11
are rounded away.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from calozoo_caloinn import ELECTRON_SPEC
from calozoo_caloinn.cylinder.model import CaloInnCylinder
from calozoo_core.incident import Incident
from calozoo_core.io import calochallenge
from calozoo_core.metrics import js_divergence
from calozoo_core.testing import ModelContract
from calozoo_core.voxels import DATASETS
from studies.caloinn.voxel_comparison import RANGES_GEV, observables, ratios

WEIGHTS = Path(str(files("calozoo_caloinn"))) / "weights" / "calochallenge2-electron"
HELD_OUT = Path(__file__).with_name("electrons_held_out.h5")
SHAPE = (-1, 45, 16, 9)
REPEATS = 3

VoxelFile = tuple[NDArray[np.float64], NDArray[np.float64]]


class TestCaloInnElectrons(ModelContract):
    spec = ELECTRON_SPEC
    visible_fraction = (0.028, 0.036)
    nonlinearity = 0.03


@pytest.fixture(scope="module")
def model() -> CaloInnCylinder:
    return CaloInnCylinder.load(ELECTRON_SPEC, WEIGHTS)


@pytest.fixture(scope="module")
def reference() -> VoxelFile:
    return calochallenge.read(HELD_OUT)


@pytest.fixture(scope="module")
def exported(
    model: CaloInnCylinder, reference: VoxelFile, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Showers for the primaries of the reference, three times over, as the challenge has them."""
    energy = np.tile(reference[0][:, 0] / 1000, REPEATS)
    showers = model.batches(Incident(energy, (0, 0, 1), "e-"), seed=11)
    path = tmp_path_factory.mktemp("electrons") / "generated.h5"
    calochallenge.write(
        path,
        showers,
        DATASETS["dataset2"],
        sampling_fraction=calochallenge.SAMPLING_FRACTION,
        threshold_mev=calochallenge.THRESHOLD_MEV,
    )
    return path


@pytest.fixture(scope="module")
def generated(exported: Path) -> VoxelFile:
    return calochallenge.read(exported)


def test_the_file_is_one_that_the_challenges_evaluation_reads(exported: Path) -> None:
    """Its reader takes both tables as they are, and reshapes to layers, alpha and r."""
    with h5py.File(exported) as file:
        assert set(file) == {"incident_energies", "showers"}
        energy, showers = file["incident_energies"][:], file["showers"][:]
    n = 100 * REPEATS
    assert energy.shape == (n, 1)
    assert showers.shape == (n, 6480)
    # It computes in 64 bits, and stops at a file that is all 32.
    assert energy.dtype == showers.dtype == np.float64
    assert ((energy >= 1e3) & (energy <= 1e6)).all()
    filled = showers[showers != 0]
    assert (filled >= 0.5e-3 / 0.033 - 1e-9).all()
    # Divided by the sampling fraction, energies are close to those of the primaries.
    assert showers.sum() / energy.sum() == pytest.approx(1, abs=0.1)
    # What comes first within a layer is alpha, the radius fastest: the axis is the first of nine.
    radial = showers.reshape(n, 45, 16, 9).sum(axis=(0, 1, 2))
    assert (np.diff(radial) < 0).all()
    depth = showers.reshape(n, 45, 144).sum(axis=(0, 2))
    assert 8 < depth.argmax() < 16


def per_gev(sample: VoxelFile) -> NDArray[np.float64]:
    energy, voxels = sample
    mean: NDArray[np.float64] = (voxels / energy).mean(axis=0).reshape(SHAPE[1:])
    return mean


def test_mean_profiles_are_those_of_geant4(generated: VoxelFile, reference: VoxelFile) -> None:
    mine, truth = per_gev(generated), per_gev(reference)
    assert js_divergence(mine.sum(axis=(1, 2)), truth.sum(axis=(1, 2))) < 1e-3
    assert js_divergence(mine.sum(axis=(0, 1)), truth.sum(axis=(0, 1))) < 1e-3


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("energy / incident", 0.01),
        ("filled voxels", 0.04),
        ("depth", 0.04),
        ("length", 0.04),
        ("mean radius", 0.04),
        ("width of radius", 0.06),
        ("width", 0.05),
    ],
)
def test_means_are_those_of_geant4(
    generated: VoxelFile, reference: VoxelFile, name: str, within: float
) -> None:
    """To so many percent, and three times the error of the few Geant4 showers of a range."""
    for low, high in RANGES_GEV:
        found = []
        for energy, voxels in (generated, reference):
            rows = (energy[:, 0] >= 1000 * low) & (energy[:, 0] < 1000 * high)
            found.append(observables(energy[rows], voxels[rows])[name])
        (ratio, error), _ = ratios(*found, np.random.default_rng(0))
        assert abs(ratio - 1) < within + 3 * error, f"{low:g}-{high:g} GeV: {ratio:.3f}"


def test_voxels_have_the_spectrum_of_geant4s(generated: VoxelFile, reference: VoxelFile) -> None:
    edges = np.geomspace(calochallenge.THRESHOLD_MEV, 1e4, 40)
    counts = [np.histogram(voxels, edges)[0] for _, voxels in (generated, reference)]
    assert js_divergence(*counts) < 3e-3


def test_the_energy_of_high_showers_spreads_less(generated: VoxelFile) -> None:
    energy, voxels = generated
    share = voxels.sum(axis=1) / energy[:, 0]
    low, high = share[energy[:, 0] < 3000], share[energy[:, 0] > 15000]
    assert high.std() < 0.5 * low.std()


def test_any_electron_can_be_had_without_the_ones_before_it(model: CaloInnCylinder) -> None:
    one = Incident([20], (0, 0, 1), "e-")
    far, again = (model.sample(one, 1, 100_000) for _ in range(2))
    np.testing.assert_array_equal(far.x, again.x)
    assert not np.array_equal(far.energy, model.sample(one, 1, 0).energy)
