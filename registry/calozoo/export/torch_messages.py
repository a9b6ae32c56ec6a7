"""Silence of torch while it writes or reads a model file.

TorchScript is deprecated but the one format that DDML reads, so its warnings are turned off here
and nowhere else; the exporters' remarks on their progress are for their makers.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["silent_torch"]

LOGGERS = ("torch", "torch.export", "torch._export", "torch.onnx", "onnxscript", "onnx_ir")


@contextmanager
def silent_torch() -> Iterator[None]:
    """Ignore warnings and remarks of torch and its exporters inside the block; errors stay."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
