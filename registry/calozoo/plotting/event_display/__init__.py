"""Event display: showers in the layers and cells of their detector, in 3D, as an HTML page."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calozoo.plotting.hits import PlacedShower, live_rectangles
from calozoo.plotting.html_page import html_page, three_library
from calozoo_core.detector import Detector, load_detector
from calozoo_core.errors import InputError
from calozoo_core.io import ShowerFile
from calozoo_core.placement import load_placement
from calozoo_core.showers import Shower
from calozoo_core.typing import FloatArray

__all__ = ["COUNT", "MAX_DEPOSITS", "MAX_FILES", "event_display"]

COUNT: Final = 20
"""Showers of a page, unless it is said otherwise."""

MAX_FILES: Final = 2
MAX_DEPOSITS: Final = 1_000_000
"""Points and hits in a page."""

KINDS: Final = ("points", "hits")

LOWEST: Final = 0.02
"""Fraction of the deposits whose energies lie below the range of the colours."""

DEPOSIT_BYTES: Final = 8

STEPS: Final = 32767
"""Positions are whole multiples of the greatest, divided by this number."""

SAME_PRIMARY: Final = 1e-3
"""Relative difference of energies, and difference of directions, of what counts as one primary."""

NEAR_MM: Final = 400.0
"""Distance of two entry points up to which their showers are drawn in one frame."""


@dataclass(frozen=True)
class _Deposits:
    """Points or hits of a shower in the local frame.

    Arguments:
        where: Positions x', y', z' in mm, shape (N, 3).
        layer: Layer of each, shape (N,).
        energy: Energy of each in MeV, shape (N,).
    """

    where: FloatArray
    layer: NDArray[np.uint8]
    energy: FloatArray


@dataclass(frozen=True)
class _Drawn:
    """Shower of a file.

    Arguments:
        shower: The shower.
        deposits: Its points and its hits, those that the file has.
        placed: The shower in its detector, if the file has hits.
    """

    shower: Shower
    deposits: dict[str, _Deposits]
    placed: PlacedShower | None


def event_display(paths: Sequence[Path], *, first: int = 0, count: int = COUNT) -> str:
    """Page with showers that can be turned; two files stand side by side.

    A file that has hits can be seen as points and as hits in the cells of the detector they were
    placed into. What is drawn is in the local frame of each shower.

    Arguments:
        paths: One or two shower files; the second has the same primaries.
        first: Number of the first shower, from 0.
        count: Number of showers; fewer if the file ends before.

    Returns:
        The text of the page.

    Raises:
        InputError: If there is no such shower, the primaries differ, or it is too much for a page.
        ShowerFileError: If a file is missing or damaged.
        CalozooError: If the library for 3D is not installed.
    """
    if not 1 <= len(paths) <= MAX_FILES:
        msg = f"A display shows one file or two, not {len(paths)}."
        raise InputError(msg)
    with ExitStack() as stack:
        opened = [stack.enter_context(ShowerFile(path)) for path in paths]
        numbers = _numbers(opened, first, count)
        _check_primaries(opened, numbers)
        data = _page_data(opened, numbers, [_drawn(file, numbers) for file in opened])
    return html_page(
        files(__name__), title=f"{data['title']}: showers", data=data, libraries=[three_library()]
    )


def _numbers(opened: Sequence[ShowerFile], first: int, count: int) -> range:
    for file in opened:
        if not 0 <= first < len(file):
            msg = f"{file.path} has showers 0 to {len(file) - 1}; there is no shower {first}."
            raise InputError(msg)
    return range(first, min(first + count, *(len(file) for file in opened)))


def _check_primaries(opened: Sequence[ShowerFile], numbers: range) -> None:
    """Refuse two files whose showers do not have the same primaries."""
    if len(opened) == 1:
        return
    one, other = (file.incident(slice(numbers.start, numbers.stop)) for file in opened)
    energies = np.abs(one.energy - other.energy) <= SAME_PRIMARY * one.energy
    directions = np.abs(one.direction - other.direction).max(axis=1) <= SAME_PRIMARY
    differ = np.flatnonzero(~(energies & directions))
    if one.particle == other.particle and not len(differ):
        return
    at = int(differ[0]) if len(differ) else 0
    texts = [
        f"{incident.particle} of {incident.energy[at]:.4g} GeV at {incident.theta[at]:.3g} degrees"
        for incident in (one, other)
    ]
    msg = (
        f"Shower {numbers[at]} is a {texts[0]} in {opened[0].path} and a {texts[1]} in "
        f"{opened[1].path}; generate both with the same energy, direction and seed."
    )
    raise InputError(msg)


def _drawn(file: ShowerFile, numbers: range) -> list[_Drawn]:
    """What is drawn of some showers of a file."""
    rows = slice(numbers.start, numbers.stop)
    depth = load_detector(file.detector).layer_depth_mm
    showers, positions = file[rows], file.incident(rows).position
    hits = placement = None
    if file.hits_detector is not None and positions is not None:
        hits, placement = file.hits(rows), load_placement(file.hits_detector)
    drawn = []
    for i, shower in enumerate(showers):
        deposits = {}
        if file.n_points or hits is None:
            where = np.stack([shower.x, shower.y, depth[shower.layer]], axis=1).astype(np.float64)
            deposits["points"] = _Deposits(where, shower.layer, shower.energy.astype(np.float64))
        placed = None
        if hits is not None and placement is not None and positions is not None:
            direction = shower.direction.astype(np.float64)
            placed = PlacedShower(hits[i], placement, positions[i], direction)
            energy = placed.hits.energy.astype(np.float64)
            deposits["hits"] = _Deposits(placed.local, placed.hits.layer, energy)
        drawn.append(_Drawn(shower, deposits, placed))
    return drawn


def _page_data(
    opened: Sequence[ShowerFile], numbers: range, drawn: Sequence[Sequence[_Drawn]]
) -> dict[str, Any]:
    showers = list(zip(*drawn, strict=True))
    clouds = {
        kind: [side.deposits[kind] for sides in showers for side in sides if kind in side.deposits]
        for kind in KINDS
    }
    everything = [cloud for kind in KINDS for cloud in clouds[kind]]
    total = sum(len(cloud.energy) for cloud in everything)
    if total > MAX_DEPOSITS:
        msg = f"{total} deposits are more than a page holds ({MAX_DEPOSITS}); show fewer showers."
        raise InputError(msg)
    ranges = {kind: _energy_range(clouds[kind]) for kind in KINDS}
    extent = max((float(np.abs(c.where).max()) for c in everything if len(c.where)), default=1.0)
    packed, described = bytearray(), []
    for number, sides in zip(numbers, showers, strict=True):
        entries = []
        for side in sides:
            entry: dict[str, Any] = {}
            for kind, cloud in side.deposits.items():
                entry[kind] = _summed(cloud) | {"begin": len(packed) // DEPOSIT_BYTES}
                packed += _packed(cloud, extent, *ranges[kind])
            if side.placed is not None:
                entry["sheets"] = [
                    [layer, *(round(float(edge), 1) for edge in edges)]
                    for layer, edges in live_rectangles(side.placed)
                ]
            entries.append(entry)
        described.append(_described(sides[0].shower, number) | {"sides": entries})
    return {
        "title": " and ".join(file.path.name for file in opened),
        "files": [
            {
                "name": file.path.name,
                "model": file.generator,
                "detector": file.detector,
                "hits": file.hits_detector,
                "representation": file.representation,
            }
            | _stack(load_detector(file.hits_detector or file.detector))
            for file in opened
        ],
        "showers": described,
        "offsets": _offsets(opened[0], numbers),
        "energy": ranges,
        "step": extent / STEPS,
        "packed": base64.b64encode(gzip.compress(bytes(packed), mtime=0)).decode(),
    }


def _packed(cloud: _Deposits, extent: float, low: float, high: float) -> bytes:
    """Columns x, y, z and the logarithm of the energy, as 16-bit whole numbers, little-endian.

    The highest energies come first, so that a slow machine can leave out the last while it turns.
    """
    order = np.argsort(-cloud.energy, kind="stable")
    steps = np.round(cloud.where[order] * (STEPS / extent)).astype("<i2")
    scale = np.log(max(high / low, 1 + 1e-9))
    level = np.log(np.clip(cloud.energy[order], low, high) / low) / scale
    levels = np.round(level * 65535).astype("<u2")
    columns: bytes = steps.T.tobytes() + levels.tobytes()
    return columns


def _energy_range(clouds: Sequence[_Deposits]) -> tuple[float, float]:
    """Range of the colours in MeV: all but a few of the lowest energies, which are a long tail."""
    energy = np.concatenate([np.zeros(0), *(cloud.energy for cloud in clouds)])
    energy = energy[energy > 0]
    if not len(energy):
        return 0.1, 1.0
    low, high = np.quantile(energy, [LOWEST, 1.0])
    return float(f"{low:.3g}"), float(f"{high:.4g}")


def _stack(detector: Detector) -> dict[str, Any]:
    return {
        "depths": [round(float(depth), 3) for depth in detector.layer_depth_mm],
        "depth": detector.depth_mm,
        "cell": detector.cell_mm,
    }


def _summed(cloud: _Deposits) -> dict[str, Any]:
    sums = np.bincount(cloud.layer, cloud.energy, minlength=1)
    return {
        "count": len(cloud.energy),
        "visible": round(float(cloud.energy.sum()), 3),
        "layers": [round(float(energy), 2) for energy in sums],
    }


def _described(shower: Shower, number: int) -> dict[str, Any]:
    p_x, p_y, p_z = (float(p) for p in shower.direction)
    return {
        "number": number,
        "particle": shower.particle,
        "energy": float(f"{shower.incident_energy:.6g}"),
        "theta": round(shower.theta, 2),
        "axis": [p_x / p_z, p_y / p_z],
    }


def _offsets(file: ShowerFile, numbers: range) -> list[list[float]] | None:
    """Entry points in the frame of the first shower, if all are near; None otherwise."""
    positions = file.incident(slice(numbers.start, numbers.stop)).position
    if positions is None or file.hits_detector is None:
        return None
    placement = load_placement(file.hits_detector)
    there = placement.to_local(positions, positions[0])
    if np.abs(there).max() > NEAR_MM:
        return None
    return [[round(float(value), 2) for value in row] for row in there]
