"""Array types of the package: numpy arrays with a fixed element type."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyFloatArray", "BoolArray", "Float32Array", "FloatArray", "IntArray"]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
AnyFloatArray = NDArray[np.floating]  # of any precision
BoolArray = NDArray[np.bool_]
