"""Samplers with the interface of dimod: the Ising form, simulated annealing, a stub of a QPU."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import product
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from calozoo_caloqvae.annealers import quantum_annealer, simulated_annealer
from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.effective_temperature import estimate_beta
from calozoo_caloqvae.graphs import annealer_label, four_partite_graph
from calozoo_caloqvae.ising import IsingSampler
from calozoo_caloqvae.latent_sampler import latent_sampler
from calozoo_caloqvae.numpy_rbm import NumpyRbm, rbm_layout
from calozoo_caloqvae.placement import node_labels
from calozoo_core.errors import InputError
from calozoo_core.random import stream

READS = 20_000


class StubAnnealer:
    """Annealer of which we know all: it samples exactly, at an inverse temperature of its own.

    Arguments:
        beta: That inverse temperature.
        properties: What it says of itself.
    """

    parameters: Mapping[str, Any] = {"num_reads": [], "auto_scale": []}

    def __init__(self, beta: float, **properties: Any) -> None:
        self.properties, self._beta = properties, beta
        self._random = np.random.default_rng(7)
        self.asked: list[dict[str, Any]] = []

    def sample_ising(
        self,
        h: Mapping[int, float],
        J: Mapping[Any, float],  # noqa: N803
        **parameters: Any,
    ) -> Any:
        self.asked.append({"h": h, "J": J, **parameters})
        names = list(h)
        spins = np.array(list(product((-1, 1), repeat=len(names))), np.int8)
        energy = spins @ np.array(list(h.values()))
        for (one, other), coupling in J.items():
            energy = energy + coupling * spins[:, names.index(one)] * spins[:, names.index(other)]
        weights = np.exp(-self._beta * (energy - energy.min()))
        rows = self._random.choice(len(spins), parameters["num_reads"], p=weights / weights.sum())
        # As an annealer may: other order, equal states counted.
        states, counts = np.unique(spins[rows][:, ::-1], axis=0, return_counts=True)
        record = SimpleNamespace(sample=states, num_occurrences=counts)
        return SimpleNamespace(variables=names[::-1], record=record)


def streams(n: int) -> list[np.random.Generator]:
    return [stream(1, i, "test") for i in range(n)]


def test_the_ising_form_has_the_energies_of_the_machine(counted: Any) -> None:
    stub = StubAnnealer(1)
    IsingSampler(counted.rbm, stub).states(counted.bits, 1)
    fields, couplings = stub.asked[0]["h"], stub.asked[0]["J"]
    spins = 2 * counted.states - 1
    energy = spins @ np.array([fields[i] for i in range(3, 12)])
    for (one, other), coupling in couplings.items():
        energy += coupling * spins[:, one - 3] * spins[:, other - 3]
    difference = energy - counted.rbm.energy(counted.given(512), counted.states)
    np.testing.assert_allclose(difference, difference[0], atol=1e-4)


def test_a_sampler_that_is_hotter_or_colder_is_told_so(counted: Any) -> None:
    found = IsingSampler(counted.rbm, StubAnnealer(3.7), beta=3.7).states(counted.bits, READS)
    np.testing.assert_allclose(found.mean(axis=0), counted.marginals, atol=0.015)
    cold = IsingSampler(counted.rbm, StubAnnealer(3.7)).states(counted.bits, READS)
    assert np.abs(cold.mean(axis=0) - counted.marginals).max() > 0.05


@pytest.mark.parametrize("own", [0.6, 3.7, 12.0])
def test_the_temperature_of_an_annealer_is_found(counted: Any, own: float) -> None:
    annealer = IsingSampler(counted.rbm, StubAnnealer(own))
    found = estimate_beta(counted.rbm, annealer, counted.bits, reads=4000)
    assert found == annealer.beta == pytest.approx(own, rel=0.1)


def test_a_temperature_that_does_not_settle_is_a_sentence(counted: Any) -> None:
    annealer = IsingSampler(counted.rbm, StubAnnealer(1000))
    with pytest.raises(InputError, match="does not settle within 3 rounds"):
        estimate_beta(counted.rbm, annealer, counted.bits, rounds=3)


def test_showers_with_the_same_bits_are_asked_for_together(counted: Any) -> None:
    stub = StubAnnealer(1)
    sampler = IsingSampler(counted.rbm, stub, {"auto_scale": False})
    bits = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]], np.float32)
    assert sampler(bits, streams(3)).shape == (3, 9)
    assert sorted(asked["num_reads"] for asked in stub.asked) == [1, 2]
    assert all(asked["auto_scale"] is False for asked in stub.asked)


def test_fields_and_couplings_stay_within_the_ranges_of_an_annealer(counted: Any) -> None:
    stub = StubAnnealer(1, h_range=[-0.1, 0.1], extended_j_range=[-0.15, 0.1])
    IsingSampler(counted.rbm, stub).states(counted.bits, 1)
    fields, couplings = (np.array(list(stub.asked[0][name].values())) for name in ("h", "J"))
    assert (np.abs(fields).max(), couplings.min(), couplings.max()) == (0.1, -0.15, 0.1)


def test_simulated_annealing_at_one_temperature_has_the_marginals(counted: Any) -> None:
    pytest.importorskip("dwave.samplers")
    annealer, parameters = simulated_annealer(60)
    held = IsingSampler(counted.rbm, annealer, parameters).states(counted.bits, READS, seed=1)
    np.testing.assert_allclose(held.mean(axis=0), counted.marginals, atol=0.015)
    cooled = IsingSampler(counted.rbm, annealer).states(counted.bits, 2000, seed=1)
    assert np.abs(cooled.mean(axis=0) - counted.marginals).max() > 0.2


def test_simulated_annealing_gives_each_shower_its_own_states(counted: Any) -> None:
    pytest.importorskip("dwave.samplers")
    sampler = latent_sampler("annealing", counted.rbm, 20, None, counted.bits)
    whole = sampler(counted.given(6), streams(6))
    np.testing.assert_array_equal(sampler(counted.given(6)[4:], streams(6)[4:]), whole[4:])
    assert len(np.unique(whole, axis=0)) > 1


class TestPlacement:
    config = RbmConfig(graph="zephyr", size=2)

    def chip(self, **missing: Any) -> SimpleNamespace:
        """Annealer of size 4 that lacks some qubits or couplings."""
        graph = four_partite_graph("zephyr", 4)
        labels = annealer_label(graph, "zephyr", 4)
        qubits = set(labels.tolist()) - set(missing.get("qubits", ()))
        edges = [tuple(pair) for pair in labels[graph.edges].T.tolist()]
        return SimpleNamespace(
            nodelist=sorted(qubits),
            edgelist=[e for e in edges if qubits.issuperset(e) and e != missing.get("coupling")],
            properties={"topology": {"type": "zephyr", "shape": [4, 4]}},
        )

    def labels(self, sampler: Any) -> list[int]:
        graph = four_partite_graph("zephyr", 2)
        return node_labels(self.config, graph, sampler).tolist()

    def test_the_graph_lies_on_qubits_and_couplings_that_exist(self) -> None:
        chip, graph = self.chip(), four_partite_graph("zephyr", 2)
        labels = np.array(self.labels(chip))
        pairs = {tuple(sorted(pair)) for pair in labels[graph.edges].T.tolist()}
        assert pairs <= {tuple(sorted(pair)) for pair in chip.edgelist}

    def test_it_moves_away_from_a_defect(self) -> None:
        first = self.labels(self.chip())
        moved = self.labels(self.chip(qubits=first[-3:]))
        assert not set(first[-3:]) & set(moved[40:])

    def test_a_chip_without_room_or_of_another_kind_is_refused(self) -> None:
        chip = self.chip()
        chip.nodelist = chip.nodelist[::2]
        with pytest.raises(InputError, match="no place for a zephyr graph of size 2"):
            self.labels(chip)
        chip.properties["topology"]["type"] = "pegasus"
        with pytest.raises(InputError, match="has the topology pegasus"):
            self.labels(chip)


class TestQuantumAnnealer:
    """With a stub in the place of D-Wave's package; no real annealer was ever asked."""

    @pytest.fixture
    def package(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = ModuleType("dwave.system")
        monkeypatch.setitem(sys.modules, "dwave", ModuleType("dwave"))
        monkeypatch.setitem(sys.modules, "dwave.system", module)
        return module

    def test_its_temperature_is_estimated_unless_it_is_told(
        self, package: ModuleType, counted: Any
    ) -> None:
        package.DWaveSampler = lambda: StubAnnealer(3.7)  # type: ignore[attr-defined]
        estimated = latent_sampler("qpu", counted.rbm, 30, None, counted.bits)
        told = latent_sampler("qpu", counted.rbm, 30, 2.0, counted.bits)
        assert isinstance(estimated, IsingSampler)
        assert isinstance(told, IsingSampler)
        assert estimated.beta == pytest.approx(3.7, rel=0.3)
        assert told.beta == 2.0

    def test_a_missing_token_is_one_sentence(self, package: ModuleType) -> None:
        def without_token() -> None:
            raise ValueError("API token not defined")

        package.DWaveSampler = without_token  # type: ignore[attr-defined]
        with pytest.raises(InputError, match=r"\(API token not defined\); set DWAVE_API_TOKEN to"):
            quantum_annealer()

    @pytest.mark.parametrize(
        ("name", "distribution"), [("annealing", "dwave-samplers"), ("qpu", "dwave-system")]
    )
    def test_a_package_that_is_not_installed_is_named(
        self, monkeypatch: pytest.MonkeyPatch, counted: Any, name: str, distribution: str
    ) -> None:
        for module in ("dwave", "dwave.samplers", "dwave.system"):
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InputError, match=f"needs {distribution}; type `pip install"):
            latent_sampler(name, counted.rbm, 30, None, counted.bits)


def test_the_machine_of_the_trained_size_is_sampled_through_the_interface() -> None:
    pytest.importorskip("dwave.samplers")
    config = RbmConfig(graph="zephyr", size=3)
    arrays = {name: np.zeros(entry.shape, np.float32) for name, entry in rbm_layout(config).items()}
    rbm = NumpyRbm(config, arrays)
    sampler = latent_sampler("annealing", rbm, 5, None, np.zeros(84, np.float32))
    found = sampler(np.zeros((3, 84), np.float32), streams(3))
    assert found.shape == (3, 252)
    assert 0.3 < found.mean() < 0.7
