"""Frames of Geant4 worlds."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.errors import InputError
from calozoo_geant4.world_frame import ALONG_BEAM, GLOBAL, WorldFrame

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "axes",
    [
        (X, Y, (0.0, 0.0, np.nan)),
        (Y, X, Z),
        ((2.0, 0.0, 0.0), Y, Z),
        (X, (0.6, 0.8, 0.0), Z),
        (X, Y),
    ],
    ids=["NaN", "left-handed", "long", "skew", "two"],
)
def test_axes_of_no_rotated_frame_are_refused(axes):
    with pytest.raises(InputError, match="three perpendicular unit vectors, right-handed, not"):
        WorldFrame(axes=axes)


@pytest.mark.parametrize("origin", [(0.0, np.inf, 0.0), (0.0, 1.0)])
def test_an_origin_that_is_no_position_is_refused(origin):
    with pytest.raises(InputError, match="must be three finite positions in mm"):
        WorldFrame(origin_mm=origin)


@pytest.mark.parametrize("frame", [GLOBAL, ALONG_BEAM, WorldFrame(origin_mm=(1.0, 2.0, 3.0))])
def test_positions_come_back_from_the_world(frame):
    point = (5.0, -7.0, 11.0)
    assert frame.position_to_global(frame.position_to_world(point)) == pytest.approx(point)
