"""CaloINN for the voxels of the CaloChallenge: cylinders of rings that are cut into sectors."""

from __future__ import annotations
