"""Compiled kernels: what numpy computes, bit for bit or rounded, and no way out of an array."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from calozoo_core.clumps import VoxelMesh, fill, load_library, load_table
from calozoo_core.clumps.ring_sums import core_energies
from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.kernels import (
    SWITCH,
    compiled_lanes,
    implementation,
    numpy_only,
    use_compiled,
)
from calozoo_core.nn.numpy_convolution import Convolution3x3
from calozoo_core.nn.numpy_spline import inverse_rational_quadratic
from calozoo_core.random import stream
from calozoo_core.showers import Showers

DETECTOR = "ild_siecal_regular"
MESH = VoxelMesh()

pytestmark = pytest.mark.skipif(
    not use_compiled(), reason="the compiled kernels are not built here; numpy computes alone"
)


needs_lanes = pytest.mark.skipif(
    not compiled_lanes(), reason="this processor has no AVX2; numpy computes networks"
)


def primaries(n, seed=1, *, straight=False):
    rng = np.random.default_rng(seed)
    direction = rng.normal([0, 0, 1.5], 0.5, (n, 3))
    direction[:, 2] = np.maximum(direction[:, 2], 0.5)
    return Incident(rng.uniform(1, 127, n), (0, 0, 1) if straight else direction)


def random_voxels(n, seed=1, filled=0.3):
    rng = np.random.default_rng(seed)
    energies = rng.lognormal(-1, 2, (n, 30, MESH.n_cells)).astype(np.float32)
    energies[rng.random(energies.shape) > filled] = 0
    energies[:, ::7] *= -1  # what is not positive is empty
    return energies


def random_cores(n, seed=1):
    core = np.random.default_rng(seed).lognormal(0, 2, (n, 30, 5)).astype(np.float32)
    core[core < 0.3] = 0
    return core


def streams(n):
    return [stream(1, i, "clumps") for i in range(n)]


@pytest.mark.parametrize("filled", [0.001, 0.1, 0.9])
def test_voxels_get_the_points_that_numpy_gives_them(filled):
    table, energies, incident = (
        load_table(DETECTOR),
        random_voxels(12, filled=filled),
        primaries(12),
    )
    energies[3] = 0
    energies[5, 8, -1] = 900  # more than any of Geant4's: shared by several patches

    showers = fill(energies, incident, table, streams(12))

    with numpy_only():
        assert implementation() == "numpy"
        assert showers == fill(energies, incident, table, streams(12))
    assert len(showers.energy) > 10


@pytest.mark.parametrize("straight", [False, True])
def test_cores_get_the_surroundings_that_numpy_gives_them(straight):
    library, incident = load_library(DETECTOR), primaries(60, straight=straight)
    core = random_cores(60)
    core[0] = 0
    core[1, :, 1:] = 0
    coin = np.random.default_rng(0).random(60)

    found = library.around(core, incident, coin)

    with numpy_only():
        np.testing.assert_array_equal(found, library.around(core, incident, coin))
    np.testing.assert_allclose(MESH.ring_energies(found)[:, :, :5], core, rtol=1e-5)


def test_rings_of_points_sum_to_what_numpy_gives():
    incident = primaries(7)
    rng = np.random.default_rng(0)
    showers = Showers(
        offsets=[0, 0, 40, 500, 900, 901, 1000, 4000],
        x=rng.normal(0, 300, 4000),
        y=rng.normal(0, 300, 4000),
        layer=rng.integers(0, 30, 4000),
        energy=rng.exponential(1, 4000),
        incident=incident,
        representation="x25",
        detector=DETECTOR,
    )
    wide = VoxelMesh(edges_mm=(50.0, 100.0, 200.0, 400.0), sectors=(8,) * 5)

    sums = core_energies(showers, wide, 3)

    with numpy_only():
        np.testing.assert_array_equal(sums, core_energies(showers, wide, 3))
    assert sums.sum() > 500


@pytest.mark.parametrize(("n", "bins", "m"), [(1, 8, 15), (64, 8, 75), (9, 10, 1), (5, 2, 1)])
def test_splines_are_inverted_as_numpy_inverts_them(n, bins, m):
    rng = np.random.default_rng(bins)
    y = rng.normal(0, 4, (n, m)).astype(np.float32)
    raw = rng.normal(0, 2, (n, 3 * bins - 1, m)).astype(np.float32)

    x = inverse_rational_quadratic(y, raw, 8.0)

    with numpy_only():
        np.testing.assert_array_equal(x, inverse_rational_quadratic(y, raw, 8.0))
    assert np.all(np.isfinite(x))


def some_convolution(inputs, outputs, rng):
    weight = rng.normal(size=(outputs, inputs, 3, 3)).astype(np.float32)
    return Convolution3x3(weight, rng.normal(size=outputs).astype(np.float32))


@needs_lanes
@pytest.mark.parametrize("leak", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(
    ("size", "inputs", "outputs"), [((4, 5), 3, 7), ((15, 15), 80, 32), ((1, 1), 1, 33)]
)
def test_convolutions_are_what_numpy_computes_up_to_rounding(size, inputs, outputs, leak):
    rng = np.random.default_rng(inputs)
    convolution = some_convolution(inputs, outputs, rng)
    image = rng.normal(size=(5, *size, inputs)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))

    output = convolution(image, leak)

    np.testing.assert_array_equal(convolution.of_padded(padded, leak), output)
    np.testing.assert_array_equal(convolution(image[2:3], leak)[0], output[2])
    with numpy_only():
        rounded = 2e-6 * np.sqrt(9 * inputs)
        np.testing.assert_allclose(output, convolution(image, leak), rtol=1e-5, atol=rounded)


@needs_lanes
def test_vectors_of_both_lengths_convolve_alike():
    from calozoo_core.kernels import _compiled

    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 7, 9, 5)).astype(np.float32)
    weight = rng.normal(size=(2, 45, 16)).astype(np.float32)
    bias = rng.normal(size=(2, 16)).astype(np.float32)
    outputs = []
    for lanes in {8, compiled_lanes()}:
        outputs.append(np.empty((2, 7, 9, 21), np.float32))
        _compiled.convolve_3x3(image, weight, bias, outputs[-1], 7, 9, 5, 21, 0.1, False, lanes)
    np.testing.assert_array_equal(outputs[0], outputs[-1])
    for lanes in (0, 4, 32):
        with pytest.raises(ValueError, match="lanes must be 8 or 16"):
            _compiled.convolve_3x3(image, weight, bias, outputs[0], 7, 9, 5, 21, 1, False, lanes)
    wide = np.empty((2, 7, 9, 42), np.float32)
    with pytest.raises(ValueError, match="weight must have 2160 numbers, not 1440"):
        _compiled.convolve_3x3(image, weight, bias, wide, 7, 9, 5, 42, 1.0, False, 8)
    with pytest.raises(ValueError, match="image must have"):
        _compiled.convolve_3x3(image, weight, bias, outputs[0], 7, 9, 5, 21, 1.0, True, 8)


def some_network(n, points, rng):
    """Arguments of `sorted_points`, without what is written and the vectors."""
    sizes = (4, 10, 7, 4)
    weights = [rng.normal(size=n * b * (a + 1)) for a, b in pairwise(sizes)]
    offsets = np.concatenate([[0], np.cumsum(points)])
    counts = np.array([rng.multinomial(number, np.full(6, 1 / 6)) for number in points])
    noise = rng.normal(size=4 * offsets[-1])
    return {
        "offsets": offsets,
        "counts": counts,
        "noise": noise.astype(np.float32),
        "widths": np.array(sizes),
        "weights": np.concatenate(weights).astype(np.float32),
    }


@needs_lanes
def test_vectors_of_both_lengths_draw_the_same_points():
    from calozoo_core.kernels import _compiled

    own = some_network(4, [100, 0, 1, 37], np.random.default_rng(0))
    raws = []
    for lanes in (8, compiled_lanes()):
        raws.append(np.empty((4, 138), np.float32))
        _compiled.sorted_points(*own.values(), raws[-1], 0.01, 0.1, lanes)
    np.testing.assert_array_equal(raws[0], raws[1])
    # The last layer has no activation, so without hidden layers the network is one product.
    weights = np.random.default_rng(1).normal(size=(1, 4, 5)).astype(np.float32)
    noise, raw = own["noise"][:400].reshape(4, 100), np.empty((4, 100), np.float32)
    one = np.array([0, 100]), np.array([[30, 70]]), noise, np.array([4, 4]), weights
    _compiled.sorted_points(*one, raw, 0.01, 0.5, 8)
    features = weights[0, :, :4] @ noise + weights[0, :, 4:] + np.float32(0.5) * noise
    is_front = features[2].argsort().argsort() < 30
    wanted = np.concatenate([features[:, is_front], features[:, ~is_front]], axis=1)
    np.testing.assert_allclose(raw, wanted, rtol=1e-5, atol=1e-5)


@needs_lanes
@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("counts", lambda own: own - 1, "offsets contradicts"),
        ("counts", lambda own: own + (1 << 40), "offsets contradicts"),
        ("offsets", lambda own: own[::-1].copy(), "offsets contradicts"),
        ("widths", lambda own: own * 100, "widths contradicts"),
        ("widths", lambda own: np.repeat(own, 9), "widths contradicts"),
        ("weights", lambda own: own[1:].copy(), "weights must have"),
        ("noise", lambda own: own[4:].copy(), "noise must have"),
    ],
)
def test_networks_of_points_that_contradict_their_arrays_are_refused(name, wrong, message):
    from calozoo_core.kernels import _compiled

    own = some_network(2, [20, 30], np.random.default_rng(0))
    own[name] = wrong(own[name])
    with pytest.raises(ValueError, match=message):
        _compiled.sorted_points(*own.values(), np.empty((4, 50), np.float32), 0.01, 0.1, 8)


def test_threads_at_once_make_what_one_makes():
    table, energies, incident = load_table(DETECTOR), random_voxels(8), primaries(8)
    alone = fill(energies, incident, table, streams(8))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fill, energies, incident, table, streams(8)) for _ in range(8)]
    assert all(job.result() == alone for job in jobs)


@pytest.mark.parametrize("value", [np.inf, np.float32(3e38)])
def test_energies_that_are_not_finite_are_refused_and_large_ones_are_not(value):
    table, energies = load_table(DETECTOR), np.zeros((1, 30, MESH.n_cells), np.float32)
    energies[0, 3, 100] = value
    if np.isfinite(value):
        assert len(fill(energies, primaries(1), table, streams(1)).x)
        return
    with pytest.raises(InputError, match="finite"):
        fill(energies, primaries(1), table, streams(1))


@pytest.mark.parametrize("name", ["runs", "start", "patch", "first"])
@pytest.mark.parametrize("wrong", [-5, 1 << 30])
def test_a_damaged_table_is_refused_and_never_read_beyond(name, wrong):
    own = getattr(load_table(DETECTOR).lookup, name)
    refuse(**{name: np.full_like(own, wrong)})


@pytest.mark.parametrize(("count", "from_end"), [(-1, 100), (30000, 29999)])
def test_a_table_whose_patches_have_points_that_it_has_not_is_refused(count, from_end):
    lookup = load_table(DETECTOR).lookup
    first = np.full_like(lookup.first, len(lookup.points) - from_end)
    first[1::2] += count
    refuse(first=first)


def refuse(**arrays):
    damaged = replace(load_table(DETECTOR))
    damaged.__dict__["lookup"] = load_table(DETECTOR).lookup._replace(**arrays)
    with pytest.raises(ValueError, match="table contradicts the other arrays"):
        fill(random_voxels(1), primaries(1), damaged, streams(1))


@pytest.mark.parametrize(("name", "value"), [("step", 255), ("first", 1 << 30), ("first", -1)])
def test_a_damaged_library_is_refused_and_never_read_beyond(name, value):
    library = load_library(DETECTOR)
    damaged = replace(library, **{name: np.full_like(getattr(library, name), value)})
    with pytest.raises(ValueError, match="contradicts the other arrays"):
        damaged.around(random_cores(4), primaries(4), np.full(4, 0.5))


def test_arrays_of_other_types_and_lengths_are_refused():
    from calozoo_core.kernels import _compiled

    own, asked = np.zeros((50, 8)), np.zeros((2, 8))
    numbers, apart = np.zeros((2, 3), np.int64), np.zeros((2, 3))
    _compiled.nearest_showers(own, asked, numbers, apart, 8, 20, 3, 4)
    with pytest.raises(TypeError, match="own must hold numbers of type 'd'"):
        _compiled.nearest_showers(own.astype("f4"), asked, numbers, apart, 8, 20, 3, 4)
    with pytest.raises(ValueError, match="asked must have 16 numbers, not 8"):
        _compiled.nearest_showers(own, asked[:1], numbers, apart, 8, 20, 3, 4)
    with pytest.raises(ValueError, match="window contradicts"):
        _compiled.nearest_showers(own, asked, numbers, apart, 8, 51, 3, 4)
    with pytest.raises(ValueError, match="mirrored must be from 0 to 7, not 8"):
        _compiled.nearest_showers(own, asked, numbers, apart, 8, 20, 3, 8)
    with pytest.raises(ValueError, match="contiguous"):
        _compiled.nearest_showers(own[:, ::2], asked, numbers, apart, 8, 20, 3, 4)
    with pytest.raises(TypeError, match="8 arguments"):
        _compiled.nearest_showers(own)


def test_numbers_of_showers_that_a_library_has_not_are_refused():
    from calozoo_core.kernels import _compiled

    n, layers, rings, showers = 2, 4, 3, 5

    def match(number=0, references=1, weights=5):
        _compiled.match_layers(
            np.full((n, 6), number, np.int64),
            np.zeros((n, 6)),
            np.zeros((n, layers, rings), np.float32),
            np.zeros((n, layers), np.float32),
            np.zeros(n),
            np.zeros((showers, layers, rings), np.uint8),
            np.zeros(256, np.float32),
            np.zeros((showers, layers), np.float32),
            np.zeros((showers, 2), np.float32),
            np.zeros(3, np.int32),
            np.zeros(weights),
            np.zeros((n, layers), np.int64),
            references,
        )

    match(number=2 * showers - 1, references=6)
    for number in (-1, 2 * showers):
        with pytest.raises(ValueError, match="numbers contradicts"):
            match(number)
    with pytest.raises(ValueError, match="weights must have 5 numbers, not 4"):
        match(weights=4)
    with pytest.raises(ValueError, match="references must be from 1 to 64, not 65"):
        match(references=65)


def test_they_can_be_switched_off_from_outside():
    program = "from calozoo_core.kernels import implementation; print(implementation())"
    for value in ("numpy", ""):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {SWITCH: value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == (value or "compiled")


def test_random_bytes_are_those_that_numpy_draws():
    from calozoo_core.kernels import _compiled

    counts = np.array([0, 1, 7, 800, 4], np.int64)
    own, numpys = streams(5), streams(5)
    for one, other in zip(own, numpys, strict=True):
        # Half a word of 64 bits is left over of this draw, and used up first.
        assert one.standard_normal(3, np.float32).tolist() == (
            other.standard_normal(3, np.float32).tolist()
        )
    for _ in range(2):
        found = np.empty(counts.sum(), np.uint8)
        _compiled.random_bytes(tuple(g.bit_generator for g in own), counts, found)
        assert found.tobytes() == b"".join(
            g.bytes(n) for g, n in zip(numpys, counts.tolist(), strict=True)
        )
    assert [g.random() for g in own] == [g.random() for g in numpys]


def test_random_bytes_without_room_or_generators_are_refused():
    from calozoo_core.kernels import _compiled

    generator = streams(1)[0].bit_generator
    counts, out = np.array([8], np.int64), np.empty(8, np.uint8)
    for generators, wrong, room, error in (
        ((), counts, out, ValueError),
        ((generator,), counts, out[:7], ValueError),
        ((generator,), counts - 1, out, ValueError),
        ((generator,), -counts, out, ValueError),
        ((None,), counts, out, AttributeError),
        ((SimpleNamespace(capsule=generator),), counts, out, ValueError),
        ([generator], counts, out, TypeError),
        ((generator,), counts.astype(np.int32), out, TypeError),
    ):
        with pytest.raises(error):
            _compiled.random_bytes(generators, wrong, room)
