"""Times and likelihoods of small variants."""

from __future__ import annotations

import math

from calozoo_convl2lflows.config import preset as trained_preset
from calozoo_convl2lflows.training_data import UprightShowers
from calozoo_core.testing.trainers import made_up_showers
from studies.convl2lflows.generation_cost import (
    Variant,
    convolutions,
    likelihoods,
    report,
    seconds,
)
from studies.convl2lflows.published_config import VoxelsConfig, preset


def test_both_kinds_of_flow_are_timed_trained_and_reported() -> None:
    published = preset("small-x9")
    voxels = VoxelsConfig(
        shared=True, previous=2, constants=6, blocks=1, width=2, kernels=((3, 3),), squeeze=(3, 3)
    )
    tried = [
        Variant("theirs", published.model_copy(update={"voxels": voxels}), is_trained=True),
        Variant("ours", trained_preset("tiny"), is_trained=True),
        Variant("full", trained_preset("tiny"), is_full=True),
    ]
    showers = UprightShowers.from_showers(made_up_showers(6))
    losses = likelihoods(tried, showers, showers, steps=2)
    assert set(losses) == {"theirs", "ours"}
    assert all(map(math.isfinite, losses.values()))
    text = report(tried, seconds(tried, 1), losses, convolutions(1))
    assert text.count("\n| ") == 3
    assert "In bfloat16 the convolutions" in text
