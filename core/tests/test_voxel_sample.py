"""Training showers that come in blocks: how many are read, and whose voxels are kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from calozoo_core.errors import InputError

pytest.importorskip("torch", reason="it trains; `pip install 'calozoo-core[train]'`")

from calozoo_core.training.voxel_sample import Block, TrainingVoxels


def blocks(*sizes: int) -> Iterator[Block]:
    for size in sizes:
        yield np.ones(size, np.float32), np.ones((size, 3, 4, 2), np.float32)


@pytest.mark.parametrize("wanted", [1, 5, 7, 12])
def test_no_more_are_read_than_asked_for_and_all_have_voxels(wanted):
    sample = TrainingVoxels.of(blocks(7, 7, 7), most_voxels=wanted, most_showers=wanted)
    train, held_out = sample.split(1)
    assert len(sample) == len(sample.rings) == len(sample.voxels) == wanted
    assert len(train.voxels) == wanted - 1
    assert len(held_out.voxels) == 1


def test_rings_are_of_all_showers_and_voxels_of_the_first():
    sample = TrainingVoxels.of(blocks(7, 7), most_voxels=9)
    assert sample.rings.shape == (14, 3, 2)
    assert sample.voxels.shape == (9, 3, 4, 2)


def test_files_without_showers_are_refused():
    with pytest.raises(InputError, match="hold no showers"):
        TrainingVoxels.of(blocks(), most_voxels=9)
