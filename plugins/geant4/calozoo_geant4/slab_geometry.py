"""Structure of barrel and endcaps: a body of one material, plates, and slabs in alveoli."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from calozoo_core.detector import Detector, Slab
from calozoo_core.detector_description import Wafers
from calozoo_core.errors import DetectorError
from calozoo_geant4.solids import AIR, Box, PlacedVolume, Volume

__all__ = ["LayerStack", "Plate", "alveolus"]

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Plate:
    """Sheet of the structure that is not of the body's own material.

    Arguments:
        sheet: Material and thickness.
        begin_mm: Depth of its front in the body.
        end_mm: Depth of its back.
        wrap_mm: Thickness of the body at its sides, that of the sheet in front of it.
    """

    sheet: Slab
    begin_mm: float
    end_mm: float
    wrap_mm: float


class LayerStack:
    """Stack of a detector behind its face, split into body, plates and slabs.

    The body is of the stack's last material, that of the plate at the back. Slabs are the sheets
    that lie together in an alveolus. In a detector without wafers there are none: every sheet
    reaches from end to end of the body.

    Arguments:
        detector: The detector.
        front_mm: Depth from the face at which the body begins; before it is air.

    Raises:
        DetectorError: If the body begins within a sheet, or silicon lies outside the alveoli.
    """

    def __init__(self, detector: Detector, front_mm: float) -> None:
        self.body = detector.slabs[-1].material
        self.depth_mm = detector.depth_mm - front_mm
        self.plates: list[Plate] = []
        self.slabs: list[tuple[float, float, list[Slab]]] = []
        sheets = _behind(detector, front_mm)
        if detector.wafers is None:
            self.plates = [Plate(sheet, begin, end, 0.0) for sheet, begin, end in sheets]
            return
        before = 0.0
        for number, group in groupby(sheets, key=lambda entry: entry[0].alveolus):
            entries = list(group)
            if number is not None:
                members = [sheet for sheet, _, _ in entries]
                self.slabs.append((entries[0][1], entries[-1][2], members))
                continue
            for sheet, begin, end in entries:
                if sheet.layer is not None:
                    msg = (
                        f"In detector {detector.name} layer {sheet.layer} is in no alveolus; "
                        "add its section to the wafers' alveoli."
                    )
                    raise DetectorError(msg)
                if sheet.material != self.body:
                    self.plates.append(Plate(sheet, begin, end, before))
                before = sheet.thickness_mm


def alveolus(
    detector: Detector, wafers: Wafers, sheets: list[Slab], tower_mm: float, length_mm: float
) -> Volume:
    """Alveolus with its slab: x across the tower, the first wafer at the greatest y, z inwards.

    A sensitive sheet is air outside its wafers.

    Arguments:
        detector: The detector.
        wafers: Wafers of its layers.
        sheets: Sheets of the slab.
        tower_mm: Width of the tower with its walls.
        length_mm: Length of the slab, from the first wafer's rim on.

    Raises:
        DetectorError: If there is no room for it.
    """
    half_x, half_y = tower_mm / 2 - wafers.wall_mm, length_mm / 2
    half_z = sum(sheet.thickness_mm for sheet in sheets) / 2
    if min(half_x, half_y) <= 0:
        msg = f"Detector {detector.name} has no room for a slab behind its walls and plug."
        raise DetectorError(msg)
    daughters: list[PlacedVolume] = []
    z = -half_z
    for sheet in sheets:
        half = sheet.thickness_mm / 2
        if sheet.layer is not None:
            daughters += _wafers(detector, wafers, sheet, half_y, z + half)
        elif detector.materials[sheet.material] != AIR:
            box = Volume(f"sheet of {sheet.material}", Box((half_x, half_y, half)), sheet.material)
            daughters.append(PlacedVolume(box, (0.0, 0.0, z + half)))
        z += sheet.thickness_mm
    return Volume("alveolus", Box((half_x, half_y, half_z)), None, daughters=tuple(daughters))


def _wafers(
    detector: Detector, wafers: Wafers, sheet: Slab, half_length_mm: float, z: float
) -> Iterator[PlacedVolume]:
    """Wafers of a sheet: full ones, then one with as many whole cells as still fit."""
    side = wafers.cells * detector.cell_mm
    pitch = side + 2 * wafers.guard_mm
    n_full = math.floor(2 * half_length_mm / pitch + _ROUNDING)
    rest = 2 * half_length_mm - n_full * pitch - 2 * wafers.guard_mm
    n_cells = max(0, math.floor(rest / detector.cell_mm + _ROUNDING))
    lengths = [(side, n_full)] + [(n_cells * detector.cell_mm, 1)] * (n_cells > 0)
    y = half_length_mm
    for length, number in lengths:
        half = (side / 2, length / 2, sheet.thickness_mm / 2)
        wafer = Volume("wafer", Box(half), sheet.material, is_sensitive=True)
        for _ in range(number):
            y -= wafers.guard_mm + length / 2
            for i in range(wafers.per_tower):
                x = (i - (wafers.per_tower - 1) / 2) * pitch
                yield PlacedVolume(wafer, (x, y, z))
            y -= length / 2 + wafers.guard_mm


def _behind(detector: Detector, front_mm: float) -> list[tuple[Slab, float, float]]:
    """Sheets behind a depth, with the depths of their fronts and backs from there on."""
    sheets: list[tuple[Slab, float, float]] = []
    for sheet, begin in zip(detector.slabs, detector.slab_front_mm - front_mm, strict=True):
        end = float(begin) + sheet.thickness_mm
        if end <= _ROUNDING:
            continue
        if begin < -_ROUNDING:
            msg = f"The body of detector {detector.name} begins within a sheet of {sheet.material}."
            raise DetectorError(msg)
        sheets.append((sheet, float(begin), end))
    return sheets
