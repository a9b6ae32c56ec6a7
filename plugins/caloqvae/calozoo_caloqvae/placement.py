"""Place of the Boltzmann machine's graph on an annealer that is larger, or has defects."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from calozoo_caloqvae.config import RbmConfig
from calozoo_caloqvae.graphs import FourPartiteGraph, annealer_label
from calozoo_core.errors import InputError
from calozoo_core.typing import IntArray

__all__ = ["node_labels"]


def node_labels(config: RbmConfig, graph: FourPartiteGraph, sampler: Any) -> IntArray:
    """Number by which a sampler knows each node, shape (4 x nodes,).

    A sampler without a topology takes any number. On an annealer all places are tried where the
    graph fits, and the first one without a defect is taken.

    Arguments:
        config: Of the Boltzmann machine.
        graph: Its graph.
        sampler: Sampler with the interface of dimod; an annealer has `nodelist` and `edgelist`.

    Raises:
        InputError: If the annealer has another topology, or no place without defects.
    """
    topology = sampler.properties.get("topology")
    if topology is None:
        return np.arange(len(graph.coordinates))
    if topology["type"] != config.graph:
        msg = (
            f"The annealer has the topology {topology['type']}, and this model that of "
            f"{config.graph}; choose another solver, or sampler='gibbs'."
        )
        raise InputError(msg, argument="sampler='gibbs'")
    size = int(topology["shape"][0])
    # Vertices of the conditioned partition need no qubit: they are folded into fields.
    latents = np.arange(config.nodes, len(graph.coordinates))
    inner = graph.edges[:, graph.edges[0] >= config.nodes]
    nodes = set(sampler.nodelist)
    edges = {(min(pair), max(pair)) for pair in sampler.edgelist}
    for shift in product(range(size - config.size + 1), repeat=2):
        moved = graph._replace(coordinates=_moved(config, graph.coordinates, shift))
        labels = annealer_label(moved, config.graph, size)
        pairs = np.sort(labels[inner], axis=0).T.tolist()
        if nodes.issuperset(labels[latents].tolist()) and edges.issuperset(map(tuple, pairs)):
            return labels
    msg = (
        f"The annealer has no place for a {config.graph} graph of size {config.size} without a "
        "defect; choose another solver, or sampler='gibbs'."
    )
    raise InputError(msg, argument="sampler='gibbs'")


def _moved(config: RbmConfig, coordinates: IntArray, shift: tuple[int, ...]) -> IntArray:
    """Coordinates of qubits shifted by whole tiles, columns and rows."""
    moved = coordinates.copy()
    horizontal = coordinates[:, 0]
    column, row = shift
    tracks = 2 if config.graph == "zephyr" else 1
    moved[:, 1] += tracks * np.where(horizontal, row, column)
    moved[:, -1] += np.where(horizontal, column, row)
    return moved
