"""Checks of generators whose networks draw the core of a shower (`CoreGenerator`).

Derive one class from `CoreGeneration` for a small model with random weights, and one from
`CorePhysics` for the weights that ship, beside the one from `ModelContract`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from calozoo_core.clumps import VoxelMesh
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.clumps.core_source import CoreSource
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.kernels import numpy_only
from calozoo_core.showers import Showers
from calozoo_core.testing._requests import bundled_folder, load_bundled, resolve
from calozoo_core.testing.photons import PhotonPhysics
from calozoo_core.typing import Float32Array, FloatArray
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["CoreGeneration", "CorePhysics", "CoreSourceContract"]

RINGS = 5
LAYERS = 30


class CoreGeneration:
    """Steps, parameters and rings of a small model with random weights.

    Example:
        >>> class TestMyCore(CoreGeneration):
        ...     spec: ModelSpec  # = the spec your plugin registers
        ...     trained_class: type[TrainedModel]  # = what training writes
        ...     tiny: Any  # = its smallest configuration
    """

    spec: ClassVar[ModelSpec]
    #: Class of the trained model in torch.
    trained_class: ClassVar[type[TrainedModel]]
    #: Smallest configuration.
    tiny: ClassVar[Any]
    #: Number of steps beside that of the configuration.
    other_steps: ClassVar[int] = 2
    #: Networks that a shower needs, by field; None for all.
    needed: ClassVar[tuple[str, ...] | None] = None

    @pytest.fixture
    def trained(self) -> Any:
        """Untrained, but of the right make: a typical profile, and something in every ring."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(20)
            model: Any = self.trained_class.untrained(self.tiny)
            for network in model.named_networks().values():
                for parameter in network.parameters():
                    torch.nn.init.normal_(parameter, std=0.1)
        # The logarithm of the visible energy, then logits of what a layer keeps of what is left.
        model.energy_scale.mean[1:, 0] = -2.0 + 0.05 * np.arange(LAYERS - 1)
        model.energy_scale.log_spread[:, 0] = -1.5
        model.shape_scale.mean[:, 0] = np.tile(np.log([0.4, 0.25, 0.15, 0.1, 0.1]), LAYERS)
        model.shape_scale.log_spread[:, 0] = -0.5
        model.calibration.factor.fill(1.0)
        return model

    @pytest.fixture
    def load(self, trained: Any, tmp_path: Path) -> Callable[..., CoreGenerator[Any]]:
        """A function that loads the model, with the options it is given."""
        trained.write(tmp_path / "weights")
        generator: Any = resolve(self.spec.factory)

        def loaded(**options: Any) -> CoreGenerator[Any]:
            model: CoreGenerator[Any] = generator.load(self.spec, tmp_path / "weights", **options)
            return model

        return loaded

    def test_the_steps_change_the_showers_and_are_written_down(
        self, load: Callable[..., CoreGenerator[Any]]
    ) -> None:
        other, default = load(steps=self.other_steps), load()
        assert (other.provenance["steps"], default.provenance["steps"]) == (
            self.other_steps,
            self.tiny.steps,
        )
        one, two = (model.generate(energy=30, n=3, seed=1) for model in (other, default))
        assert not np.array_equal(one.energy, two.energy)
        np.testing.assert_allclose(one.visible_energy, two.visible_energy, rtol=0.5)

    @pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, "8", True])
    def test_a_number_of_steps_that_makes_no_sense_is_refused(
        self, load: Callable[..., CoreGenerator[Any]], steps: object
    ) -> None:
        with pytest.raises(InputError, match="takes 1 to 1000 evaluations of its network, not"):
            load(steps=steps)

    def test_the_parameters_are_those_of_the_networks_that_a_shower_needs(
        self, load: Callable[..., CoreGenerator[Any]], trained: Any
    ) -> None:
        networks = trained.named_networks()
        needed = networks if self.needed is None else self.needed
        count = sum(p.numel() for name in needed for p in networks[name].parameters())
        assert load().parameters == count

    def test_a_core_with_other_rings_is_refused(
        self, load: Callable[..., CoreGenerator[Any]], tmp_path: Path
    ) -> None:
        path = tmp_path / "weights" / "config.json"
        config = json.loads(path.read_text())
        config["core_edges_mm"][-1] = 9.0
        path.write_text(json.dumps(config))
        with pytest.raises(WeightsError, match=r"rings that end at 1\.5, 3, 4\.5, 6, 9 mm"):
            load()


