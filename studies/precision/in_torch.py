"""Generators whose networks are computed by torch, in full or in mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from calozoo import api
from calozoo_calodiffusion.trained import TrainedCaloDiffusion
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_caloscore.trained import TrainedCaloScore
from calozoo_core.clumps.core_generator import CoreGenerator
from calozoo_core.generator import Generator
from calozoo_core.typing import Float32Array

__all__ = ["MODELS", "Networks", "core_networks", "in_torch"]

Networks = tuple[nn.Module, nn.Module]
"""Networks of the layer energies and of the rings."""


class TorchNetwork:
    """Network in torch, called as its counterpart in numpy is.

    Arguments:
        network: The network.
        config: Its sizes.
        is_mixed: It is evaluated in bfloat16, within `torch.autocast`.
    """

    def __init__(self, network: nn.Module, config: Any, *, is_mixed: bool) -> None:
        self.config, self._network, self._is_mixed = config, network.eval(), is_mixed

    def given(self, *conditions: Any) -> tuple[Float32Array, ...]:
        """The conditions, one after the other; without those that are None."""
        flat: list[Float32Array] = []
        for one in conditions:
            flat += one if isinstance(one, tuple) else [] if one is None else [one]
        return tuple(flat)

    def __call__(
        self,
        x: Float32Array,
        time: float,
        given: tuple[Float32Array, ...],
        images: Float32Array | None = None,
    ) -> Float32Array:
        """Output of the network for values x at a time, in the shape of x."""
        inputs = [torch.from_numpy(one) for one in given]
        if images is not None:
            # Further images are the last axis in numpy, and the first of an image in torch.
            inputs.append(torch.tensor(images).movedim(-1, 1))
        times = torch.full((len(x),), float(time))
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=self._is_mixed),
        ):
            output: Tensor = self._network(torch.from_numpy(x), times, *inputs)
            return cast("Float32Array", output.float().numpy())


def core_networks(generator: CoreGenerator[Any]) -> Networks:
    """Networks of a model of the core, in torch."""
    arrays, architecture = generator.trained, generator.spec.architecture
    if architecture == "caloscore":
        score = TrainedCaloScore.from_arrays(arrays)
        students = dict(score.students.items())
        return score.energies, students.get(str(generator.steps), score.teacher)
    if architecture == "calodream":
        dream = TrainedCaloDream.from_arrays(arrays)
        return dream.energies, dream.shape
    diffusion = TrainedCaloDiffusion.from_arrays(arrays)
    return diffusion.energies, diffusion.shape


def _core(name: str, *, is_mixed: bool) -> Generator:
    generator = cast("CoreGenerator[Any]", api.load(name, offline=True))
    sampler = generator._core
    for part, network in zip(
        (sampler._energies, sampler._rings), core_networks(generator), strict=True
    ):
        own = cast("Any", part)
        own._network = TorchNetwork(network, own._network.config, is_mixed=is_mixed)
    return generator


def _own(name: str, *, is_mixed: bool) -> Generator:
    if is_mixed:
        return api.load(name, offline=True, precision="bfloat16")
    return api.load(name, offline=True, runtime="torch")


MODELS: Final[dict[str, Callable[..., Generator]]] = {
    "calodream.ild-photon-clumps": _core,
    "caloscore.ild-photon-clumps": _core,
    "calodiffusion.ild-photon-clumps": _core,
    "3dgan.ild-photon": _own,
    "caloclouds3.ild-photon": _own,
}
"""Trained models whose networks torch evaluates in either precision."""


def in_torch(name: str, *, is_mixed: bool) -> Generator:
    """Generator of one of `MODELS`, its networks in torch.

    Arguments:
        name: Name of the model.
        is_mixed: Networks are evaluated in bfloat16; all else stays in float32.
    """
    return MODELS[name](name, is_mixed=is_mixed)
