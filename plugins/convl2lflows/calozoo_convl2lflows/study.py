"""`python -m calozoo_convl2lflows.study`: what was tried to make the grid cheap, and what it gains.

Every configuration generates the same photons, in turn, on one thread; nothing else should run
meanwhile. Those that are small enough are also trained for as many steps as the others, from the
same seed, to see what a size is worth.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from calozoo_convl2lflows.cells import CellFlow, CellFlows, present
from calozoo_convl2lflows.config import CellsConfig, ConvL2LConfig, VoxelsConfig, preset
from calozoo_convl2lflows.generation import Pipeline
from calozoo_convl2lflows.layer_energies import primary_features
from calozoo_convl2lflows.objectives import Samples, goal
from calozoo_convl2lflows.training_data import Sample, measured
from calozoo_convl2lflows.weights_files import Trained, networks, read
from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table, write_block
from calozoo_core.training import read_sample, seeded

__all__ = ["Variant", "convolutions", "likelihoods", "report", "seconds", "variants"]

WEIGHTS = Path(str(files("calozoo_convl2lflows"))) / "weights" / "ild-photon"
ENERGY_GEV = 50.0
BATCH = 16
SEED = 1
SLOW_S = 1.0
"""What takes longer than this is timed once, and one shower at a time."""

Times = dict[str, dict[int, list[float]]]


class Variant(NamedTuple):
    """A configuration that was tried.

    Arguments:
        name: For the table.
        config: Sizes.
        stage: The flow that is trained for a few steps; None if that takes too long here, or would
            show nothing.
        full: Whether every cell is made to have energy, so that there is nothing to skip.
    """

    name: str
    config: ConvL2LConfig
    stage: str | None = None
    full: bool = False


def variants(*, published: bool = True) -> list[Variant]:
    """The published flow, what makes it cheaper, and ours.

    Arguments:
        published: Whether the published flow is among them, which takes minutes a shower.
    """
    small = preset("small-x9")
    ours = preset("ild-photon")
    theirs = [
        Variant("published: one flow a layer, splines", preset("x9")),
        Variant("published, one flow for all layers", _voxels("x9", shared=True, constants=6)),
    ]
    return [
        *(theirs if published else []),
        Variant("small: 4 blocks, width 16, squeeze 3 x 3, affine", small, "voxels"),
        Variant("small, splines", _voxels("small-x9", coupling="spline"), "voxels"),
        Variant("small, width 32", _voxels("small-x9", width=32), "voxels"),
        Variant("small, squeeze 2 x 2", _voxels("small-x9", squeeze=(2, 2)), "voxels"),
        Variant("ours: cells, then sub-cells of those that were hit", ours, "cells"),
        Variant("ours, one flow a layer", _cells(shared=False), "cells"),
        Variant("ours, width 16", _cells(width=16, hidden=16), "cells"),
        Variant("ours, width 64", _cells(width=64, hidden=64), "cells"),
        Variant("ours, every cell hit: nothing to skip", ours, full=True),
    ]


def _voxels(name: str, **changes: object) -> ConvL2LConfig:
    config = preset(name)
    assert config.voxels is not None
    voxels = VoxelsConfig.model_validate(config.voxels.model_dump() | changes)
    return config.model_copy(update={"voxels": voxels})


def _cells(**changes: object) -> ConvL2LConfig:
    config = preset("ild-photon")
    assert config.cells is not None
    cells = CellsConfig.model_validate(config.cells.model_dump() | changes)
    return config.model_copy(update={"cells": cells})


def seconds(tried: Sequence[Variant], repeats: int) -> Times:
    """Seconds a shower of 50 GeV, by variant, and by how many are made at once.

    The networks that fill layers are as they begin, with one cell in twenty hit, about as in a
    shower; what is timed are sizes. The layer energies are those of the trained flow, where a
    variant has this flow.

    Arguments:
        tried: Variants.
        repeats: Rounds, in each of which all variants come once.
    """
    times: Times = {one.name: {1: [], BATCH: []} for one in tried}
    trained = read(WEIGHTS).networks["energies"]
    for repeat in range(repeats + 1):  # the first warms up
        for one in tried:
            own = times[one.name]
            if own[1] and own[1][0] > SLOW_S:
                continue
            pipeline = _pipeline(one, trained)
            for n in (1, BATCH):
                taken = _timed(pipeline, n, repeat) / n
                if repeat or taken > SLOW_S:
                    own[n].append(taken)
                if taken > SLOW_S:
                    break
    return times


def _pipeline(variant: Variant, energies: nn.Module) -> Pipeline:
    flows = seeded(lambda: nn.ModuleDict(networks(variant.config)), SEED)
    if variant.config.energies == preset("ild-photon").energies:
        flows["energies"] = energies
    if variant.full:
        cells = flows["cells"]
        assert isinstance(cells, CellFlows)
        for flow in cells.flows:
            assert isinstance(flow, CellFlow)
            nn.init.constant_(present(flow.logit.bias), 20.0)
    flows.eval().requires_grad_(requires_grad=False)
    return Pipeline(Trained(variant.config, dict(flows.items())))


def _timed(pipeline: Pipeline, n: int, repeat: int) -> float:
    energy, direction = torch.full((n,), ENERGY_GEV), torch.tensor([[0.0, 0.0, 1.0]])
    primary = primary_features(energy, direction.expand(n, 3))
    began = time.perf_counter()
    pipeline(primary, SEED, repeat * BATCH)
    return time.perf_counter() - began


def convolutions(repeats: int) -> dict[str, list[float]]:
    """Seconds that the convolutions over the layers before take for a layer of 16 showers."""
    cells = read(WEIGHTS).networks["cells"]
    assert isinstance(cells, CellFlows)
    flow, config = cells.of(0), preset("ild-photon")
    assert config.cells is not None
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
                        flow.known(before, condition)
                    if repeat:
                        own.append((time.perf_counter() - began) / 30)
    return times


def likelihoods(
    tried: Sequence[Variant], train: Sample, held_out: Sample, steps: int
) -> dict[str, float]:
    """Negative log-likelihood of held-out layers after a short training, by variant, in nats.

    Only variants of one stage can be compared: a cell and a sub-cell are not the same data.

    Arguments:
        tried: Those with a stage are trained.
        train: Geant4 showers to fit.
        held_out: Others.
        steps: Optimiser steps of each.
    """
    found = {}
    for one in tried:
        if one.stage is None:
            continue
        config, stage = measured(one.config, train), one.stage
        own = goal(stage, Samples(train, held_out, 1), config, SEED, 1, rough=False)
        other = goal(stage, Samples(held_out, held_out, 1), config, SEED, 1, rough=False)
        flows = seeded(lambda config=config: nn.ModuleDict(networks(config)), SEED)  # type: ignore[misc]
        network = flows[stage]
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


def report(
    tried: Sequence[Variant],
    times: Times,
    losses: Mapping[str, float],
    rough: Mapping[str, Sequence[float]],
) -> str:
    """All of it, in Markdown.

    Arguments:
        tried: Variants.
        times: From `seconds`.
        losses: From `likelihoods`.
        rough: From `convolutions`.
    """
    rows = []
    for one in tried:
        with torch.device("meta"):
            flows = networks(one.config)
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
    ratio = median(a / b for a, b in zip(rough["bfloat16"], rough["float32"], strict=True))
    return (
        f"{table(header, rows)}\n\nIn bfloat16 the convolutions over the layers before take "
        f"{ratio:.2f} of the time they take in float32, for {BATCH} showers at once."
    )


def main(arguments: list[str] | None = None) -> None:
    """Time all, train what is small, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m calozoo_convl2lflows.study", description=__doc__
    )
    parser.add_argument("data", type=Path, help="folder with train/ and val/")
    parser.add_argument("--repeats", type=int, default=7, help="timings of each; default 7")
    parser.add_argument("--steps", type=int, default=200, help="of training; 0 for none")
    parser.add_argument(
        "--published", action="store_true", help="time the published flow, too: minutes a shower"
    )
    parser.add_argument("--write", type=Path, help="put the table into this page, too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    tried = variants(published=options.published)
    try:
        train, held_out = (Sample.of(read_sample(options.data, p)) for p in ("train", "val"))
        times, rough = seconds(tried, options.repeats), convolutions(options.repeats)
        losses = likelihoods(tried, train, held_out, options.steps) if options.steps else {}
        text = report(tried, times, losses, rough)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "study", text)
    except CalozooError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
