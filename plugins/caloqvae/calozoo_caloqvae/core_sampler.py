"""Sampler of the energies of a shower's core: layers by a flow, their rings from latent nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calozoo_caloqvae.conditioning import condition_bits
from calozoo_caloqvae.config import SPREADS, CaloQvaeConfig
from calozoo_caloqvae.latent_sampler import LatentSampler
from calozoo_caloqvae.numpy_rbm import logistic, rbm_layout
from calozoo_core.clumps.core_encoding import core_from, layer_condition, shape_features
from calozoo_core.clumps.core_sampler import CoreSampler, tables_layout
from calozoo_core.nn.numpy_transformer import transformer_layout
from calozoo_core.nn.standardisation import Standardisation
from calozoo_core.typing import Float32Array
from calozoo_core.weights.layout import Arrays, Layout, TensorLayout, part, prefixed
from calozoo_core.weights.trained_arrays import TrainedArrays

__all__ = ["ShapeSampler", "core_layout", "core_sampler", "needed_layout"]

MISSED: Final = np.float32(15)
"""What the logarithm of the share of a ring that is not hit is lowered by."""

BATCH: Final = 64
"""Showers sampled at once: the random numbers of their chains have to fit into memory."""


def core_layout(config: CaloQvaeConfig) -> Layout:
    """Layout of the tensors of the model."""
    layout = needed_layout(config)
    for number, level in enumerate(config.encoder_levels):
        layout |= prefixed(f"encoder.levels.{number}", level.layout())
    return layout | tables_layout(config.layers, config.rings)


def needed_layout(config: CaloQvaeConfig) -> Layout:
    """Layout of the networks that a shower needs: of all but the encoder."""
    return (
        prefixed("energies", transformer_layout(config.energies))
        | prefixed("prior", rbm_layout(config.prior))
        | prefixed("decoder.net", config.decoder.layout())
        | {"decoder.links": TensorLayout((config.layers, config.links))}
    )


class ShapeSampler:
    """Sampler of how the energy of a layer divides among its rings.

    Arguments:
        config: Sizes.
        decoder: Tensors of the decoder, by name.
        latents: Sampler of the latent nodes.
        scale: Standardisation.
    """

    def __init__(
        self,
        config: CaloQvaeConfig,
        decoder: Arrays,
        latents: LatentSampler,
        scale: Standardisation,
    ) -> None:
        self._decode = config.decoder.function(part(decoder, "net"))
        self._links = np.zeros((config.layers, config.rings, config.rings), np.float32)
        self._links[(slice(None), *np.tril_indices(config.rings, -1))] = decoder["links"]
        self._config, self._latents, self._scale = config, latents, scale

    def __call__(
        self,
        noise: Float32Array,
        condition: Float32Array,
        layers: Float32Array,
        streams: Sequence[np.random.Generator],
    ) -> Float32Array:
        """Energies of rings, in MeV, shape (n, layers, rings).

        Arguments:
            noise: Standard normal, shape (n, layers x rings).
            condition: `primary_condition`, shape (n, 4).
            layers: Energies of the layers, in MeV, shape (n, layers).
            streams: Random numbers of each shower, n of them.
        """
        parts = []
        for first in range(0, len(noise), BATCH):
            rows = slice(first, first + BATCH)
            parts.append(self._part(noise[rows], condition[rows], layers[rows], streams[rows]))
        return np.concatenate(parts)

    def _part(
        self,
        noise: Float32Array,
        condition: Float32Array,
        layers: Float32Array,
        streams: Sequence[np.random.Generator],
    ) -> Float32Array:
        logs = layer_condition(layers)
        bits = condition_bits(condition, self._config.prior.nodes)
        latents = self._latents(bits, streams)
        coins = np.stack([random.random(noise.shape[1], np.float32) for random in streams])
        given = np.concatenate([2 * latents - 1, condition, logs], axis=1)
        hit, mean, log_spread = np.split(self._decode(given), 3, axis=1)
        hits = hit > logistic(coins)
        own = np.exp(np.clip(log_spread, *SPREADS)) * noise
        drawn: Float32Array = mean + own + self._of_inner_rings(own, hits)
        features = np.repeat(shape_features(condition, logs), self._config.rings, axis=1)
        shares = self._scale.invert(drawn, features)
        # Rings that are not hit keep their order: the largest is kept where none is hit.
        shares = np.where(hits, shares, shares - MISSED)
        return core_from(shares.reshape(*layers.shape, self._config.rings), layers)

    def _of_inner_rings(self, own: Float32Array, hits: NDArray[np.bool_]) -> Float32Array:
        """What rings have beyond their mean because the rings inside of them do.

        Arguments:
            own: What they have beyond it by themselves, shape (n, layers x rings).
            hits: Whether they are hit, shape (n, layers x rings).
        """
        grid = (len(own), self._config.layers, self._config.rings)
        beyond, is_hit = own.reshape(grid).copy(), hits.reshape(grid)
        for ring in range(self._config.rings):
            # Term by term: a product of matrices may depend on how many rows there are.
            for inner in range(ring):
                beyond[:, :, ring] += self._links[:, ring, inner] * beyond[:, :, inner]
            beyond[:, :, ring] *= is_hit[:, :, ring]
        return np.where(hits, beyond.reshape(own.shape) - own, np.float32(0))


def core_sampler(trained: TrainedArrays[CaloQvaeConfig], latents: LatentSampler) -> CoreSampler:
    """Sampler of the energies of the core.

    Arguments:
        trained: Configuration and arrays of the model.
        latents: Sampler of the latent nodes.
    """
    config = trained.config
    scale = trained.table(Standardisation, "shape_scale")
    rings = ShapeSampler(config, trained.part("decoder"), latents, scale)
    return CoreSampler.of_trained(
        trained, rings, solver=config.energy_solver, evaluations=config.energy_steps
    )
