"""Graphs of annealers: their published sizes, and partitions without inner couplings."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_caloqvae.graphs import GraphName, annealer_label, four_partite_graph


def couplings_of(name: GraphName, size: int) -> np.ndarray:
    """Number of couplings between each two partitions, shape (4, 4)."""
    graph = four_partite_graph(name, size)
    first, second = graph.edges // graph.nodes
    return np.bincount(4 * first + second, minlength=16).reshape(4, 4)


@pytest.mark.parametrize(
    ("name", "size", "nodes", "edges"),
    [
        ("zephyr", 3, 84, 2_808),
        ("zephyr", 12, 1200, 45_864),
        ("pegasus", 4, 54, 1_324),
        ("pegasus", 16, 1350, 38_956),
        ("dense", 5, 5, 150),
    ],
)
def test_graphs_have_the_sizes_of_the_annealers(
    name: GraphName, size: int, nodes: int, edges: int
) -> None:
    graph = four_partite_graph(name, size)
    assert (graph.nodes, graph.edges.shape) == (nodes, (2, edges))
    assert len(set(map(tuple, graph.edges.T.tolist()))) == edges
    assert np.all(graph.edges[0] < graph.edges[1])
    assert graph.edges.max() < 4 * nodes


@pytest.mark.parametrize(("name", "size"), [("zephyr", 12), ("pegasus", 16), ("dense", 3)])
def test_no_coupling_is_inside_a_partition(name: GraphName, size: int) -> None:
    assert not np.diag(couplings_of(name, size)).any()


def test_partitions_of_zephyr_are_coupled_as_published() -> None:
    found = couplings_of("zephyr", 12)
    pairs = [found[i, j] for i, j in ((0, 1), (0, 3), (1, 2), (2, 3))]
    assert all(abs(n - 5_760) <= 4 for n in pairs)
    assert found[0, 2] == found[1, 3] == 11_416


def test_qubits_have_the_numbers_of_an_annealer() -> None:
    graph = four_partite_graph("zephyr", 3)
    labels = annealer_label(graph, "zephyr", 3)
    assert sorted(labels) == list(range(336))
    # The first vertical qubit ends where the next one of its track begins.
    number = {label: i for i, label in enumerate(labels.tolist())}
    pair = sorted((number[0], number[1]))
    assert pair in graph.edges.T.tolist()
    larger = annealer_label(four_partite_graph("pegasus", 4), "pegasus", 16)
    assert len(set(larger.tolist())) == 216
