"""Arithmetic of networks over the peak of the machine: `python -m studies.generation.arithmetic`.

Multiplications and additions of the networks that take most of their model's time, counted from
their sizes, over the time that they take on one thread; and how many the same thread does in the
product of two large matrices.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from time import thread_time
from typing import Any, Final, NamedTuple, cast

import numpy as np

from calozoo import api
from calozoo.generation.threads import use_threads
from calozoo_caloclouds3.config import N_LAYERS
from calozoo_caloclouds3.noise_levels import FEATURES, LEAK
from calozoo_caloclouds3.one_step_net import SKIP, OneStepNet
from calozoo_core.errors import CalozooError
from calozoo_core.kernels import compiled_lanes
from calozoo_core.markdown import table, write_block
from calozoo_core.nn.numpy_convolution import Convolution3x3
from calozoo_core.weights.layout import Arrays

__all__ = ["NETWORKS", "Network", "least_seconds", "main", "peak"]

BATCHES: Final = (1, 64)
POINTS_OF_A_LAYER: Final = 103
"""Points of each of 30 layers: 3,090 in a shower, as of 50 GeV."""


class Network(NamedTuple):
    """Network of a model.

    Arguments:
        operations: Multiplications and additions of one shower.
        prepare: Makes a function without arguments that computes the network of so many showers.
    """

    operations: int
    prepare: Callable[[int], Callable[[], object]]


class _Image(NamedTuple):
    """Convolution of a network, and the cells along an axis of its image."""

    convolution: str
    cells: int


def peak(size: int = 1024, repeats: int = 20) -> float:
    """Multiplications and additions of float32 a second in the product of two square matrices.

    Arguments:
        size: Rows and columns of the matrices.
        repeats: Products, of which the fastest counts.
    """
    left, right = np.random.default_rng(0).normal(size=(2, size, size)).astype(np.float32)
    product = np.empty_like(left)
    return 2 * size**3 / least_seconds(lambda: np.matmul(left, right, out=product), repeats)


def least_seconds(run: Callable[[], object], repeats: int) -> float:
    """Least processor time of several runs, in seconds, of this thread alone.

    Arguments:
        run: What is timed.
        repeats: Number of runs, after one that warms up.
    """
    run()
    taken = []
    for _ in range(repeats):
        start = thread_time()
        run()
        taken.append(thread_time() - start)
    return min(taken)


def _points() -> Network:
    trained = cast("Any", api.load("caloclouds3.ild-photon", offline=True)).trained
    net = OneStepNet(trained.config.points, trained.part("points"))
    points = N_LAYERS * POINTS_OF_A_LAYER

    def prepare(n: int) -> Callable[[], object]:
        noise = np.random.default_rng(0).standard_normal((n, FEATURES, points), np.float32)
        layers = net.fold(np.tile(np.array([50 / 127, 0, 0, 1], np.float32), (n, 1)), points)
        if not compiled_lanes():
            return lambda: [net(layers, i, own) for i, own in enumerate(noise)]
        from calozoo_core.kernels import _compiled

        offsets, counts = np.arange(n + 1) * points, np.full((n, N_LAYERS), POINTS_OF_A_LAYER)
        raw = np.empty((FEATURES, n * points), np.float32)
        given = offsets, counts, noise, np.array(net.widths), layers.flat, raw
        return lambda: _compiled.sorted_points(*given, LEAK, SKIP, compiled_lanes())

    return Network(2 * points * sum(a * b for a, b in pairwise(net.widths)), prepare)


def _images() -> Network:
    trained = cast("Any", api.load("3dgan.ild-photon", offline=True)).trained
    cells = trained.config.grid.cells
    images = _Image("medium", cells // 2), _Image("large", cells // 2), _Image("last", cells)
    return _convolutions(trained.part("generator"), images)


def _convolutions(arrays: Arrays, images: Sequence[_Image]) -> Network:
    weights = [arrays[f"{image.convolution}.weight"] for image in images]
    own = [Convolution3x3.of(arrays, image.convolution) for image in images]
    operations = sum(
        2 * weight.size * image.cells**2 for weight, image in zip(weights, images, strict=True)
    )

    def prepare(n: int) -> Callable[[], object]:
        rng = np.random.default_rng(0)
        shapes = [
            (n, image.cells, image.cells, weight.shape[1])
            for weight, image in zip(weights, images, strict=True)
        ]
        inputs = [rng.standard_normal(shape, np.float32) for shape in shapes]
        return lambda: [convolution(x) for convolution, x in zip(own, inputs, strict=True)]

    return Network(operations, prepare)


NETWORKS: Final[dict[str, Callable[[], Network]]] = {
    "CaloClouds3, points": _points,
    "3DGAN, convolutions": _images,
}


def report(networks: Sequence[str], repeats: int = 20) -> str:
    """Table in Markdown, and the peak.

    Arguments:
        networks: Names, of `NETWORKS`.
        repeats: Runs of each, of which the fastest counts.
    """
    most = peak(repeats=repeats)
    header = ["network", "operations of a shower [10^6]"]
    for n in BATCHES:
        header += [f"batch of {n} [ms a shower]", "of the peak"]
    rows = []
    for name in networks:
        network = NETWORKS[name]()
        row = [name, f"{network.operations / 1e6:.3g}"]
        for n in BATCHES:
            seconds = least_seconds(network.prepare(n), repeats if n == 1 else 3) / n
            row += [f"{1000 * seconds:.3g}", f"{network.operations / seconds / most:.0%}"]
        rows.append(tuple(row))
    how = f"vectors of {compiled_lanes()}" if compiled_lanes() else "numpy"
    return (
        f"{table(tuple(header), rows)}\n\n"
        f"Networks by {how}; the peak is {most / 1e9:.3g} thousand million operations a second."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.arithmetic", description=__doc__
    )
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    try:
        use_threads(1)
        text = report(tuple(NETWORKS))
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "arithmetic", text)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
