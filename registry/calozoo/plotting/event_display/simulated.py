"""Event display of simulated events: their hits, and the photons found in them, in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from calozoo.plotting.event_display import COUNT, MAX_FILES
from calozoo.plotting.event_display.packing import DepositPacker, Deposits
from calozoo.plotting.event_display.selection import shown_numbers
from calozoo.plotting.event_display.surroundings import layer_stack, sensitive_sheets
from calozoo.plotting.event_view import EventView, Line, view_event
from calozoo.plotting.html_page import html_page, three_library
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.io.events import EventFile
from calozoo_core.placement import load_placement
from calozoo_core.typing import IntArray

__all__ = ["simulated_event_display"]

_BEFORE_MM = 25.0
_NONE = 255


def simulated_event_display(
    paths: Sequence[Path],
    *,
    first: int = 0,
    count: int = COUNT,
    reconstruct: bool = False,
    title: str = "",
) -> str:
    """Page with events that can be turned; two or three files stand side by side.

    An event is drawn around the place where its strongest primary enters the calorimeter.

    Arguments:
        paths: One to three files of simulated events with the same primaries.
        first: Number of the first event, from 0.
        count: Number of events; fewer if the file ends before.
        reconstruct: Draw the photons that calozoo's photon finder finds.
        title: Title of the page; by default the names of the files.

    Returns:
        The text of the page.

    Raises:
        InputError: If there is no such event, the primaries differ, a file has no hits, or it is
            too much for a page.
        ShowerFileError: If a file is missing or damaged.
        DetectorError: If photons cannot be looked for in the detector.
        CalozooError: If the library for 3D is not installed.
    """
    if not 1 <= len(paths) <= MAX_FILES:
        msg = f"A display shows one to {MAX_FILES} files, not {len(paths)}."
        raise InputError(msg)
    with ExitStack() as stack:
        opened = [stack.enter_context(EventFile(path)) for path in paths]
        _check_simulated(opened)
        numbers = shown_numbers(opened, "event", first, count)
        _check_primaries(opened, numbers)
        views = [_views(file, numbers, reconstruct=reconstruct) for file in opened]
        data = _page_data(opened, numbers, views)
    if title:
        data["title"] = title
    return html_page(
        files("calozoo.plotting.event_display"),
        title=f"{data['title']}: events",
        data=data,
        libraries=[three_library()],
    )


def _check_simulated(opened: Sequence[EventFile]) -> None:
    for file in opened:
        if not file.is_simulated:
            msg = f"{file.path} has primaries and no hits; simulate it, and show what comes out."
            raise InputError(msg)


def _check_primaries(opened: Sequence[EventFile], numbers: range) -> None:
    """Refuse files whose events do not have the same primaries."""
    rows = slice(numbers.start, numbers.stop)
    one = opened[0].events(rows)
    for file in opened[1:]:
        if file.events(rows) != one:
            msg = (
                f"The events of {file.path} have other primaries than those of {opened[0].path}; "
                "simulate both from the same events, or with the same gun and seed."
            )
            raise InputError(msg)


def _views(file: EventFile, numbers: range, *, reconstruct: bool) -> list[EventView]:
    placement = load_placement(load_detector(str(file.detector)))
    finder = PhotonFinder(placement.detector, finder_parameters()) if reconstruct else None
    rows = slice(numbers.start, numbers.stop)
    events, hits = file.events(rows), file.hits(rows)
    return [
        view_event(events[i : i + 1], hits[i : i + 1], placement, finder)
        for i in range(len(events))
    ]


def _page_data(
    opened: Sequence[EventFile], numbers: range, views: Sequence[Sequence[EventView]]
) -> dict[str, Any]:
    packer = DepositPacker({"hits": [_deposits(view) for of_file in views for view in of_file]})
    described = []
    for number, *sides in zip(numbers, *views, strict=True):
        entries = [_side(view, packer) for view in sides]
        described.append(_described(sides[0], number) | {"sides": entries})
    return {
        "title": " and ".join(file.path.name for file in opened),
        "noun": "event",
        "files": [
            {
                "name": file.path.name,
                "model": file.model,
                "detector": file.detector,
                "hits": file.detector,
                "representation": "hits",
            }
            | layer_stack(load_detector(str(file.detector)))
            for file in opened
        ],
        "showers": described,
        "offsets": None,
        **packer.data(),
    }


def _deposits(view: EventView) -> Deposits:
    near, shown = view.is_near, view.placed.hits
    found = np.full(len(near), -1)
    if view.photons is not None:
        found = np.append(view.tint_of_photon, -1)[view.photons.photon_of_hit]
    groups = np.stack([_numbered(found), _numbered(view.primary_of_hit)], axis=1)
    return Deposits(view.local[near], shown.layer, shown.energy.astype(np.float64), groups[near])


def _numbered(numbers: IntArray) -> Any:
    return np.where((numbers >= 0) & (numbers < _NONE), numbers, _NONE).astype(np.uint8)


def _side(view: EventView, packer: DepositPacker) -> dict[str, Any]:
    near, hits = view.is_near, view.event.hits
    beside = hits.energy[~near]
    return {
        "hits": packer.add("hits", _deposits(view)),
        "sheets": sensitive_sheets(view.placed),
        "elsewhere": [len(beside), round(float(beside.sum()), 2)],
        "photons": None if view.photons is None else _photons(view),
    }


def _photons(view: EventView) -> list[dict[str, Any]]:
    assert view.photons is not None
    photons = []
    for i, line in enumerate(view.photon_lines):
        primary = int(view.primary_of_photon[i])
        offset = view.offset_mm(i)
        photons.append(
            {
                "energy": float(f"{view.photons.energy[i]:.4g}"),
                "line": _ends(line, view),
                "tint": int(view.tint_of_photon[i]),
                "primary": primary if primary >= 0 else None,
                "offset": round(offset, 2) if np.isfinite(offset) else None,
            }
        )
    return photons


def _ends(line: Line | None, view: EventView) -> list[list[float]] | None:
    """Line from before the face, through it, to the end of the calorimeter."""
    if line is None:
        return None
    depths = (-_BEFORE_MM, 0.0, view.placement.detector.depth_mm)
    return [[round(float(x), 2) for x in line.at(depth)] for depth in depths]


def _described(view: EventView, number: int) -> dict[str, Any]:
    axis = view.axis
    slopes = [0.0, 0.0] if axis is None else (axis.direction[:2] / axis.direction[2]).tolist()
    return {
        "number": number,
        "text": view.description,
        "axis": [round(slope, 5) for slope in slopes],
        "primaries": [
            {"energy": float(f"{energy:.4g}"), "line": _ends(line, view)}
            for energy, line in zip(view.events.energy, view.primary_lines, strict=True)
        ],
    }
