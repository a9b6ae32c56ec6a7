"""Images of the generator network in torch: on a GPU, or in bfloat16."""

from __future__ import annotations

import torch

from calozoo_core.generator import Precision
from calozoo_core.typing import Float32Array
from calozoo_gan3d.networks import Generator, deposits

__all__ = ["TorchImages"]


class TorchImages:
    """`numpy_networks.NumpyGenerator` and `numpy_deposits` in torch.

    Arguments:
        generator: Trained network.
        device: Torch device.
        precision: Precision of the network.
    """

    def __init__(self, generator: Generator, device: str, precision: Precision) -> None:
        self._network = generator.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._precision = device, precision

    def __call__(self, *inputs: Float32Array, energies: Float32Array) -> Float32Array:
        """Deposits in MeV, shape (n, layers, cells, cells).

        Arguments:
            inputs: Condition, roots, latent variables and noise of `Generator.forward`.
            energies: Layer energies in MeV, shape (n, layers).
        """
        with torch.inference_mode():
            with torch.autocast(
                torch.device(self._device).type,
                torch.bfloat16,
                enabled=self._precision == "bfloat16",
            ):
                t = self._network(*(torch.from_numpy(a).to(self._device) for a in inputs))
            images: Float32Array = deposits(t.float().cpu(), torch.from_numpy(energies))[0].numpy()
            return images
