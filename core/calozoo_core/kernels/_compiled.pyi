"""Kernels of C. Arrays are contiguous and of exactly these types; results are written into arrays.

Raises:
    TypeError: If an array has another type.
    ValueError: If lengths contradict each other, or a number leads outside of an array.
"""

import numpy as np
from numpy.typing import NDArray

INTERFACE: int
"""Number that changes with the arguments of a kernel."""

LANES: int
"""Numbers in a vector of the kernels that take `lanes`, 8 or 16; 0 if the processor has none."""

_Bytes = NDArray[np.uint8] | bytes

def find_voxels(
    energies: NDArray[np.float32],
    base: NDArray[np.int64],
    most: NDArray[np.float32],
    cells: NDArray[np.int32],
    rings: NDArray[np.int32],
    counts: NDArray[np.int64],
    primaries: int,
    kinds: int,
    exact_rings: int,
    exact_mev: float,
    /,
) -> tuple[bytes, bytes]:
    """Records of filled voxels, and their energies, float32.

    Raises:
        FloatingPointError: If an energy is not finite.
    """

def random_bytes(
    generators: tuple[np.random.BitGenerator, ...],
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
    /,
) -> None:
    """Bytes that `numpy.random.Generator.bytes` draws, so many of each, one after the other."""

def draw_patches(
    voxels: _Bytes,
    level: NDArray[np.uint32],
    coins: _Bytes,
    cells: NDArray[np.int32],
    rings: NDArray[np.int32],
    runs: NDArray[np.int32],
    start: NDArray[np.int32],
    levels: NDArray[np.uint16],
    patch: NDArray[np.int32],
    first: NDArray[np.int32],
    energy: NDArray[np.float32],
    patches: NDArray[np.uint8],
    sums: NDArray[np.int64],
    n_layers: int,
    n_points: int,
    most_apart: float,
    /,
) -> None:
    """Records of patches, 16 bytes each, and the number of points of each shower."""

