"""The toy model and the barrel that its showers are placed into."""

from __future__ import annotations

import pytest

from calozoo import api
from calozoo_core.generator import Generator
from calozoo_core.placement import Placement, load_placement


@pytest.fixture(scope="module")
def toy() -> Generator:
    return api.load("toy", offline=True)


@pytest.fixture(scope="module")
def barrel() -> Placement:
    return load_placement("ild_siecal")
