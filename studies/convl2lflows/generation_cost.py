"""Time of generation by sizes of ConvL2LFlows: `python -m studies.convl2lflows.generation_cost`.

Every configuration generates the same photons, in turn, on one thread; nothing else should run at
the same time. Those that are small enough are also trained for the same number of steps from the
same seed, to compare their likelihoods.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from calozoo_convl2lflows.cells import CellFlow
from calozoo_convl2lflows.config import CellsConfig, ConvL2LConfig
from calozoo_convl2lflows.config import preset as trained_preset
from calozoo_convl2lflows.contexts import primary_features
from calozoo_convl2lflows.grid import SubCells
from calozoo_convl2lflows.layer_energies import LayerEnergies
from calozoo_convl2lflows.model import Pipeline
from calozoo_convl2lflows.trained import TrainedConvL2LFlows
from calozoo_convl2lflows.training import Stages, TrainingSamples
from calozoo_convl2lflows.training_data import (
    UprightShowers,
    on_grid,
    random_layers,
    subcell_energies,
)
from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table, write_block
from calozoo_core.random import stream
from calozoo_core.training import Batch, StageConfig, read_sample, seeded
from studies.convl2lflows.maf import Maf
from studies.convl2lflows.published_config import PublishedConfig, VoxelsConfig, preset
from studies.convl2lflows.published_flow import PublishedPipeline, networks
from studies.convl2lflows.voxel_flow import VoxelEncoding, VoxelFlows

__all__ = ["Variant", "convolutions", "likelihoods", "report", "seconds", "variants"]

WEIGHTS = Path(str(files("calozoo_convl2lflows"))) / "weights" / "ild-photon"
ENERGY_GEV = 50.0
BATCH = 16
SEED = 1
SLOW_S = 1.0
"""Time of a shower above which a variant is timed once, and one shower at a time."""

Times = dict[str, dict[int, list[float]]]
Generation = Callable[[Tensor, int, int], SubCells]
"""Function of features of the primaries, seed and number of the first shower."""


class Variant(NamedTuple):
    """A configuration that is timed.

    Arguments:
        name: Name in the table.
        config: Sizes.
        is_trained: Train its flow of the layers for a few steps.
        is_full: Give every cell energy, so that no cell can be skipped.
    """

    name: str
    config: PublishedConfig | ConvL2LConfig
    is_trained: bool = False
    is_full: bool = False


def variants(*, published: bool = True) -> list[Variant]:
    """The published flow, smaller ones of its make, and the trained model.

    Arguments:
        published: Include the published flow, which takes minutes per shower.
    """
    small = preset("small-x9")
    ours = trained_preset("ild-photon")
    theirs = [
        Variant("published: one flow a layer, splines", preset("x9")),
        Variant("published, one flow for all layers", _voxels("x9", shared=True, constants=6)),
    ]
    return [
        *(theirs if published else []),
        Variant("small: 4 blocks, width 16, squeeze 3 x 3, affine", small, is_trained=True),
        Variant("small, splines", _voxels("small-x9", coupling="spline"), is_trained=True),
        Variant("small, width 32", _voxels("small-x9", width=32), is_trained=True),
        Variant("small, squeeze 2 x 2", _voxels("small-x9", squeeze=(2, 2)), is_trained=True),
        Variant("ours: cells, then sub-cells of those that were hit", ours, is_trained=True),
        Variant("ours, one flow a layer", _cells(shared=False), is_trained=True),
        Variant("ours, width 16", _cells(width=16, hidden=16), is_trained=True),
        Variant("ours, width 64", _cells(width=64, hidden=64), is_trained=True),
        Variant("ours, every cell hit: nothing to skip", ours, is_full=True),
    ]


def _voxels(name: str, **changes: object) -> PublishedConfig:
    config = preset(name)
    voxels = VoxelsConfig.model_validate(config.voxels.model_dump() | changes)
    return config.model_copy(update={"voxels": voxels})


def _cells(**changes: object) -> ConvL2LConfig:
    config = trained_preset("ild-photon")
    cells = CellsConfig.model_validate(config.cells.model_dump() | changes)
    return config.model_copy(update={"cells": cells})


def seconds(tried: Sequence[Variant], repeats: int) -> Times:
    """Seconds per shower of 50 GeV, by variant and number of showers made together.

    The networks of the layers are untrained, with one cell in twenty hit, about as in a shower,
    since only sizes are timed. The layer energies are those of the trained flow, where a variant
    has this flow.

    Arguments:
        tried: Variants.
        repeats: Rounds, in each of which every variant is timed once.
    """
    times: Times = {one.name: {1: [], BATCH: []} for one in tried}
    energies = TrainedConvL2LFlows.read(WEIGHTS).energies
    for repeat in range(repeats + 1):  # the first one warms up
        for one in tried:
            own = times[one.name]
            if own[1] and own[1][0] > SLOW_S:
                continue
            pipeline = _pipeline(one, energies)
            for n in (1, BATCH):
                taken = _timed(pipeline, n, repeat) / n
                if repeat or taken > SLOW_S:
                    own[n].append(taken)
                if taken > SLOW_S:
                    break
    return times


def _flows(config: PublishedConfig | ConvL2LConfig) -> dict[str, nn.Module]:
    """Untrained flows of a configuration."""
    if isinstance(config, PublishedConfig):
        return networks(config)
    return TrainedConvL2LFlows.untrained(config).named_networks()


def _seeded_flows(config: PublishedConfig | ConvL2LConfig) -> nn.ModuleDict:
    return seeded(lambda: nn.ModuleDict(_flows(config)), SEED)


def _pipeline(variant: Variant, energies: LayerEnergies) -> Generation:
    flows = _seeded_flows(variant.config).eval().requires_grad_(requires_grad=False)
    if isinstance(variant.config, PublishedConfig):
        maf, voxels = flows["energies"], flows["voxels"]
        assert isinstance(maf, Maf)
        assert isinstance(voxels, VoxelFlows)
        return PublishedPipeline(variant.config, maf, voxels)
    trained = TrainedConvL2LFlows(variant.config, **dict(flows.items()))  # type: ignore[arg-type]
    if variant.is_full:
        for flow in trained.cells.flows:
            assert isinstance(flow, CellFlow)
            assert flow.logit.bias is not None
            nn.init.constant_(flow.logit.bias, 20.0)
    pipeline = Pipeline(replace(trained, energies=energies).to_arrays())
    return lambda primary, seed, first: pipeline(primary.numpy(), seed, first)


def _timed(pipeline: Generation, n: int, repeat: int) -> float:
    energy = np.full(n, ENERGY_GEV, np.float32)
    direction = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (n, 1))
    primary = torch.from_numpy(primary_features(energy, direction))
    began = time.perf_counter()
    pipeline(primary, SEED, repeat * BATCH)
    return time.perf_counter() - began


def convolutions(repeats: int) -> dict[str, list[float]]:
    """Seconds of the convolutions over the layers before, for a layer of 16 showers."""
    trained = TrainedConvL2LFlows.read(WEIGHTS)
    flow, config = trained.cells.of(0), trained.config
    half = config.grid.cells // 2
    before = torch.rand(BATCH, config.cells.previous * 4, half, half)
    condition = torch.rand(BATCH, config.cells.condition)
    times: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    with torch.inference_mode():
        for repeat in range(repeats + 1):
            for name, own in times.items():
                with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
                    began = time.perf_counter()
                    for _ in range(30):
                        flow.previous_layers(before, condition)
                    if repeat:
                        own.append((time.perf_counter() - began) / 30)
    return times


def likelihoods(
    tried: Sequence[Variant], train: UprightShowers, held_out: UprightShowers, steps: int
) -> dict[str, float]:
    """Negative log-likelihood of held-out layers after a short training, by variant, in nats.

    Flows of cells and flows of sub-cells cannot be compared: their data differ.

    Arguments:
        tried: Variants, of which those with `is_trained` are trained.
        train: Geant4 showers to train on.
        held_out: Held-out Geant4 showers.
        steps: Optimiser steps of each.
    """
    found = {}
    for one in tried:
        if not one.is_trained:
            continue
        stage = "voxels" if isinstance(one.config, PublishedConfig) else "cells"
        network = _seeded_flows(one.config)[stage]
        own, other = (_stage(one.config, sample) for sample in (train, held_out))
        optimizer = torch.optim.AdamW(network.parameters(), lr=own.learning_rate)
        for step in range(steps):
            optimizer.zero_grad()
            own.loss(network, network, own.batch(step)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            losses = [float(other.loss(network, network, other.batch(step))) for step in range(8)]
        found[one.name] = float(np.mean(losses))
    return found


def _stage(config: PublishedConfig | ConvL2LConfig, sample: UprightShowers) -> StageConfig:
    """Loss and batches of the flow of the layers."""
    if isinstance(config, ConvL2LConfig):
        samples = TrainingSamples(sample, sample, n_metrics=1)
        return Stages(samples, config, SEED, bfloat16=False).cells(epochs=1)
    maxima = _maxima_mev(sample, config)
    encoding = VoxelEncoding(config.grid, config.voxels.model_copy(update={"maxima_mev": maxima}))
    n_voxels = math.prod(config.grid.shape)

    def loss(network: nn.Module, _: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, VoxelFlows)
        x, before, primary, energies, layer = batch
        constants = network.constants_of(primary, energies, layer)
        return -network.log_prob(x, before, constants, layer).mean() / n_voxels

    return StageConfig(
        loss=loss,
        metrics=lambda _: {},
        batch=lambda step: _voxel_batch(sample, config, encoding, step),
        epochs=1,
        share=1.0,
        learning_rate=1e-3,
    )


def _voxel_batch(
    sample: UprightShowers, config: PublishedConfig, encoding: VoxelEncoding, step: int
) -> Batch:
    """Encoded voxels of random layers of random showers, the batch of one optimiser step.

    Returns:
        Voxels of the layers, shape (images, height, width), those of the layers before, features
        of the primaries, energies of the layers, and indices of the layers.
    """
    showers, layers, previous = 4, 8, config.voxels.previous
    random = stream(SEED, step, "voxels batch")
    grid = ConvL2LConfig(grid=config.grid)
    batch = on_grid(sample, random.integers(len(sample), size=showers), grid, random)
    energy = subcell_energies(batch.filled, showers, grid, before=0)
    uniform, normal = (
        torch.from_numpy(draw(energy.shape, np.float32))
        for draw in (random.random, random.standard_normal)
    )
    index = torch.arange(config.grid.layers).repeat(showers)
    noised = encoding.add_noise(energy, uniform, normal).flatten(0, 1)
    values = encoding.forward(noised, index).view_as(energy)
    padded = torch.cat([values.new_zeros(showers, previous, *values.shape[2:]), values], dim=1)
    shower, layer = random_layers(batch, layers, random)
    window = layer[:, None] + previous - torch.arange(1, previous + 1)
    before = padded[shower[:, None], window]
    return values[shower, layer], before, batch.primary[shower], batch.energies[shower], layer


def _maxima_mev(sample: UprightShowers, config: PublishedConfig) -> tuple[float, ...]:
    """Largest deposit of each layer."""
    random, grid = stream(0, 0, "maxima"), ConvL2LConfig(grid=config.grid)
    maxima = np.full(config.grid.layers, config.grid.threshold_mev, np.float32)
    for rows in np.array_split(np.arange(len(sample)), -(-len(sample) // 500)):
        filled = on_grid(sample, rows, grid, random).filled
        np.maximum.at(maxima, filled.layer, filled.energy)
    return tuple(float(f"{maximum:.4g}") for maximum in maxima)


def report(
    tried: Sequence[Variant],
    times: Times,
    losses: Mapping[str, float],
    convolution_times: Mapping[str, Sequence[float]],
) -> str:
    """The table in Markdown.

    Arguments:
        tried: Variants.
        times: From `seconds`.
        losses: From `likelihoods`.
        convolution_times: From `convolutions`.
    """
    rows = []
    for one in tried:
        with torch.device("meta"):
            flows = _flows(one.config)
        size = sum(p.numel() for flow in flows.values() for p in flow.parameters())
        own = times[one.name]
        rows.append(
            (
                one.name,
                f"{size:,}",
                *(f"{1e3 * median(own[n]):.1f}" if own[n] else "" for n in (1, BATCH)),
                *([f"{losses[one.name]:.3f}" if one.name in losses else ""] if losses else []),
            )
        )
    header = ("", "parameters", "ms alone", f"ms, {BATCH} at once", *(["loss"] if losses else []))
    half, single = (convolution_times[name] for name in ("bfloat16", "float32"))
    ratio = median(a / b for a, b in zip(half, single, strict=True))
    return (
        f"{table(header, rows)}\n\nIn bfloat16 the convolutions over the layers before take "
        f"{ratio:.2f} of the time they take in float32, for {BATCH} showers at once."
    )


def main(arguments: list[str] | None = None) -> None:
    """Run all timings, train the small variants, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.convl2lflows.generation_cost", description=__doc__
    )
    parser.add_argument("data", type=Path, help="folder with train/ and val/")
    parser.add_argument("--repeats", type=int, default=7, help="timings of each; default 7")
    parser.add_argument("--steps", type=int, default=200, help="of training; 0 for none")
    parser.add_argument(
        "--published", action="store_true", help="time the published flow, too: minutes per shower"
    )
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tried = variants(published=options.published)
    try:
        train, held_out = (
            UprightShowers.from_showers(read_sample(options.data, part))
            for part in ("train", "val")
        )
        times, by_type = seconds(tried, options.repeats), convolutions(options.repeats)
        losses = likelihoods(tried, train, held_out, options.steps) if options.steps else {}
        text = report(tried, times, losses, by_type)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "study", text)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
