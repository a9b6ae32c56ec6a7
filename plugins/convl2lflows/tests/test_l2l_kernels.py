"""Compiled kernels of the flows: what numpy computes, to rounding, and no way out of an array."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from calozoo_convl2lflows import SPEC
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.model import ConvL2LFlows, Pipeline, streams
from calozoo_core.kernels import compiled_lanes, numpy_only
from calozoo_core.typing import Float32Array

N = 12
LANES = [lanes for lanes in (8, 16) if lanes <= compiled_lanes()]

pytestmark = pytest.mark.skipif(
    not LANES, reason="the compiled kernels are not built here, or the processor lacks AVX2"
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Flows of the weights that come with the package."""
    folder = Path(str(files("calozoo_convl2lflows"))) / "weights" / "ild-photon"
    return Pipeline(ConvL2LFlows.load(SPEC, folder).trained)


@pytest.fixture(scope="module")
def primary() -> Float32Array:
    rng = np.random.default_rng(1)
    direction = rng.normal([0, 0, 2], 0.4, (N, 3)).astype(np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return primary_features(np.linspace(2, 120, N).astype(np.float32), direction)


@pytest.fixture(scope="module")
def energies(pipeline: Pipeline, primary: Float32Array) -> Float32Array:
    with numpy_only():
        return pipeline.energies(streams(N, 1, 0, "energies"), primary)


@pytest.fixture(scope="module")
def cells(pipeline: Pipeline, primary: Float32Array, energies: Float32Array) -> Float32Array:
    with numpy_only():
        return pipeline.cells(streams(N, 1, 0, "cells"), primary, energies)


@pytest.fixture(params=LANES)
def lanes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Numbers in a vector, for everything in a test."""
    for name in ("energy", "cell", "subcell"):
        module = f"calozoo_convl2lflows.{name}_sampling"
        monkeypatch.setattr(f"{module}.compiled_lanes", lambda: request.param)
    return int(request.param)


@pytest.mark.usefixtures("lanes")
def test_layers_get_the_energies_that_numpy_gives_them(
    pipeline: Pipeline, primary: Float32Array, energies: Float32Array
) -> None:
    found = pipeline.energies(streams(N, 1, 0, "energies"), primary)
    np.testing.assert_array_equal(found > 0, energies > 0)
    np.testing.assert_allclose(found, energies, rtol=1e-4)
    assert not np.array_equal(found, 0 * found)


@pytest.mark.usefixtures("lanes")
def test_cells_get_the_energies_that_numpy_gives_them(
    pipeline: Pipeline, primary: Float32Array, energies: Float32Array, cells: Float32Array
) -> None:
    """Layers without energy among them; each layer sees those before, so rounding adds up."""
    energies = energies.copy()
    energies[0, ::3] = energies[1] = 0
    energies[2, 4:] = 1e-4  # less than what is left after the first cell
    found = pipeline.cells(streams(N, 1, 0, "cells"), primary, energies)
    with numpy_only():
        wanted = pipeline.cells(streams(N, 1, 0, "cells"), primary, energies)
    np.testing.assert_array_equal(found > 0, wanted > 0)
    np.testing.assert_allclose(found, wanted, rtol=5e-3)
    np.testing.assert_allclose(found.sum(axis=(2, 3)), energies, rtol=1e-4)
    assert (cells > 0).sum() > 5000


@pytest.mark.usefixtures("lanes")
def test_cells_get_the_sub_cells_that_numpy_gives_them(
    pipeline: Pipeline, primary: Float32Array, energies: Float32Array, cells: Float32Array
) -> None:
    """A pattern of hits may differ where its noise is within rounding of the next one's."""
    found = pipeline.subcells(streams(N, 1, 0, "subcells"), cells, primary, energies)
    with numpy_only():
        wanted = pipeline.subcells(streams(N, 1, 0, "subcells"), cells, primary, energies)
    ours, theirs = (
        ((own.shower * 30 + own.layer) * 90 + own.row) * 90 + own.column for own in (found, wanted)
    )
    _, i, j = np.intersect1d(ours, theirs, return_indices=True)
    assert len(i) > 0.999 * max(len(ours), len(theirs))
    close = np.isclose(found.energy[i], wanted.energy[j], rtol=1e-3)
    assert close.mean() > 0.999
    order = found.shower * 30 + found.layer
    assert np.all(np.diff(order) >= 0)


@pytest.mark.usefixtures("lanes")
def test_a_shower_is_the_same_alone_and_among_others(
    pipeline: Pipeline, primary: Float32Array, energies: Float32Array
) -> None:
    together = pipeline.cells(streams(N, 1, 0, "cells"), primary, energies)
    alone = pipeline.cells(streams(N, 1, 0, "cells")[5:6], primary[5:6], energies[5:6])
    np.testing.assert_array_equal(alone[0] > 0, together[5] > 0)
    np.testing.assert_allclose(alone[0], together[5], rtol=1e-3)


def refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_arrays_of_other_lengths_are_refused_and_never_read_beyond(
    pipeline: Pipeline, primary: Float32Array, energies: Float32Array, cells: Float32Array
) -> None:
    lanes = LANES[0]
    by_layer = pipeline.energies._compiled
    scale = np.ones(N, np.float32)
    refused(
        lambda: by_layer(np.zeros((N, 29)), primary, scale, lanes),
        "noise must have 360 numbers, not 348",
    )
    by_cell = pipeline.cells._compiled
    assert by_cell is not None
    conditions = pipeline.cells._contexts[0](primary, energies)
    noise = np.full((N, *pipeline.cells.noise_shape), 0.5)
    refused(lambda: by_cell(noise[1:], conditions, energies, lanes), "noise must have 324000")
    refused(lambda: by_cell(noise, conditions[1:], energies, lanes), "mix must have")
    refused(lambda: by_cell(noise, conditions, energies, 4), "lanes must be 8 or 16")
    by_sub_cell = pipeline.subcells._compiled
    assert by_sub_cell is not None
    conditions = pipeline.subcells._context(primary, energies)
    random = streams(N, 1, 0, "subcells")
    refused(lambda: by_sub_cell(random, cells, conditions[1:], lanes), "conditions must have 8640")
    damaged = -cells  # not empty, and not positive: noise for cells that nothing is in
    refused(lambda: by_sub_cell(random, damaged, conditions, lanes), "counts contradicts")


@pytest.mark.parametrize("added", [-1, 1])
def test_weights_of_another_length_are_refused(
    pipeline: Pipeline,
    primary: Float32Array,
    energies: Float32Array,
    monkeypatch: pytest.MonkeyPatch,
    added: int,
) -> None:
    samplers = (pipeline.energies, pipeline.cells, pipeline.subcells)
    for sampler in samplers:
        whole = sampler._compiled._weights  # type: ignore[union-attr]
        other = np.resize(whole, len(whole) + added)
        monkeypatch.setattr(sampler._compiled, "_weights", other)
    refused(lambda: pipeline(primary, 1, 0), "weights contradicts")
    cells, subcells = pipeline.cells._compiled, pipeline.subcells._compiled
    assert cells is not None
    assert subcells is not None
    conditions = pipeline.cells._contexts[0](primary, energies)
    noise = np.full((N, *pipeline.cells.noise_shape), 0.5)
    refused(lambda: cells(noise, conditions, energies, LANES[0]), "weights contradicts")
    conditions = pipeline.subcells._context(primary, energies)
    some = np.ones((N, 30, 30, 30), np.float32)
    random = streams(N, 1, 0, "subcells")
    refused(lambda: subcells(random, some, conditions, LANES[0]), "weights contradicts")
