"""What commands say of the weights that they wrote."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["weights_report"]


def weights_report(model: str, folder: Path) -> str:
    """In JSON: which model the weights are of, where they are, and what they hash to.

    Arguments:
        model: As it was asked for.
        folder: Where they were written.
    """
    from calozoo.api import find_model
    from calozoo_core.weights import WEIGHT_FILES, sha256

    paths = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    files = [{"name": p.name, "size": p.stat().st_size, "sha256": sha256(p)} for p in paths]
    return json.dumps(
        {"model": find_model(model).name, "out": str(folder), "files": files}, indent=2
    )
