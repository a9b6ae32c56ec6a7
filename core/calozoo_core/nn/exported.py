"""Exported models: one shower as a function of tensors, in torch alone, for files that others run.

A plugin derives a module from the interface it can serve and returns it from
`Generator.exported`; the file that is written needs neither the plugin nor calozoo. All random
numbers are arguments of `given`; `forward` draws them and calls it. So a file can be compared with
its generator number by number.

TorchScript, `torch.export` and ONNX read the same code. So a module keeps to tensors, numbers and
lists, has no loop that random numbers end, and draws again by choosing among candidates. Numbers of
a module or a configuration are copied to attributes, since TorchScript sees no others.
"""

# Without `from __future__ import annotations`: TorchScript wants types, not texts, of attributes.
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "CANDIDATES",
    "MOST_POINTS",
    "CylinderModel",
    "ExportedModel",
    "GridModel",
    "Input",
    "Noise",
    "PointModel",
    "first_good",
    "limited_length",
]

CANDIDATES = 4
"""Showers drawn at once, of which the first good one is taken: one in a thousand is bad."""

DDML_LAYERS = 30
DDML_FLOATS = 35_000
"""Length of the buffer that DDML copies from the output of a model of points."""

MOST_POINTS = (DDML_FLOATS - DDML_LAYERS) // 4
"""Largest number of points that fit into the buffer."""


class Noise(NamedTuple):
    """Random numbers that a module takes.

    Arguments:
        name: Name of the tensor.
        shape: Shape of the tensor.
        distribution: Standard normal, or uniform in [0, 1).
    """

    name: str
    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform"] = "normal"


class Input(NamedTuple):
    """Tensor that a module takes.

    Arguments:
        name: Name of the tensor.
        content: Content and unit, for people.
        example: Content for a primary of 50 GeV, straight in; the tensor's shape is (1, n).
    """

    name: str
    content: str
    example: tuple[float, ...]


class ExportedModel(nn.Module, ABC):
    """Module that makes one shower from tensors; the base of all interfaces.

    Arguments:
        noise: Random numbers it takes.
    """

    #: Name of the interface, as `calozoo export --interface` takes it.
    interface: ClassVar[str]
    #: Tensors that `forward` takes.
    inputs: ClassVar[tuple[Input, ...]]
    #: Shape of the tensor it returns.
    output_shape: ClassVar[tuple[int, ...]]
    #: Content and unit of the tensor it returns, for people.
    output: ClassVar[str]
    #: It loops over layers; only TorchScript keeps a loop, other formats would unroll it.
    has_loops: ClassVar[bool] = False
    #: Showers it draws at once, of which it takes the first good one.
    candidates: ClassVar[int] = 1

    def __init__(self, noise: Sequence[Noise]) -> None:
        super().__init__()
        self.noise = tuple(noise)
        self.noise_shapes: list[list[int]] = [list(one.shape) for one in noise]
        self.is_normal: list[bool] = [one.distribution == "normal" for one in noise]

    @abstractmethod
    def stream_noise(
        self, energy: Tensor, direction: Tensor, seed: int, number: int
    ) -> list[Tensor]:
        """Random numbers with which the module makes shower `number` of its generator.

        They come from `calozoo_core.random.stream`; no file holds this method.

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            direction: Unit vector in the local frame, shape (1, 3).
            seed: Seed of the sample.
            number: Number of the shower in the sample.
        """

    def draw(self) -> list[Tensor]:
        """Random numbers from torch's own generator, as `noise` describes them."""
        numbers: list[Tensor] = []
        for i, shape in enumerate(self.noise_shapes):
            if self.is_normal[i]:
                numbers.append(torch.randn(shape, dtype=torch.float32))
            else:
                numbers.append(torch.rand(shape, dtype=torch.float32))
        return numbers

    def example(self) -> list[Tensor]:
        """Inputs to follow the module with: a primary of 50 GeV, straight in."""
        return [torch.tensor([one.example], dtype=torch.float32) for one in self.inputs]

    def traced_parts(self) -> dict[str, tuple[Tensor, ...]]:
        """Submodules without data-dependent control flow, and example arguments of each.

        TorchScript records what they do; everything else it compiles, and what it compiles must be
        written in its part of Python. None by default.
        """
        return {}


