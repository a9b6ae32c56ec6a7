"""One shower of 3DGAN as a function of tensors, where trained weights do not lead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calozoo_core.detector import load_detector
from calozoo_core.nn.exported import MOST_POINTS
from calozoo_gan3d.exported import ExportedGan3d
from calozoo_gan3d.points import PointTables
from calozoo_gan3d.trained import TrainedGan3d

STRAIGHT = torch.tensor([50.0]), torch.tensor([[0.0, 0.0, 1.0]])


def exported(trained: TrainedGan3d, points_of_a_voxel: int) -> ExportedGan3d:
    tables = trained.points
    counts = np.full_like(tables.counts, points_of_a_voxel)
    changed = TrainedGan3d(
        trained.config, trained.energies, trained.generator, PointTables(tables.inside, counts)
    )
    depths = load_detector("ild_siecal_regular").layer_depth_mm.tolist()
    return ExportedGan3d(changed, depths).eval()


@pytest.mark.parametrize(("points", "most"), [(60, MOST_POINTS), (2, MOST_POINTS), (0, 0)])
def test_more_points_than_there_is_room_for_are_made_fewer(
    trained: TrainedGan3d, points: int, most: int
) -> None:
    module = exported(trained, points)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(1)
        noise = module.draw()
        deposits = module.image(*STRAIGHT, *noise[:3])
        x, _, layer, deposit = module.upright(*STRAIGHT, noise)
    n_voxels = int((deposits > module.threshold_mev).sum())
    assert len(x) == pytest.approx(min(points * n_voxels, most), abs=1)
    assert (layer.diff() >= 0).all()
    if points == 60:
        assert points * n_voxels > MOST_POINTS
    if points:
        hit = deposits[deposits > module.threshold_mev]
        assert deposit.sum().item() == pytest.approx(hit.sum().item(), rel=1e-5)
        assert (deposit > 0).all()


def test_a_layer_without_hits_has_its_energy_in_one_voxel(trained: TrainedGan3d) -> None:
    with torch.no_grad():
        trained.generator.means.fill_(-50.0)  # no voxel is positive
    module = exported(trained, 1)
    with torch.inference_mode():
        noise = [torch.zeros(one.shape) for one in module.noise[:3]]
        planes = module.image(*STRAIGHT, *noise).view(30, -1)
    assert ((planes > 0).sum(dim=1) == 1).all()