def place_points(
    patches: _Bytes,
    source: NDArray[np.int16],
    local: NDArray[np.float64],
    turns: NDArray[np.float64],
    slopes: NDArray[np.float64],
    depth: NDArray[np.float64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    layer: NDArray[np.uint8],
    energy: NDArray[np.float32],
    /,
) -> None:
    """Points of patches, in the local frame."""

def nearest_showers(
    own: NDArray[np.float64],
    asked: NDArray[np.float64],
    numbers: NDArray[np.int64],
    apart: NDArray[np.float64],
    width: int,
    window: int,
    candidates: int,
    mirrored: int,
    /,
) -> None:
    """Numbers and squared distances of the showers that are nearest."""

def match_layers(
    numbers: NDArray[np.int64],
    apart: NDArray[np.float64],
    rings: NDArray[np.float32],
    layers: NDArray[np.float32],
    coin: NDArray[np.float64],
    core: NDArray[np.uint8],
    level_log: NDArray[np.float32],
    layer_log: NDArray[np.float32],
    lean: NDArray[np.float32],
    step: NDArray[np.int32],
    weights: NDArray[np.float64],
    found: NDArray[np.int64],
    references: int,
    /,
) -> None:
    """Numbers of the showers that each layer of a core takes."""

def voxels_around(
    numbers: NDArray[np.int64],
    core: NDArray[np.float32],
    coin: NDArray[np.float64],
    factors: NDArray[np.float32],
    first: NDArray[np.int32],
    step: NDArray[np.uint8],
    level: NDArray[np.uint8],
    level_energy: NDArray[np.float32],
    cells: NDArray[np.int32],
    rings: NDArray[np.int32],
    voxels: NDArray[np.float32],
    n_layers: int,
    core_rings: int,
    /,
) -> None:
    """Voxel energies of whole showers, written into zeros."""

def spline_bins(
    y: NDArray[np.float32],
    sizes: NDArray[np.float32],
    raw: NDArray[np.float32],
    found: NDArray[np.float32],
    knots: NDArray[np.float32],
    ends: NDArray[np.uint8],
    bins: int,
    width: int,
    bound: float,
    /,
) -> None:
    """Bins that values lie in, their raw slopes, and whether they are the first or the last."""

def spline_inverse(
    y: NDArray[np.float32],
    found: NDArray[np.float32],
    slopes: NDArray[np.float32],
    ends: NDArray[np.uint8],
    x: NDArray[np.float32],
    bound: float,
    /,
) -> None:
    """Inverse of splines, of what `spline_bins` found."""

def sum_rings(
    offsets: NDArray[np.int64],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    layer: NDArray[np.uint8],
    energy: NDArray[np.float32],
    direction: NDArray[np.float64],
    depth: NDArray[np.float64],
    edges: NDArray[np.float64],
    sums: NDArray[np.float64],
    /,
) -> None:
    """Energies of rings about the axes of showers, by layer."""

def convolve_3x3(
    image: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    output: NDArray[np.float32],
    height: int,
    width: int,
    inputs: int,
    outputs: int,
    leak: float,
    is_padded: bool,
    lanes: int,
    /,
) -> None:
    """Convolutions of images, channels last, with a bias and a leaky ReLU.

    Weights and biases come in blocks of 16 outputs, filled up with zeros: shapes (blocks,
    9 inputs, 16) and (blocks, 16).
    """

def couple_splines(
    y: NDArray[np.float32],
    condition: NDArray[np.float32],
    weights: NDArray[np.float32],
    x: NDArray[np.float32],
    widths: NDArray[np.int32],
    identity: int,
    dim: int,
    conditions: int,
    bins: int,
    bound: float,
    lanes: int,
    /,
) -> None:
    """Inverse of a coupling: splines of some elements, by a network of the others.

    Widths are those of the network's hidden layers, in whole blocks of columns.
    """

def sample_layers(
    noise: NDArray[np.float64],
    of_primary: NDArray[np.float32],
    scale: NDArray[np.float32],
    weights: NDArray[np.float32],
    energy: NDArray[np.float32],
    layers: int,
    hidden: int,
    bins: int,
    lanes: int,
    /,
) -> None:
    """Energies of the layers of showers, by a flow that sees the layers before."""

def fill_cells(
    noise: NDArray[np.float64],
    energy: NDArray[np.float32],
    mix: NDArray[np.float32],
    gate: NDArray[np.float32],
    left: NDArray[np.float32],
    weights: NDArray[np.float32],
    cells: NDArray[np.float32],
    layers: int,
    half: int,
    previous: int,
    maps: int,
    width: int,
    hidden: int,
    at_hit: int,
    bins: int,
    lanes: int,
    /,
) -> None:
    """Energies of the cells of showers, by a flow of the cells of a layer."""

def split_cells(
    cells: NDArray[np.float32],
    noise: NDArray[np.float64],
    counts: NDArray[np.int64],
    conditions: NDArray[np.float32],
    weights: NDArray[np.float32],
    numbers: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    energy: NDArray[np.float32],
    layers: int,
    side: int,
    split: int,
    condition: int,
    hidden: int,
    step: int,
    bins: int,
    least: float,
    lanes: int,
    /,
) -> None:
    """Sub-cells of cells of showers, and their number in each layer."""

def sorted_points(
    offsets: NDArray[np.int64],
    counts: NDArray[np.int64],
    noise: NDArray[np.float32],
    widths: NDArray[np.int64],
    weights: NDArray[np.float32],
    raw: NDArray[np.float32],
    leak: float,
    skip: float,
    lanes: int,
    /,
) -> None:
    """Four features of each point, of noise through a network, sorted by depth into layers.

    The noise is that of one shower after the other, each of shape (4, points); the weights are
    those of one layer after the other, each of shape (showers, outputs, inputs + 1).
    """
