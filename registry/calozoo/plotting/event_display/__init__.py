"""Event display: showers in the layers and cells of their detector, in 3D, as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from calozoo.plotting.event_display.packing import DepositPacker, Deposits
from calozoo.plotting.event_display.selection import shown_numbers
from calozoo.plotting.event_display.surroundings import layer_stack, sensitive_sheets
from calozoo.plotting.hits import PlacedShower
from calozoo.plotting.html_page import html_page, three_library
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.io import ShowerFile
from calozoo_core.placement import load_placement
from calozoo_core.showers import Shower

__all__ = ["COUNT", "MAX_FILES", "event_display"]

COUNT: Final = 20
"""Showers of a page, unless it is said otherwise."""

MAX_FILES: Final = 3
"""Files beside each other."""

KINDS: Final = ("points", "hits")

SAME_PRIMARY: Final = 1e-3
"""Relative difference of energies, and difference of directions, of what counts as one primary."""

NEAR_MM: Final = 400.0
"""Distance of two entry points up to which their showers are drawn in one frame."""


@dataclass(frozen=True)
class _Drawn:
    """Shower of a file.

    Arguments:
        shower: The shower.
        deposits: Its points and its hits, those that the file has.
        placed: The shower in its detector, if the file has hits.
    """

    shower: Shower
    deposits: dict[str, Deposits]
    placed: PlacedShower | None


def event_display(
    paths: Sequence[Path], *, first: int = 0, count: int = COUNT, title: str = ""
) -> str:
    """Page with showers that can be turned; two or three files stand side by side.

    A file that has hits can be seen as points and as hits in the cells of the detector they were
    placed into. What is drawn is in the local frame of each shower.

    Arguments:
        paths: One to three shower files of the same primaries.
        first: Number of the first shower, from 0.
        count: Number of showers; fewer if the file ends before.
        title: Title of the page; by default the names of the files.

    Returns:
        The text of the page.

    Raises:
        InputError: If there is no such shower, the primaries differ, or it is too much for a page.
        ShowerFileError: If a file is missing or damaged.
        CalozooError: If the library for 3D is not installed.
    """
    if not 1 <= len(paths) <= MAX_FILES:
        msg = f"A display shows one to {MAX_FILES} files, not {len(paths)}."
        raise InputError(msg)
    with ExitStack() as stack:
        opened = [stack.enter_context(ShowerFile(path)) for path in paths]
        numbers = shown_numbers(opened, "shower", first, count)
        _check_primaries(opened, numbers)
        data = _page_data(opened, numbers, [_drawn(file, numbers) for file in opened])
    if title:
        data["title"] = title
    return html_page(
        files(__name__), title=f"{data['title']}: showers", data=data, libraries=[three_library()]
    )


def _check_primaries(opened: Sequence[ShowerFile], numbers: range) -> None:
    """Refuse files whose showers do not have the same primaries."""
    rows = slice(numbers.start, numbers.stop)
    one = opened[0].incident(rows)
    for file in opened[1:]:
        other = file.incident(rows)
        energies = np.abs(one.energy - other.energy) <= SAME_PRIMARY * one.energy
        directions = np.abs(one.direction - other.direction).max(axis=1) <= SAME_PRIMARY
        differ = np.flatnonzero(~(energies & directions))
        if one.particle == other.particle and not len(differ):
            continue
        at = int(differ[0]) if len(differ) else 0
        texts = [
            f"{incident.particle} of {incident.energy[at]:.4g} GeV at {incident.theta[at]:.3g} "
            "degrees"
            for incident in (one, other)
        ]
        msg = (
            f"Shower {numbers[at]} is a {texts[0]} in {opened[0].path} and a {texts[1]} in "
            f"{file.path}; generate both with the same energy, direction and seed."
        )
        raise InputError(msg)


def _drawn(file: ShowerFile, numbers: range) -> list[_Drawn]:
    """Drawing of some showers of a file."""
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
            deposits["points"] = Deposits(where, shower.layer, shower.energy.astype(np.float64))
        placed = None
        if hits is not None and placement is not None and positions is not None:
            direction = shower.direction.astype(np.float64)
            placed = PlacedShower(hits[i], placement, positions[i], direction)
            energy = placed.hits.energy.astype(np.float64)
            deposits["hits"] = Deposits(placed.local, placed.hits.layer, energy)
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
    packer, described = DepositPacker(clouds), []
    for number, sides in zip(numbers, showers, strict=True):
        entries = []
        for side in sides:
            entry: dict[str, Any] = {}
            for kind, cloud in side.deposits.items():
                entry[kind] = packer.add(kind, cloud)
            if side.placed is not None:
                entry["sheets"] = sensitive_sheets(side.placed)
            entries.append(entry)
        described.append(_described(sides[0].shower, number) | {"sides": entries})
    return {
        "title": " and ".join(file.path.name for file in opened),
        "noun": "shower",
        "files": [
            {
                "name": file.path.name,
                "model": file.generator,
                "detector": file.detector,
                "hits": file.hits_detector,
                "representation": file.representation,
            }
            | layer_stack(load_detector(file.hits_detector or file.detector))
            for file in opened
        ],
        "showers": described,
        "offsets": _offsets(opened[0], numbers),
        **packer.data(),
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
