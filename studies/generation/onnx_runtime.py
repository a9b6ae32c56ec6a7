"""Networks in numpy against ONNX Runtime: `python -m studies.generation.onnx_runtime`.

One evaluation of each network of trained models, on one thread, timed in turn. The ONNX file has
the size of the batch written into it, which is the fastest that there is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from calozoo import api
from calozoo.export.torch_messages import silent_torch
from calozoo.generation.threads import use_threads
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table, write_block
from calozoo_core.typing import Float32Array
from calozoo_gan3d.numpy_networks import NumpyGenerator
from calozoo_gan3d.primaries import CONDITIONS
from calozoo_gan3d.trained import TrainedGan3d
from studies.precision.in_torch import core_networks

__all__ = ["NETWORKS", "Comparison", "Network", "compare", "main"]

BATCHES: Final = (1, 8, 64)

Evaluation = Callable[[Sequence[Float32Array]], Float32Array]


class Network(NamedTuple):
    """Network in numpy and in torch, and inputs for both.

    Arguments:
        in_numpy: One evaluation, with all that depends on conditions alone.
        in_torch: The same network, whose `forward` takes the same inputs.
        inputs: Inputs for a batch.
    """

    in_numpy: Evaluation
    in_torch: torch.nn.Module
    inputs: Callable[[int], list[Float32Array]]


class Comparison(NamedTuple):
    """One network in numpy and in ONNX Runtime, at one size of batch.

    Arguments:
        numpy_ms: Time of an evaluation in numpy, per shower, in ms.
        onnx_ms: The same in ONNX Runtime.
        ratio: numpy over ONNX Runtime, the median of timings made in turn.
        largest: Largest difference of the outputs, over the root mean square of the output.
    """

    numpy_ms: float
    onnx_ms: float
    ratio: float
    largest: float


TIME: Final = 0.4
"""Time at which a network of the core is evaluated: how noisy its values are."""


def _of_core(name: str, conditions: Callable[[Any, int], list[Float32Array]]) -> Network:
    generator = cast("CoreGenerator[Any]", api.load(name, offline=True))
    own = cast("Any", generator._core)._rings._network
    rings = core_networks(generator)[1]

    def in_numpy(inputs: Sequence[Float32Array]) -> Float32Array:
        x, _, *given = inputs
        if "caloscore" in name:
            output = own(x, TIME, own.given((given[0], given[1]), given[2]))
        elif "calodiffusion" in name:
            images = given[1].transpose(0, 2, 3, 4, 1)
            output = own(x, TIME, own.given(given[0]), images)
        else:
            output = own(x, TIME, own.given(given[0], given[1]))
        return np.asarray(output, np.float32)

    def inputs(n: int) -> list[Float32Array]:
        drawn = conditions(own.config, n)
        return [drawn[0], np.full(n, TIME, np.float32), *drawn[1:]]

    return Network(in_numpy, rings, inputs)


def _calodream() -> Network:
    return _of_core(
        "calodream.ild-photon-clumps",
        lambda config, n: _drawn(
            (n, config.tokens, config.patch_size),
            (n, config.conditions),
            (n, config.tokens, config.token_conditions),
        ),
    )


def _caloscore() -> Network:
    return _of_core(
        "caloscore.ild-photon-clumps",
        lambda config, n: _drawn(
            (n, *config.grid, config.channels),
            *((n, width) for width in config.embedding.conditions),
            (n, *config.grid, config.place_conditions),
        ),
    )


def _calodiffusion() -> Network:
    return _of_core(
        "calodiffusion.ild-photon-clumps",
        lambda config, n: _drawn(
            (n, *config.grid), (n, config.conditions), (n, config.images, *config.grid)
        ),
    )


def _gan3d() -> Network:
    arrays = cast("Any", api.load("3dgan.ild-photon", offline=True)).trained
    config = arrays.config
    own = NumpyGenerator(config, arrays.part("generator"))
    layers, cells, latent = config.grid.layers, config.grid.cells, config.generator.latent
    return Network(
        lambda inputs: own(*inputs),
        TrainedGan3d.from_arrays(arrays).generator,
        lambda n: _drawn((n, CONDITIONS), (n, layers), (n, latent), (n, layers, cells, cells)),
    )


NETWORKS: Final[dict[str, Callable[[], Network]]] = {
    "CaloDREAM, attention": _calodream,
    "CaloScore, convolutions": _caloscore,
    "CaloDiffusion, convolutions and attention": _calodiffusion,
    "3DGAN, convolutions": _gan3d,
}
"""Networks with convolutions or attention of trained models."""


def compare(network: Network, n: int, repeats: int) -> Comparison:
    """Times and outputs of a network in numpy and in ONNX Runtime.

    Arguments:
        network: The network.
        n: Showers of the batch.
        repeats: Timings of each, in turn, after one that does not count.
    """
    inputs = network.inputs(n)
    in_onnx = _in_onnx(network.in_torch, inputs)

    def run(evaluation: Evaluation) -> tuple[float, Float32Array]:
        began = perf_counter()
        output = evaluation(inputs)
        return perf_counter() - began, output

    (_, ours), (_, theirs) = run(network.in_numpy), run(in_onnx)
    rounds = [(run(network.in_numpy)[0], run(in_onnx)[0]) for _ in range(repeats)]
    numpy_ms, onnx_ms = (1e3 * median(times) / n for times in zip(*rounds, strict=True))
    size = float(np.sqrt(np.mean(np.square(ours))))
    return Comparison(
        numpy_ms,
        onnx_ms,
        median(a / b for a, b in rounds),
        float(np.abs(theirs.reshape(ours.shape) - ours).max()) / size,
    )


def report(results: dict[tuple[str, int], Comparison]) -> str:
    """The table in Markdown.

    Arguments:
        results: Comparisons by network and batch.
    """
    rows = [
        (
            *(name, str(n), f"{one.numpy_ms:.3g}", f"{one.onnx_ms:.3g}"),
            *(f"{one.ratio:.2f}", f"{one.largest:.0e}"),
        )
        for (name, n), one in results.items()
    ]
    return table(
        (
            *("network", "batch", "numpy [ms]", "ONNX Runtime [ms]"),
            *("numpy / ONNX Runtime", "largest difference"),
        ),
        rows,
    )


def main(arguments: list[str] | None = None) -> None:
    """Compare all networks, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.onnx_runtime",
        description="Networks of trained models in numpy against ONNX Runtime, on one thread.",
    )
    parser.add_argument("--only", default="", help="networks whose name contains this")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="of showers")
    parser.add_argument("--repeats", type=int, default=31, help="timings of each; default 31")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    use_threads(1)
    try:
        results = {
            (name, n): compare(network, n, options.repeats)
            for name, make in NETWORKS.items()
            if options.only in name
            for network in [make()]
            for n in options.batches
        }
        text = report(results)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "onnx", text)
    except CalozooError as error:
        sys.exit(str(error))


def _in_onnx(network: torch.nn.Module, inputs: Sequence[Float32Array]) -> Evaluation:
    """One evaluation of a network by ONNX Runtime, on one thread."""
    import onnxruntime

    tensors = tuple(map(torch.from_numpy, inputs))
    # The exporter knows attention of images only; taken apart, it is products of matrices.
    with silent_torch(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        graph = torch.export.export(network.eval(), tensors).run_decompositions()
        program = torch.onnx.export(graph, dynamo=True, verbose=False)
        assert program is not None
        file = program.model_proto.SerializeToString()
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def evaluation(inputs: Sequence[Float32Array]) -> Float32Array:
        output: Float32Array = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        return output

    return evaluation


def _drawn(*shapes: tuple[int, ...]) -> list[Float32Array]:
    random = np.random.default_rng(0)
    return [random.standard_normal(shape, np.float32) for shape in shapes]


if __name__ == "__main__":
    main()
