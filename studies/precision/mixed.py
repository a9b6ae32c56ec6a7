"""Full against mixed precision of networks, timed in turn: `python -m studies.precision.mixed`.

Mixed means bfloat16 within `torch.autocast`, around the network alone, on the CPU. Networks of
published sizes are not trained: their time does not depend on that, and the difference of their
output is that of one evaluation.

References:
    | CaloDiffusion: https://arxiv.org/abs/2308.03876
    | CaloChallenge: https://arxiv.org/abs/2410.21611
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from calozoo import api
from calozoo.generation.threads import use_threads
from calozoo_calodiffusion import config as calodiffusion
from calozoo_calodiffusion.trained import TrainedCaloDiffusion
from calozoo_calodiffusion.unet import CylinderUnet
from calozoo_calodream import config as calodream
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_caloscore import config as caloscore
from calozoo_caloscore.trained import TrainedCaloScore
from calozoo_caloscore.unet import Unet
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.incident import Incident
from calozoo_core.markdown import table, write_block
from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.nn.transformer import VisionTransformer
from calozoo_core.runtime import has_bfloat16
from calozoo_core.showers import Showers
from calozoo_core.typing import FloatArray

__all__ = ["NETWORKS", "Comparison", "ShowerComparison", "compare", "compare_showers", "main"]

BATCHES = (1, 8, 100, 1000)

ALWAYS = 8
"""Largest batch that is timed whatever it takes."""

MOST_SECONDS = 2.0
"""Longest evaluation of a larger batch; one that would take longer is left out."""

SHOWERS = "3dgan.ild-photon"
"""Model that offers bfloat16."""

Inputs = Callable[[int], tuple[Tensor, ...]]


class Comparison(NamedTuple):
    """One network in both precisions, at one size of batch.

    Arguments:
        full_ms: Time of an evaluation in float32, per shower, in ms.
        mixed_ms: The same in mixed precision.
        ratio: Mixed over full, the median of timings made in turn.
        rms: Root mean square of the difference of the outputs, over that of the output.
        largest: Largest difference, over the same.
    """

    full_ms: float
    mixed_ms: float
    ratio: float
    rms: float
    largest: float


class ShowerComparison(NamedTuple):
    """Showers of the same random numbers in both precisions; relative differences.

    Arguments:
        full_ms: Time of a shower in float32, in ms.
        mixed_ms: The same in mixed precision.
        layer_rms: Root mean square of that of layers with more than 1 MeV.
        layer_largest: Largest of them.
        radius_rms: Of the mean distance to the axis, weighted with energy.
        points_rms: Of the number of points.
    """

    full_ms: float
    mixed_ms: float
    layer_rms: float
    layer_largest: float
    radius_rms: float
    points_rms: float


def transformer(config: Any) -> tuple[nn.Module, Inputs]:
    """Transformer of CaloDREAM, and its inputs for a batch."""

    def inputs(n: int) -> tuple[Tensor, ...]:
        shapes: list[tuple[int, ...]] = [(n, config.tokens, config.patch_size), (n,)]
        shapes.append((n, config.conditions))
        if config.token_conditions:
            shapes.append((n, config.tokens, config.token_conditions))
        return _drawn(*shapes)

    return _untrained(VisionTransformer(config)), inputs


def unet(config: caloscore.UnetConfig) -> tuple[nn.Module, Inputs]:
    """U-Net of CaloScore, and its inputs for a batch."""

    def inputs(n: int) -> tuple[Tensor, ...]:
        given: list[tuple[int, ...]] = [(n, width) for width in config.embedding.conditions]
        if config.place_conditions:
            given.append((n, *config.grid, config.place_conditions))
        return _drawn((n, *config.grid, config.channels), (n,), *given)

    return _untrained(Unet(config)), inputs


def cylinder_unet(config: calodiffusion.UnetConfig) -> tuple[nn.Module, Inputs]:
    """U-Net of CaloDiffusion, and its inputs for a batch."""

    def inputs(n: int) -> tuple[Tensor, ...]:
        images = [(n, config.images, *config.grid)] if config.images else []
        return _drawn((n, *config.grid), (n,), (n, config.conditions), *images)

    return _untrained(CylinderUnet(config)), inputs


def _trained_calodream() -> tuple[nn.Module, Inputs]:
    network = TrainedCaloDream.from_arrays(_arrays("calodream.ild-photon-clumps")).shape
    return network, transformer(network.config)[1]


def _trained_caloscore() -> tuple[nn.Module, Inputs]:
    network = TrainedCaloScore.from_arrays(_arrays("caloscore.ild-photon-clumps")).teacher
    return network, unet(network.config)[1]


def _trained_calodiffusion() -> tuple[nn.Module, Inputs]:
    network = TrainedCaloDiffusion.from_arrays(_arrays("calodiffusion.ild-photon-clumps")).shape
    return network, cylinder_unet(network.config)[1]


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Inputs]]] = {
    "CaloDREAM, trained, 30 x 5 rings": _trained_calodream,
    "CaloDREAM, data set 2": lambda: transformer(calodream.published("calochallenge2").shape),
    "CaloDREAM, data set 3": lambda: transformer(calodream.published("calochallenge3").shape),
    "CaloScore, trained, 30 x 5 rings": _trained_caloscore,
    "CaloScore, data set 1": lambda: unet(caloscore.published("calochallenge1-photon").shape),
    "CaloScore, data set 2": lambda: unet(caloscore.published("calochallenge2").shape),
    "CaloScore, data set 3": lambda: unet(caloscore.published("calochallenge3").shape),
    "CaloDiffusion, trained, 30 x 5 rings": _trained_calodiffusion,
    "CaloDiffusion, data set 1": lambda: cylinder_unet(
        calodiffusion.published("calochallenge1-photon").unet
    ),
    "CaloDiffusion, data set 2": lambda: cylinder_unet(
        calodiffusion.published("calochallenge2").unet
    ),
    "CaloDiffusion, data set 3": lambda: cylinder_unet(
        calodiffusion.published("calochallenge3").unet
    ),
}
"""Networks that are evaluated several times for a shower, in the sizes that there are."""


def compare(network: nn.Module, inputs: tuple[Tensor, ...], n: int, repeats: int) -> Comparison:
    """Times and outputs of a network in both precisions.

    Arguments:
        network: The network.
        inputs: Its inputs, for n showers.
        n: Showers of the batch.
        repeats: Timings of each, in turn, after one that does not count.
    """

    def run(*, mixed: bool) -> tuple[float, Tensor]:
        began = perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            output = cast(Tensor, network(*inputs))
        return perf_counter() - began, output.float()

    (_, exact), (_, rounded) = run(mixed=False), run(mixed=True)
    rounds = [(run(mixed=False)[0], run(mixed=True)[0]) for _ in range(repeats)]
    full, mixed = (1e3 * median(times) / n for times in zip(*rounds, strict=True))
    size = exact.square().mean().sqrt()
    difference = (rounded - exact).abs()
    return Comparison(
        full,
        mixed,
        median(b / a for a, b in rounds),
        float(difference.square().mean().sqrt() / size),
        float(difference.max() / size),
    )


def compare_showers(model: str, n: int, repeats: int) -> ShowerComparison:
    """Showers of a model that offers bfloat16, of the same random numbers in both precisions.

    Arguments:
        model: Name of the model.
        n: Showers, of 10 to 100 GeV, all in one batch.
        repeats: Timings of each, in turn, after one that does not count.
    """
    full = api.load(model, offline=True, runtime="torch")
    mixed = api.load(model, offline=True, precision="bfloat16")
    incident = Incident(np.geomspace(10, 100, n), (0, 0, 1))

    def run(generator: Generator) -> tuple[float, Showers]:
        began = perf_counter()
        showers = generator.generate(incident, seed=1, batch_size=n)
        return perf_counter() - began, showers

    exact, rounded = run(full)[1], run(mixed)[1]
    rounds = [(run(full)[0], run(mixed)[0]) for _ in range(repeats)]
    layers, radius = zip(*map(_layers_and_radius, (exact, rounded)), strict=True)
    seen = layers[0] > 1  # MeV
    layer = np.abs(layers[1] - layers[0])[seen] / layers[0][seen]
    full_ms, mixed_ms = (1e3 * median(times) / n for times in zip(*rounds, strict=True))
    return ShowerComparison(
        full_ms,
        mixed_ms,
        float(np.sqrt(np.mean(layer**2))),
        float(layer.max()),
        float(np.sqrt(np.mean((radius[1] / radius[0] - 1) ** 2))),
        float(np.sqrt(np.mean((rounded.n_points / exact.n_points - 1) ** 2))),
    )


def shower_report(model: str, results: dict[int, ShowerComparison]) -> str:
    """The table of whole showers in Markdown.

    Arguments:
        model: Name of the model.
        results: Comparisons by size of batch.
    """
    header = (
        *(f"`{model}`, batch of", "float32 [ms]", "mixed [ms]", "layer energy, rms", "largest"),
        *("mean radius, rms", "number of points, rms"),
    )
    rows = [
        (
            *(str(n), f"{one.full_ms:.3g}", f"{one.mixed_ms:.3g}"),
            *(f"{value:.1e}" for value in one[2:]),
        )
        for n, one in results.items()
    ]
    return table(header, rows)


def report(results: dict[tuple[str, int], Comparison]) -> str:
    """The table in Markdown.

    Arguments:
        results: Comparisons by network and batch.
    """
    header = (
        *("network", "batch", "float32 [ms]", "mixed [ms]", "mixed / float32"),
        *("difference, rms", "largest"),
    )
    rows = [
        (
            *(name, str(n), f"{one.full_ms:.3g}", f"{one.mixed_ms:.3g}", f"{one.ratio:.2f}"),
            *(f"{one.rms:.1e}", f"{one.largest:.1e}"),
        )
        for (name, n), one in results.items()
    ]
    return table(header, rows)


def main(arguments: list[str] | None = None) -> None:
    """Compare all networks, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m studies.precision.mixed", description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=BATCHES, help="default 1 8 100 1000"
    )
    parser.add_argument("--repeats", type=int, default=5, help="timings of each; default 5")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    if not has_bfloat16():
        sys.exit(
            "This processor has no bfloat16 in hardware: emulated, it is 5 to 12 times slower."
        )
    use_threads(1)
    try:
        networks = report(_compared(options.only, options.batches, options.repeats))
        results = {n: compare_showers(SHOWERS, n, options.repeats) for n in options.batches}
        text = f"{networks}\n\n{shower_report(SHOWERS, results)}"
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "precision", text)
    except CalozooError as error:
        sys.exit(str(error))


