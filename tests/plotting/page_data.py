"""Data of a page with showers or events in 3D, read out of its text."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np


def page_data(page: str) -> dict:
    text = page.partition('id="data">')[2].partition("</script>")[0]
    return json.loads(text)


def unpacked(data: dict, entry: dict, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions in mm and energies in MeV of a shower of a page."""
    columns = gzip.decompress(base64.b64decode(data["packed"]))
    begin, n = entry["begin"] * 8, entry["count"]
    steps = np.frombuffer(columns, "<i2", 3 * n, begin).reshape(3, n).T
    levels = np.frombuffer(columns, "<u2", n, begin + 6 * n) / 65535
    low, high = data["energy"][kind]
    return steps * data["step"], low * (high / low) ** levels
