"""Figures, hits and pages come out as before; `golden_data` says how to rewrite what is stored."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from golden_data import (
    GOLDEN,
    Incident,
    ObservableAccumulator,
    check_text,
    check_values,
    compare,
    compare_features,
    digest,
    load,
    load_placement,
    output,
    uniform_showers,
)

CARDS = GOLDEN / "cards"


@cache
def tally(
    seed: int, n: int, energy: tuple[float, ...], detector: str | None = None
) -> ObservableAccumulator:
    """Observables of toy showers: straight in, or placed into a detector from the origin."""
    toy, energies = load("toy"), np.tile(energy, n // len(energy))
    placement = None if detector is None else load_placement(detector)
    summed = ObservableAccumulator("ild_siecal_regular", placement=placement)
    if placement is None:
        summed.add(toy.generate(energy=energies, seed=seed))
        return summed
    summed.add(toy.generate(incident(placement, energies), seed=seed, extrapolate=True))
    return summed


def incident(placement, energy) -> Incident:
    """Primaries from the interaction point."""
    position, momentum = placement.draw(len(energy), seed=4)
    return Incident(energy, placement.local_direction(position, momentum), position=position)


def by_name(figures) -> dict:
    """What a figure says, by observable and metric."""
    return {
        f"{figure.name} {figure.metric}": figure.model_dump(
            mode="json", include={"value", "error", "noise_floor", "n_entries", "unit", "reason"}
        )
        for figure in figures
    }


@pytest.mark.parametrize("detector", [None, "ild_siecal"])
def test_figures_of_two_samples_are_as_before(detector):
    pair = (tally(seed, 120, (10.0, 20.0), detector) for seed in (1, 2))
    name = f"figures, {detector or 'no placement'}"
    check_values("figures.json", name, by_name(compare(*pair)), near=1e-9)


def test_figures_of_features_are_as_before():
    pair = (tally(seed, 1000, (2.0,)) for seed in (1, 2))
    figures = compare_features(*pair, metrics=("fpd", "kpd"), seed=1)
    check_values("figures.json", "features", by_name(figures), rel=1e-3, near=1e-6)


@pytest.mark.parametrize("detector", ["ild_siecal", "ild_siecal_regular", "par04_siw"])
def test_hits_of_placed_showers_are_as_before(detector):
    placement = load_placement(detector)
    if detector == "par04_siw":  # the toy has 30 layers
        showers = uniform_showers(detector, 90, n=8)
        position, _ = placement.draw(8, seed=4)
    else:
        primaries = incident(placement, np.linspace(5, 50, 8))
        showers = load("toy").generate(primaries, seed=3, extrapolate=True)
        position = primaries.position
    hits = placement.place(showers, position, threshold_mev=0.1)
    shower = np.repeat(np.arange(8), np.diff(hits.offsets))
    counts = np.maximum(np.diff(hits.offsets), 1)
    means = {
        name: (np.bincount(shower, getattr(hits, name), 8) / counts).round(5).tolist()
        for name in ("x", "y", "z", "energy")
    }
    made = {
        "n_hits": np.diff(hits.offsets).tolist(),
        "cell": digest(hits.cell),
        "layer": digest(hits.layer),
        "energy sum": float(hits.energy.sum(dtype=np.float64)),
    }
    check_values("hits.json", detector, made | {"mean": means}, near=1e-3)


@pytest.mark.parametrize("model", ["toy.ild-photon", "optimum.x1"])
def test_a_card_is_written_as_before(model):
    check_text(f"pages/{model}.md", output("card", model, "--cards", str(CARDS)))


@pytest.mark.parametrize(("words", "file"), [([], "compare.txt"), (["--markdown"], "compare.md")])
def test_models_are_compared_as_before(words, file):
    check_text(f"pages/{file}", output("compare", "--cards", str(CARDS), *words))
