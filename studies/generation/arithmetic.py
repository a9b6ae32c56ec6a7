"""Arithmetic of networks over the peak of the machine: `python -m studies.generation.arithmetic`.

Showers of 50 GeV, straight in, on one thread. Networks are timed where generation calls them, in
processor time, with the whole of generation around them; the product of two large matrices, which
says what the machine can do, is timed before each round.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from threadpoolctl import threadpool_info

from calozoo import api
from calozoo.generation.threads import use_threads
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.generator import Generator
from calozoo_core.kernels import compiled_lanes
from calozoo_core.markdown import table, write_block
from studies.generation.networks import NETWORKS, Call

__all__ = ["Meter", "Share", "linear_algebra", "main", "measure", "metered", "peak", "report"]

ENERGY_GEV: Final = 50.0
ALONE: Final = 16
"""Showers that are made one by one in a round."""
BATCH: Final = 64
REPEATS: Final = 7


class Share(NamedTuple):
    """Network's part in showers, alone or in batches.

    Arguments:
        operations: Of a shower.
        ms: Time of a shower in the network, in ms.
        of_whole: Share of the time of the whole shower.
        of_peak: Operations a second over those of the peak.
    """

    operations: float
    ms: float
    of_whole: float
    of_peak: float


class Meter:
    """Function that counts its operations, and the processor time that it takes.

    Arguments:
        function: What is called; its other attributes are those of the meter, too.
        operations: Operations of a call, of its result and its arguments.
    """

    def __init__(self, function: Any, operations: Callable[..., float]) -> None:
        self._function, self._operations = function, operations
        self.seconds = self.operations = 0.0

    def __call__(self, *arguments: Any) -> Any:
        result = self._timed(self._function, *arguments)
        self.operations += self._operations(result, *arguments)
        return result

    def given(self, *conditions: Any) -> Any:
        """Contributions of conditions to all evaluations, whose time counts; torch counts it."""
        return self._timed(self._function.given, *conditions)

    def _timed(self, function: Any, *arguments: Any) -> Any:
        start = thread_time()
        result = function(*arguments)
        self.seconds += thread_time() - start
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


@contextmanager
def metered(calls: Sequence[Call]) -> Iterator[dict[str, list[Meter]]]:
    """Have calls counted and timed in a block; gives the meters of each network.

    Arguments:
        calls: Calls of the networks of a model.
    """
    meters: dict[str, list[Meter]] = {}
    with ExitStack() as replaced:
        for call in calls:
            meter = Meter(getattr(call.owner, call.attribute), call.operations)
            replaced.enter_context(patch.object(call.owner, call.attribute, meter))
            meters.setdefault(call.network, []).append(meter)
        yield meters


def peak(repeats: int = 20) -> float:
    """Operations a second in the product of two matrices of float32, 1,024 x 1,024, on one thread.

    In a process of its own, where numpy's library chooses its kernels for this processor, whatever
    the environment asks for.

    Arguments:
        repeats: Products, of which the fastest counts.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(
        [sys.executable, "-c", _PRODUCTS, str(repeats)],
        env=own | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return float(done.stdout)


def linear_algebra() -> str:
    """Name of the processor whose kernels the library behind numpy uses in this process."""
    names = {one["architecture"] for one in threadpool_info() if one.get("architecture")}
    return ", ".join(sorted(names)) or "an unknown processor"


def measure(name: str, repeats: int = REPEATS) -> dict[str, tuple[Share, Share]]:
    """Shares of the networks of a model, alone and in batches; medians.

    Arguments:
        name: Its architecture.
        repeats: Rounds of the peak, showers alone, and a batch.

    Returns:
        Shares by network.

    Raises:
        CalozooError: If there is no such model, or it cannot be loaded.
    """
    if name not in NETWORKS:
        msg = f"There are no networks of {name!r} here; there are {', '.join(NETWORKS)}."
        raise InputError(msg)
    generator = api.load(f"{name}.ild-photon-clumps", offline=True)
    calls = NETWORKS[name](generator)
    _round(generator, calls, 0)  # warms up
    rounds = [_round(generator, calls, seed) for seed in range(1, repeats + 1)]
    return {
        network: (
            _medians([one[network][0] for one in rounds]),
            _medians([one[network][1] for one in rounds]),
        )
        for network in rounds[0]
    }


def _medians(shares: Sequence[Share]) -> Share:
    return Share(*map(median, zip(*shares, strict=True)))


def _round(
    generator: Generator, calls: Sequence[Call], seed: int
) -> dict[str, tuple[Share, Share]]:
    most = peak(repeats=3)

    def shares(run: Callable[[], object], n: int) -> dict[str, Share]:
        with metered(calls) as meters:
            start = thread_time()
            run()
            whole = thread_time() - start
        found = {}
        for network, own in meters.items():
            operations, seconds = (
                sum(getattr(meter, what) for meter in own) for what in ("operations", "seconds")
            )
            found[network] = Share(
                operations / n, 1000 * seconds / n, seconds / whole, operations / seconds / most
            )
        return found

    def alone() -> None:
        for number in range(ALONE):
            generator.generate(energy=ENERGY_GEV, n=1, seed=ALONE * seed + number)

    def together() -> None:
        generator.generate(energy=ENERGY_GEV, n=BATCH, seed=seed, batch_size=BATCH)

    single, batched = shares(alone, ALONE), shares(together, BATCH)
    return {network: (single[network], batched[network]) for network in single}


def report(measured: dict[str, dict[str, tuple[Share, Share]]]) -> str:
    """Table in Markdown.

    Arguments:
        measured: From `measure`, by model.
    """
    header = ["model", "network", "operations of a shower [10^6]"]
    for how in ("alone", str(BATCH)):
        header += [f"{how} [ms]", "of the shower", "of the peak"]
    rows = []
    for name, own in measured.items():
        for network, shares in own.items():
            row = [f"`{name}`", network, f"{shares[1].operations / 1e6:.3g}"]
            for share in shares:
                row += [f"{share.ms:.3g}", f"{share.of_whole:.0%}", f"{share.of_peak:.0%}"]
            rows.append(tuple(row))
    return table(tuple(header), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.arithmetic", description=__doc__
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help=f"default: {', '.join(NETWORKS)}"
    )
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"default {REPEATS}")
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    if not compiled_lanes():
        sys.exit("The compiled networks are not used here; `calozoo doctor` says why.")
    try:
        use_threads(1)
        measured = {name: measure(name, options.repeats) for name in options.models or NETWORKS}
        text = (
            f"{report(measured)}\n\nCompiled networks have vectors of {compiled_lanes()}, numpy's "
            f"library uses its kernels for {linear_algebra()}, and the peak is "
            f"{peak() / 1e9:.3g} GFLOP/s."
        )
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "arithmetic", text)
    except CalozooError as error:
        sys.exit(str(error))


_PRODUCTS: Final = """
import sys
import numpy as np
from time import thread_time
left, right = np.random.default_rng(0).normal(size=(2, 1024, 1024)).astype(np.float32)
product = np.empty_like(left)
taken = []
for _ in range(1 + int(sys.argv[1])):
    start = thread_time()
    np.matmul(left, right, out=product)
    taken.append(thread_time() - start)
print(2 * 1024**3 / min(taken[1:]))
"""


if __name__ == "__main__":
    main()