def _compared(only: str, batches: Sequence[int], repeats: int) -> dict[tuple[str, int], Comparison]:
    results = {}
    for name, make in NETWORKS.items():
        if only not in name:
            continue
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network, inputs = make()
            a_shower_ms = 0.0
            for n in sorted(batches):
                if n > ALWAYS and a_shower_ms * n > 1000 * MOST_SECONDS:
                    continue
                results[name, n] = compare(network, inputs(n), n, repeats)
                a_shower_ms = results[name, n].full_ms
    return results


def _untrained(network: nn.Module) -> nn.Module:
    """A network with what begins at zero drawn, such as its last layer, or it returns zeros."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return network.eval()


def _layers_and_radius(showers: Showers) -> tuple[FloatArray, FloatArray]:
    """Layer energies in MeV, shape (n, layers), and mean distances to the axis in mm, (n,)."""
    n, layers = len(showers), load_detector(showers.detector).n_layers
    cell = showers.shower_index * layers + showers.layer
    sums = np.bincount(cell, showers.energy, n * layers)
    energy = np.asarray(sums.reshape(n, -1), np.float64)
    far = np.hypot(showers.x, showers.y) * showers.energy
    radius: FloatArray = np.bincount(showers.shower_index, far, n) / energy.sum(axis=1)
    return energy, radius


def _arrays(model: str) -> Any:
    return cast("NetworkGenerator[Any]", api.load(model, offline=True)).trained


def _drawn(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.rand(shape) if len(shape) == 1 else torch.randn(shape) for shape in shapes)


if __name__ == "__main__":
    main()