class CorePhysics(PhotonPhysics):
    """Record of the training, profiles of the cells, and how the rings of a layer go together.

    Example:
        >>> class TestMyPhotons(CorePhysics):
        ...     spec: ModelSpec  # = the spec your plugin registers
        ...     stages = {"energies", "shape"}
    """

    divergence: ClassVar = {"layer_energy": 3e-4, "radius_energy": 1e-4, "energy_count": 1e-3}
    as_cells: ClassVar = True
    #: Stages of the training.
    stages: ClassVar[set[str]]
    #: By how much a correlation of two rings of a layer may differ from Geant4's.
    ring_correlation: ClassVar[float] = 0.2
    #: Number of training showers.
    n_train: ClassVar[int] = 12_900

    def test_the_record_of_the_training_ships_with_the_weights(self) -> None:
        weights = bundled_folder(self.spec)
        assert weights is not None
        record = json.loads((weights / "training.json").read_text(encoding="utf-8"))
        assert set(record["stages"]) == self.stages
        assert record["showers"] == {"train": self.n_train, "val": 800}
        for stage in record["stages"]:
            assert "score" in (weights / f"{stage}.csv").read_text(encoding="utf-8")

    def test_rings_of_a_layer_go_together_as_geant4s_do(
        self, generated: Showers, reference: Showers
    ) -> None:
        """Correlations of the rings over showers, which a mean profile knows nothing of."""
        log_energy = np.log(reference.incident.energy)
        mine, theirs = (self._correlations(one, log_energy) for one in (generated, reference))
        assert np.abs(mine - theirs).max() < self.ring_correlation

    def _correlations(self, showers: Showers, log_energy: Float32Array) -> FloatArray:
        """Of rings, in some layers, beyond what the incident energy makes of them."""
        energies = core_energies(showers, VoxelMesh(), RINGS)[:, 5:20:3]
        features = np.stack([np.ones_like(log_energy), log_energy, log_energy**2], axis=1)
        logs = np.log(energies + 0.05).reshape(len(showers), -1)
        rest = (logs - features @ np.linalg.lstsq(features, logs, rcond=None)[0]).T
        return np.stack([np.corrcoef(rings) for rings in np.split(rest, len(rest) // RINGS)])


class CoreSourceContract:
    """Rings that a `CoreSource` hands over: those of its showers, whatever their numbers.

    Example:
        >>> class TestMyRings(CoreSourceContract):
        ...     spec: ModelSpec  # = the spec your plugin registers
    """

    #: Spec of the source, whose weights come with the plugin.
    spec: ClassVar[ModelSpec]

    @pytest.mark.parametrize("n", [1, 20])
    def test_rings_handed_over_are_those_of_the_showers(self, n: int) -> None:
        source = load_bundled(self.spec)
        assert isinstance(source, CoreSource)
        slant = np.linspace(-0.6, 0.6, n)
        direction = np.column_stack([slant, slant / 3, np.sqrt(1 - slant**2 * 10 / 9)])
        incident = Incident(np.linspace(10, 60, n), direction)
        numbers = np.concatenate([np.arange(5, 5 + n // 2), np.arange(90, 90 + n - n // 2)])
        mesh = VoxelMesh()

        rings = source.core_numbers(incident, 3, numbers, mesh.edges_mm[:RINGS])

        whole = core_energies(source.sample_numbers(incident, 3, numbers), mesh, RINGS)
        np.testing.assert_allclose(rings, whole, rtol=1e-4, atol=0.05)
        assert np.mean(rings != whole) < 0.01
        assert np.all(rings.sum(axis=(1, 2)) > 50)
        with numpy_only():
            plain = source.core_numbers(incident, 3, numbers, mesh.edges_mm[:RINGS])
        np.testing.assert_allclose(rings.sum(axis=(1, 2)), plain.sum(axis=(1, 2)), rtol=1e-3)
