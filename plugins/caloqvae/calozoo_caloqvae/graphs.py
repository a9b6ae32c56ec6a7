"""Graphs of quantum annealers as four-partite graphs: Zephyr, Pegasus, and all couplings.

No two nodes of a partition are coupled, so that a whole partition can be sampled at once.

References:
    | Conditioned Calo4pQVAE, on Pegasus: https://arxiv.org/abs/2410.22870
    | Hierarchical Calo4pQVAE, on Zephyr: https://arxiv.org/abs/2412.04677
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, NamedTuple

import numpy as np

from calozoo_core.typing import IntArray

__all__ = ["PARTITIONS", "FourPartiteGraph", "GraphName", "annealer_label", "four_partite_graph"]

GraphName = Literal["zephyr", "pegasus", "dense"]

PARTITIONS: Final = 4

ZEPHYR_TILE: Final = 4
"""Parallel qubits of a tile of Zephyr: t."""

PEGASUS_TRACKS: Final = 12
"""Parallel qubits of a tile of Pegasus."""

PEGASUS_OFFSETS: Final = np.repeat([[2, 10, 6], [6, 2, 10]], 4, axis=1)
"""Where the qubits of a tile of Pegasus begin: vertical ones, horizontal ones."""


class FourPartiteGraph(NamedTuple):
    """Nodes in four partitions of the same size, and the couplings between them.

    Node i of partition k is number k x nodes + i.

    Arguments:
        nodes: Number of nodes of each partition.
        edges: Numbers of the two nodes of each coupling, the smaller one first, shape (2, edges).
        coordinates: Coordinates of each node on an annealer, shape (4 x nodes, dim); dim is 0 for a
            graph that no annealer has.
    """

    nodes: int
    edges: IntArray
    coordinates: IntArray


@cache
def four_partite_graph(name: GraphName, size: int) -> FourPartiteGraph:
    """Graph of an annealer without defects, or of all couplings between partitions.

    Arguments:
        name: "zephyr", "pegasus", or "dense" for all couplings.
        size: Size m of the annealer's graph; of a dense graph the nodes of each partition.

    Example:
        >>> graph = four_partite_graph("zephyr", 3)
        >>> graph.nodes, graph.edges.shape[1]
        (84, 2808)
    """
    if name == "dense":
        return FourPartiteGraph(size, _all_pairs(size), np.empty((PARTITIONS * size, 0), np.int64))
    coordinates, edges = _zephyr(size) if name == "zephyr" else _pegasus(size)
    partition_of = zephyr_partition if name == "zephyr" else pegasus_partition
    partition = partition_of(coordinates)
    order = np.argsort(partition, kind="stable")
    number = np.argsort(order)
    ordered = np.sort(number[edges], axis=0)
    return FourPartiteGraph(
        len(order) // PARTITIONS,
        ordered[:, np.lexsort(ordered[::-1])],
        coordinates[order],
    )


def zephyr_partition(coordinates: IntArray) -> IntArray:
    """Partition of qubits of Zephyr, shape (n,).

    Arguments:
        coordinates: (u, w, k, j, z) of each, shape (n, 5).
    """
    u, w, _, j, z = coordinates.T
    partition: IntArray = (2 * u + w + 2 * z + j) % PARTITIONS
    return partition


def pegasus_partition(coordinates: IntArray) -> IntArray:
    """Partition of qubits of Pegasus, shape (n,).

    Arguments:
        coordinates: (u, w, k, z) of each, shape (n, 4).
    """
    u, _, k, z = coordinates.T
    inner = (k % 4 == 1) | (k % 4 == 2)
    partition: IntArray = 1 - u + 2 * (inner ^ (z % 2 == 1))
    return partition


def annealer_label(graph: FourPartiteGraph, name: GraphName, size: int) -> IntArray:
    """Number by which an annealer's own software knows each node, shape (4 x nodes,).

    Arguments:
        graph: Graph of the annealer.
        name: "zephyr" or "pegasus".
        size: Size m of the graph.
    """
    shape: tuple[int, ...] = (2, 2 * size + 1, ZEPHYR_TILE, 2, size)
    if name == "pegasus":
        shape = (2, size, PEGASUS_TRACKS, size - 1)
    label: IntArray = np.ravel_multi_index(tuple(graph.coordinates.T), shape).astype(np.int64)
    return label


def _all_pairs(nodes: int) -> IntArray:
    """Couplings between all nodes of different partitions, shape (2, 6 x nodes^2)."""
    pairs = np.indices((nodes, nodes)).reshape(2, -1)
    blocks = [
        pairs + nodes * np.array([[first], [second]])
        for first in range(PARTITIONS)
        for second in range(first + 1, PARTITIONS)
    ]
    return np.concatenate(blocks, axis=1).astype(np.int64)


def _zephyr(m: int) -> tuple[IntArray, IntArray]:
    """Coordinates (u, w, k, j, z) of the qubits of Zephyr, and its couplings.

    A vertical qubit runs along column w over the rows 2z + j and 2z + j + 1; it is coupled to the
    horizontal ones that it crosses. Along a track, one is coupled to the next one that it overlaps
    (odd) and to the next one behind its own end (external).
    """
    shape = (2, 2 * m + 1, ZEPHYR_TILE, 2, m)
    coordinates = np.indices(shape).reshape(5, -1).T
    u, w, k, j, z = coordinates.T
    begin = 2 * z + j
    inner = _crossings(u, w, begin, begin + 1)
    along = _along_tracks((u, w, k), begin, (1, 2))
    return coordinates, np.concatenate([inner, along], axis=1)


def _pegasus(m: int) -> tuple[IntArray, IntArray]:
    """Coordinates (u, w, k, z) of the qubits of Pegasus in its regular part, and its couplings.

    A vertical qubit runs along column 12 w + k, 12 rows long; it is coupled to the horizontal ones
    that it crosses, to the next one of its track (external), and to its partner on the next track
    (odd).
    """
    coordinates = np.indices((2, m, PEGASUS_TRACKS, m - 1)).reshape(4, -1).T
    u, w, k, _ = coordinates.T
    first, last = np.array([4, 8])[u], np.array([4, 8])[u]
    kept = ((w > 0) | (k >= first)) & ((w < m - 1) | (k < last))
    coordinates = coordinates[kept]
    u, w, k, z = coordinates.T
    begin = PEGASUS_TRACKS * z + PEGASUS_OFFSETS[u, k]
    inner = _crossings(u, PEGASUS_TRACKS * w + k, begin, begin + PEGASUS_TRACKS - 1)
    external = _along_tracks((u, w, k), z, (1,))
    odd = _along_tracks((u, w, k // 2, z), k % 2, (1,))
    return coordinates, np.concatenate([inner, external, odd], axis=1)


def _crossings(u: IntArray, track: IntArray, begin: IntArray, end: IntArray) -> IntArray:
    """Pairs of a vertical (u = 0) and a horizontal qubit that cross, shape (2, pairs)."""
    vertical, horizontal = np.flatnonzero(u == 0), np.flatnonzero(u == 1)
    column, row = track[vertical][:, None], track[horizontal]
    crosses = (begin[horizontal] <= column) & (column <= end[horizontal])
    crosses &= (begin[vertical][:, None] <= row) & (row <= end[vertical][:, None])
    ups, acrosses = np.nonzero(crosses)
    return np.stack([vertical[ups], horizontal[acrosses]])


def _along_tracks(
    track: tuple[IntArray, ...], position: IntArray, distances: tuple[int, ...]
) -> IntArray:
    """Pairs of qubits of the same track at these distances, shape (2, pairs)."""
    where = {place: i for i, place in enumerate(zip(*track, position, strict=True))}
    pairs = [
        (i, where[(*place[:-1], place[-1] + step)])
        for place, i in where.items()
        for step in distances
        if (*place[:-1], place[-1] + step) in where
    ]
    return np.array(pairs, np.int64).T
