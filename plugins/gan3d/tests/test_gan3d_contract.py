"""3DGAN keeps the contract."""

from __future__ import annotations

from calozoo_core.testing import ModelContract
from calozoo_gan3d import SPEC


class TestGan3d(ModelContract):
    spec = SPEC