class PointModel(ExportedModel):
    """Module that makes the points of a shower: interface of DDML's CaloCloudsTwoAngle.

    Arguments:
        noise: Random numbers it takes.
        layer_depth_mm: Depths of the 30 layers behind the face, in mm.
    """

    interface = "ddml-points"
    inputs = (
        Input("energy", "incident energy, GeV", (50.0,)),
        Input("theta", "angle to the normal of the face, degrees", (0.0,)),
        Input("phi", "azimuth around the normal, atan2(y', x'), degrees", (0.0,)),
    )
    output_shape = (DDML_FLOATS,)
    output = (
        "number of points of each of the 30 layers; then, point by point, x' in mm, y' in mm, "
        "layer and energy in MeV; zeros to the end"
    )

    layer_depth_mm: Tensor
    layer_numbers: Tensor
    zeros: Tensor

    def __init__(self, noise: Sequence[Noise], layer_depth_mm: Sequence[float]) -> None:
        super().__init__(noise)
        if len(layer_depth_mm) != DDML_LAYERS:
            msg = f"the interface has {DDML_LAYERS} layers, not {len(layer_depth_mm)}"
            raise ValueError(msg)
        depth = torch.tensor([float(depth) for depth in layer_depth_mm], dtype=torch.float32)
        self.most_points = MOST_POINTS
        self.register_buffer("layer_depth_mm", depth)
        self.register_buffer("layer_numbers", torch.arange(DDML_LAYERS))
        self.register_buffer("zeros", torch.zeros(DDML_FLOATS, dtype=torch.float32))

    @abstractmethod
    def upright(
        self, energy: Tensor, direction: Tensor, noise: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points in the upright frame: x' and y' in mm, layer (whole), energy in MeV, each (N,).

        At most `MOST_POINTS`, ordered by layer.

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            direction: Unit vector in the local frame, shape (1, 3).
            noise: Random numbers, as `noise` describes them.
        """

    def forward(self, energy: Tensor, theta: Tensor, phi: Tensor) -> Tensor:
        """Shower of its own random numbers, shape (35000,).

        Arguments:
            energy: In GeV, shape (1, 1).
            theta: In degrees, shape (1, 1).
            phi: In degrees, shape (1, 1).
        """
        return self.given(energy, theta, phi, self.draw())

    @torch.jit.export
    def given(self, energy: Tensor, theta: Tensor, phi: Tensor, noise: list[Tensor]) -> Tensor:
        """Shower of given random numbers, shape (35000,)."""
        direction = unit_vector(
            theta.reshape(1) * (math.pi / 180), phi.reshape(1) * (math.pi / 180)
        )
        x, y, layer, deposit = self.upright(energy.reshape(1), direction, noise)
        depth = self.layer_depth_mm[layer]
        x = x + depth * (direction[0, 0] / direction[0, 2])
        y = y + depth * (direction[0, 1] / direction[0, 2])
        counts = (layer.unsqueeze(1) == self.layer_numbers).sum(dim=0)
        points = torch.stack([x, y, layer.to(x.dtype), deposit], dim=1).flatten()
        filled = torch.cat([counts.to(x.dtype), points])
        return torch.cat([filled, self.zeros[filled.shape[0] :]])


class GridModel(ExportedModel):
    """Module that makes a grid of deposits in the upright frame: interface of DDML's L2LFlows."""

    interface = "ddml-x9"
    inputs = (
        Input(
            "incident",
            "incident energy, GeV; direction, a unit vector (x', y', z')",
            (50.0, 0.0, 0.0, 1.0),
        ),
    )
    output_shape = (DDML_LAYERS * 90 * 90,)
    output = (
        "energy of each sub-cell in GeV, index (layer 90 + ix) 90 + iy, around the shower axis; "
        "DDML shears it"
    )

    @abstractmethod
    def grid(self, energy: Tensor, direction: Tensor, noise: list[Tensor]) -> Tensor:
        """Deposits in MeV by layer, index along x' and index along y', shape (30, 90, 90).

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            direction: Unit vector in the local frame, shape (1, 3).
            noise: Random numbers, as `noise` describes them.
        """

    def forward(self, incident: Tensor) -> Tensor:
        """Shower of its own random numbers, shape (243000,)."""
        return self.given(incident, self.draw())

    @torch.jit.export
    def given(self, incident: Tensor, noise: list[Tensor]) -> Tensor:
        """Shower of given random numbers, shape (243000,)."""
        deposits = self.grid(incident[:, 0], incident[:, 1:], noise)
        return deposits.reshape(-1) / 1000


class CylinderModel(ExportedModel):
    """Module that makes a mesh about the shower axis: interface of Geant4's example Par04."""

    interface = "par04"
    inputs = (
        Input(
            "condition",
            "incident energy, GeV; phi and theta, radians; five numbers of a geometry, not used",
            (50.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
        ),
    )
    output_shape = (9 * 16 * 45,)
    output = (
        "energy of each voxel in GeV; the radius runs slowest, then phi (centres at "
        "(j + 1/2) 2 pi / 16 - pi), then the layer"
    )

    @abstractmethod
    def voxels(self, energy: Tensor, noise: list[Tensor]) -> Tensor:
        """Deposits in MeV by layer, sector and ring, shape (45, 16, 9).

        Arguments:
            energy: Incident energy in GeV, shape (1,).
            noise: Random numbers, as `noise` describes them.
        """

    def forward(self, condition: Tensor) -> Tensor:
        """Shower of its own random numbers, shape (6480,)."""
        return self.given(condition, self.draw())

    @torch.jit.export
    def given(self, condition: Tensor, noise: list[Tensor]) -> Tensor:
        """Shower of given random numbers, shape (6480,)."""
        values = condition.flatten()  # TorchScript gets one axis from Par04, ONNX two
        deposits = self.voxels(values[:1], noise)
        # The other conditions stay in the graph: a host hands over all of them.
        unused = 0 * values[1:].sum()
        return deposits.permute(2, 1, 0).reshape(-1) / 1000 + unused


def unit_vector(theta: Tensor, phi: Tensor) -> Tensor:
    """Direction in the local frame, shape (n, 3), of angles in radians, shape (n,)."""
    sine = theta.sin()
    return torch.stack([sine * phi.cos(), sine * phi.sin(), theta.cos()], dim=1)


def first_good(is_bad: Tensor) -> Tensor:
    """Index of the first candidate that is not bad; of the first one if all are.

    Arguments:
        is_bad: Candidates that are bad, shape (candidates,).

    Example:
        >>> first_good(torch.tensor([True, False, True, False])).item()
        1
    """
    order = torch.arange(is_bad.shape[0], device=is_bad.device)
    return (order + is_bad.shape[0] * is_bad.to(order.dtype)).argmin()


def limited_length(total: Tensor, most: int) -> int:
    """A tensor's whole number as a length from 0 to `most`, which `torch.export` can follow."""
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return int(total.item())
    length = total.item()  # symbolic while `torch.export` follows it, so no int() of it
    torch._check(length >= 0)  # type: ignore[no-untyped-call]
    torch._check(length <= most)  # type: ignore[no-untyped-call]
    return length  # type: ignore[return-value]
