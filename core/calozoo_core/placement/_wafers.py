"""How towers and slabs are filled with wafers, or with plain cells where there are none."""

from __future__ import annotations

import math
from collections.abc import Iterator

from calozoo_core.detector import Detector
from calozoo_core.detector_shape import Barrel, Endcap
from calozoo_core.placement._axis import Axis

__all__ = ["cells_in_slab", "slab_axis", "slab_ends_mm", "tower_axis"]

_ROUNDING = 1e-9


def tower_axis(detector: Detector, shape: Barrel | Endcap, begin_mm: float) -> Axis:
    """Cells across the towers, module after module, the first of which begins at `begin_mm`."""
    module_mm = 2 * shape.lateral_mm + shape.towers_per_module * shape.tower_mm
    towers = [
        begin_mm + module * module_mm + shape.lateral_mm + tower * shape.tower_mm
        for module in range(shape.modules)
        for tower in range(shape.towers_per_module)
    ]
    if detector.wafers is None:
        length = shape.modules * module_mm
        cells = _whole_cells(detector, length)
        return Axis([(begin_mm + (length - cells * detector.cell_mm) / 2, cells)], detector.cell_mm)
    wafers, pitch = detector.wafers, _wafer_pitch_mm(detector)
    margin = (shape.tower_mm - wafers.per_tower * pitch) / 2
    stretches = [
        (tower + margin + wafer * pitch + wafers.guard_mm, wafers.cells)
        for tower in towers
        for wafer in range(wafers.per_tower)
    ]
    return Axis(stretches, detector.cell_mm)


def slab_axis(detector: Detector, length_mm: float) -> Axis:
    """Cells along a slab of this length, from its first wafer's rim on; the last may be short."""
    return Axis(_stretches(detector, length_mm), detector.cell_mm)


def cells_in_slab(detector: Detector, length_mm: float) -> int:
    """How many cells a slab has along its length, from its first wafer's rim on."""
    return sum(cells for _, cells in _stretches(detector, length_mm))


def slab_ends_mm(detector: Detector) -> list[float]:
    """Depth of the back of the slab that each sensitive layer is in, from the face."""
    backs = detector.slab_front_mm + [sheet.thickness_mm for sheet in detector.slabs]
    ends = []
    for back, sheet in zip(backs, detector.slabs, strict=True):
        if sheet.layer is None:
            continue
        mates = [
            float(b)
            for b, other in zip(backs, detector.slabs, strict=True)
            if other.alveolus == sheet.alveolus
        ]
        ends.append(float(back) if sheet.alveolus is None else max(mates))
    return ends


def _stretches(detector: Detector, length_mm: float) -> Iterator[tuple[float, int]]:
    if detector.wafers is None:
        yield 0.0, _whole_cells(detector, length_mm)
        return
    guard, pitch = detector.wafers.guard_mm, _wafer_pitch_mm(detector)
    for wafer in range(math.ceil(length_mm / pitch)):
        room = length_mm - wafer * pitch - 2 * guard
        cells = min(detector.wafers.cells, _whole_cells(detector, room))
        if cells > 0:
            yield wafer * pitch + guard, cells


def _wafer_pitch_mm(detector: Detector) -> float:
    assert detector.wafers is not None
    return detector.wafers.cells * detector.cell_mm + 2 * detector.wafers.guard_mm


def _whole_cells(detector: Detector, length_mm: float) -> int:
    return math.floor(length_mm / detector.cell_mm + _ROUNDING)
