"""Comparison of exported showers with those of the generator, made of the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo.export.model_format import Array
from calozoo_core.detector import load_detector
from calozoo_core.errors import PluginError
from calozoo_core.frames import axis_offsets
from calozoo_core.incident import Incident
from calozoo_core.typing import FloatArray
from calozoo_core.voxels import DATASETS

if TYPE_CHECKING:
    from calozoo_core.generator import Generator
    from calozoo_core.nn.exported import ExportedModel
    from calozoo_core.showers import Showers

__all__ = [
    "ReferenceShower",
    "check_against_generator",
    "check_form",
    "difference_from_generator",
    "points_of_output",
    "reference_shower",
    "references",
]

N_LAYERS = 30
MESH = (9, 16, 45)
POSITION_MM, ENERGY_SHARE, MOVED_SHARE = 0.01, 1e-3, 1e-2
"""Largest differences by rounding: of the sorted positions of a layer, of its energy, and of the
energy that lies in another sub-cell."""


class ReferenceShower(NamedTuple):
    """Shower of the generator, and what an exported file makes the same one of.

    Arguments:
        inputs: Inputs of the file, in their order.
        noise: Noise of the file, in its order.
        shower: The generator's shower, a batch of one.
    """

    inputs: tuple[Array, ...]
    noise: tuple[Array, ...]
    shower: Showers

    def of_module(self, module: ExportedModel) -> Array:
        """Shower of a module in this process."""
        import torch

        with torch.inference_mode():
            noise = [torch.from_numpy(array) for array in self.noise]
            inputs = [torch.from_numpy(array) for array in self.inputs]
            output: Array = module.given(*inputs, noise).numpy()  # type: ignore[operator]
            return output


def references(generator: Generator, module: ExportedModel) -> Iterator[ReferenceShower]:
    """Reference showers at low and middle energies and all angles of a model's conditions.

    Arguments:
        generator: The model.
        module: What it exports.
    """
    conditions = generator.spec.conditions
    low, high = conditions.energy_gev
    least, most = conditions.theta_deg
    for energy, theta, phi in (
        (low, least, 0.0),
        (np.sqrt(low * high), (least + most) / 2, 40.0),
        (high / 2, most, 250.0),
    ):
        yield reference_shower(generator, module, float(energy), theta, phi)


def reference_shower(
    generator: Generator,
    module: ExportedModel,
    energy_gev: float,
    theta_deg: float,
    phi_deg: float,
    seed: int = 0,
) -> ReferenceShower:
    """First shower of a sample, and what an exported file makes the same one of.

    Arguments:
        generator: The model.
        module: What it exports.
        energy_gev: Incident energy.
        theta_deg: Angle to the normal.
        phi_deg: Azimuth around the normal.
        seed: Seed of the sample.
    """
    import torch

    theta, phi = np.radians(theta_deg), np.radians(phi_deg)
    sine = np.sin(theta)
    direction = np.array([sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)])
    particle = generator.spec.conditions.particles[0]
    incident = Incident(energy_gev, direction, particle)
    with torch.inference_mode():
        noise = module.stream_noise(
            torch.from_numpy(incident.energy), torch.from_numpy(incident.direction), seed, 0
        )
    return ReferenceShower(
        _INPUTS[module.interface](energy_gev, theta_deg, phi_deg, direction),
        tuple(tensor.numpy() for tensor in noise),
        generator.generate(incident, seed=seed, extrapolate=True),
    )


def difference_from_generator(
    output: Array, reference: ReferenceShower, module: ExportedModel
) -> str | None:
    """Difference of an exported shower from the generator's, beyond rounding; None if none.

    Layers are compared by their energies, and by their sorted positions: points that rounding
    swaps across a border between layers differ in their rows.

    Arguments:
        output: Output of the file for the inputs and the noise of the reference.
        reference: The reference.
        module: What the model exports.
    """
    return _COMPARED[module.interface](output, reference.shower)


def check_against_generator(differences: Sequence[str | None], name: str) -> None:
    """Make sure that most exported showers are the generator's.

    Not all: rounding turns a cell on or off once in some hundred showers, and all that a model
    draws behind it is another draw then.

    Arguments:
        differences: Differences of several showers, of `difference_from_generator`.
        name: Name of the model, for the message.

    Raises:
        PluginError: If half of them or more differ.
    """
    found = [difference for difference in differences if difference is not None]
    if 2 * len(found) >= len(differences):
        msg = (
            f"{name} exports another shower than it generates: {found[0]}; "
            "please report this to the authors of its plugin."
        )
        raise PluginError(msg)


def check_form(output: Array, module: ExportedModel, name: str) -> None:
    """Make sure that an exported shower has the form that its reader takes for granted.

    Arguments:
        output: Output of the file.
        module: What the model exports.
        name: Name of the model, for the message.

    Raises:
        PluginError: If it has another one.
    """
    fault = None
    if output.shape != module.output_shape or output.dtype != np.float32:
        fault = f"{output.dtype} of shape {output.shape}"
    elif not np.isfinite(output).all():
        fault = "numbers that are not finite"
    elif module.interface == "ddml-points":
        fault = fault_of_points(output)
    elif (output < 0).any():
        fault = "negative energies"
    if fault is not None:
        msg = f"{name} exports {fault}; please report this to the authors of its plugin."
        raise PluginError(msg)


def fault_of_points(output: Array) -> str | None:
    """Fault in counts, layers or energies of an output with points; None if there is none."""
    counts = output[:N_LAYERS]
    n = round(float(counts.sum()))
    if not (counts == counts.round()).all() or n > (len(output) - N_LAYERS) // 4:
        return "counts that are not whole or too many"
    _, points = points_of_output(output)
    layers = points[:, 2]
    if not (layers == layers.round()).all() or not ((layers >= 0) & (layers < N_LAYERS)).all():
        return "layers that do not exist"
    if not np.array_equal(np.bincount(layers.astype(int), minlength=N_LAYERS), counts):
        return "counts that are not those of its points"
    if not (points[:, 3] > 0).all():
        return "points without energy"
    return "numbers behind its last point" if output[N_LAYERS + 4 * n :].any() else None


def points_of_output(output: Array) -> tuple[Array, Array]:
    """Counts of the layers, shape (30,), and points (x', y', layer, MeV), shape (N, 4)."""
    counts = output[:N_LAYERS]
    n = round(float(counts.sum()))
    return counts, output[N_LAYERS : N_LAYERS + 4 * n].reshape(n, 4)


def _difference_of_points(output: Array, showers: Showers) -> str | None:
    if (fault := fault_of_points(output)) is not None:
        return fault
    counts, points = points_of_output(output)
    expected = np.bincount(showers.layer, minlength=N_LAYERS)
    if not np.array_equal(counts, expected):
        return f"{counts.sum():g} points in the layers instead of {expected.sum()}"
    layers = points[:, 2].astype(int)
    for what, column, values in (("x'", 0, showers.x), ("y'", 1, showers.y)):
        far = _largest_shift(layers, points[:, column], showers.layer, values)
        if far > POSITION_MM:
            return f"{what} is off by {far:.2g} mm"
    return _difference_of_energies(
        np.bincount(layers, points[:, 3], N_LAYERS),
        np.bincount(showers.layer, showers.energy, N_LAYERS),
    )


def _largest_shift(
    layers: NDArray[Any], values: Array, reference_layers: NDArray[Any], reference: Array
) -> float:
    """Largest difference of values that are sorted in each layer."""
    ours = values[np.lexsort((values, layers))]
    theirs = reference[np.lexsort((reference, reference_layers))]
    # A point that rounding puts into the next layer shifts the ranks of one layer's values.
    return float(np.quantile(np.abs(ours - theirs), 0.99))


def _difference_of_energies(ours: NDArray[Any], theirs: NDArray[Any]) -> str | None:
    worst = float(np.max(np.abs(ours - theirs) / np.maximum(theirs, 0.1)))
    return f"the energy of a layer is off by {worst:.2g}" if worst > ENERGY_SHARE else None


def _of_points(energy: float, theta: float, phi: float, _: FloatArray) -> tuple[Array, ...]:
    return tuple(np.array([[value]], np.float32) for value in (energy, theta, phi))


def _difference_of_grid(output: Array, showers: Showers) -> str | None:
    """Difference of a grid in GeV, from points in its sub-cells."""
    grid = output.astype(np.float64).reshape(N_LAYERS, -1) * 1000
    if not np.isfinite(grid).all() or (grid < 0).any():
        return "energies that are none"
    detector = load_detector(showers.detector)
    side, pitch = math.isqrt(grid.shape[1]), detector.cell_mm / 3
    upright = [
        a - b for a, b in zip((showers.x, showers.y), axis_offsets(showers, detector), strict=True)
    ]
    ix, iy = (np.floor(values / pitch + side / 2).astype(np.int64) for values in upright)
    expected = np.zeros_like(grid)
    np.add.at(expected, (showers.layer, ix * side + iy), showers.energy)
    # A point at the edge of its sub-cell may be rounded into the next one.
    moved = float(np.abs(grid - expected).sum() / expected.sum())
    if moved > MOVED_SHARE:
        return f"{100 * moved:.2g} % of the energy lies in other sub-cells"
    return _difference_of_energies(grid.sum(axis=1), expected.sum(axis=1))


def _of_grid(energy: float, theta: float, phi: float, direction: FloatArray) -> tuple[Array, ...]:
    return (np.array([[energy, *direction]], np.float32),)


def _difference_of_cylinder(output: Array, showers: Showers) -> str | None:
    """Difference of voxels in GeV, by radius, phi and layer, from points in them."""
    mesh = output.astype(np.float64).reshape(MESH) * 1000
    if not np.isfinite(mesh).all() or (mesh < 0).any():
        return "energies that are none"
    voxels, _ = DATASETS["dataset2"].fill(showers)
    expected = voxels.reshape(MESH[::-1]).transpose(2, 1, 0)
    moved = float(np.abs(mesh - expected).sum() / expected.sum())
    if moved > MOVED_SHARE:
        return f"{100 * moved:.2g} % of the energy lies in other voxels"
    return _difference_of_energies(mesh.sum(axis=(0, 1)), expected.sum(axis=(0, 1)))


def _of_cylinder(energy: float, theta: float, phi: float, _: FloatArray) -> tuple[Array, ...]:
    angles = np.radians([phi, theta])
    return (np.array([[energy, *angles, 1, 0, 0, 0, 0]], np.float32),)


_INPUTS: Final[dict[str, Callable[[float, float, float, FloatArray], tuple[Array, ...]]]] = {
    "ddml-points": _of_points,
    "ddml-x9": _of_grid,
    "par04": _of_cylinder,
}

_COMPARED: Final[dict[str, Callable[[Array, Showers], str | None]]] = {
    "ddml-points": _difference_of_points,
    "ddml-x9": _difference_of_grid,
    "par04": _difference_of_cylinder,
}
