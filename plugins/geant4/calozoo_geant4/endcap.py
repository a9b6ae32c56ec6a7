"""Octagonal endcaps as volumes."""

from __future__ import annotations

import math
from itertools import pairwise, takewhile

from calozoo_core.detector import Detector
from calozoo_core.detector_description import Endcap
from calozoo_geant4.slab_geometry import LayerStack, Plate, alveolus
from calozoo_geant4.solids import AIR, Axes, PlacedVolume, Prism, Volume

__all__ = ["AXES", "quadrants"]

AXES: tuple[Axes, Axes] = (
    ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)),
)
"""x', y' and z' of the end at positive z and of the other, in Geant4's frame."""

Corners = tuple[tuple[float, float], ...]


def quadrants(detector: Detector) -> list[PlacedVolume]:
    """Quadrants of both endcaps, four each like a pinwheel: one volume, placed eight times.

    In a quadrant, towers are stacked along x, outwards from the side of the hole, and slabs begin
    at the greatest y; z is depth. The quadrant whose x is minus y' has its y along x'.

    References:
        | ILD's driver for this calorimeter, SEcal06: https://github.com/key4hep/k4geo

    Arguments:
        detector: Detector with an endcap.

    Raises:
        DetectorError: If its volumes do not fit.
    """
    shape = detector.endcap
    assert shape is not None
    air = _air_mm(detector)
    layers = LayerStack(detector, air)
    quadrant = _quadrant(detector, shape, layers)
    middle = shape.face_mm + air + layers.depth_mm / 2
    placed = []
    for x_axis, y_axis, z_axis in AXES:
        for turn in range(4):
            cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn]
            down = _scaled(y_axis, -1.0)
            axes = (
                _add(_scaled(down, cos), _scaled(x_axis, sin)),
                _add(_scaled(x_axis, cos), _scaled(down, -sin)),
                z_axis,
            )
            placed.append(PlacedVolume(quadrant, _scaled(z_axis, middle), axes))
    return placed


def _air_mm(detector: Detector) -> float:
    """Thickness of the air at the front of the stack."""
    sheets = takewhile(lambda sheet: detector.materials[sheet.material] == AIR, detector.slabs)
    return sum(sheet.thickness_mm for sheet in sheets)


def _quadrant(detector: Detector, shape: Endcap, layers: LayerStack) -> Volume:
    corners = _outline(shape, shape.inner_radius_mm, shape.outer_radius_mm)
    solid = Prism(corners, layers.depth_mm / 2)
    contents = _plates(detector, shape, layers) + _alveoli(detector, shape, layers)
    return Volume("quadrant", solid, layers.body, daughters=tuple(contents))


def _outline(shape: Endcap, low: float, high: float, wrap: float = 0.0) -> Corners:
    """Corners of a quadrant between two heights, anticlockwise, without a rim at its ends."""
    outer, begin = shape.outer_radius_mm, shape.inner_radius_mm - wrap
    kink = outer * math.tan(math.pi / 8)
    heights = [low, *([kink] if low < kink < high else []), high]
    rim = [(x, -(outer - max(0.0, x - kink) - wrap)) for x in heights]
    return (*rim, (high, begin), (low, begin))


def _plates(detector: Detector, shape: Endcap, layers: LayerStack) -> list[PlacedVolume]:
    """Plates of the structure, one in each module; whole sheets if there are no wafers."""
    plates = []
    for plate in layers.plates:
        at = (0.0, 0.0, (plate.begin_mm + plate.end_mm - layers.depth_mm) / 2)
        for low, high in _modules(detector, shape, plate):
            corners = _outline(shape, low, high, plate.wrap_mm)
            solid = Prism(corners, plate.sheet.thickness_mm / 2)
            material, is_sensitive = plate.sheet.material, plate.sheet.layer is not None
            volume = Volume(f"plate of {material}", solid, material, is_sensitive)
            plates.append(PlacedVolume(volume, at))
    return plates


def _modules(detector: Detector, shape: Endcap, plate: Plate) -> list[tuple[float, float]]:
    inner, outer = shape.inner_radius_mm, shape.outer_radius_mm
    if detector.wafers is None:
        return [(inner, outer)]
    width = (outer - inner) / shape.modules
    edges = [inner + i * width for i in range(shape.modules + 1)]
    return [(low + plate.wrap_mm, high - plate.wrap_mm) for low, high in pairwise(edges)]


def _alveoli(detector: Detector, shape: Endcap, layers: LayerStack) -> list[PlacedVolume]:
    wafers = detector.wafers
    if wafers is None:
        return []
    outer, begin = shape.outer_radius_mm, shape.inner_radius_mm - wafers.plug_mm
    kink = outer * math.tan(math.pi / 8)
    module = (outer - shape.inner_radius_mm) / shape.modules
    volumes: dict[tuple[object, ...], Volume] = {}  # shared by equal slabs
    alveoli = []
    for front, back, sheets in layers.slabs:
        z = (front + back - layers.depth_mm) / 2
        kind = tuple((sheet.material, sheet.thickness_mm, sheet.layer is None) for sheet in sheets)
        for number in range(shape.modules * shape.towers_per_module):
            index, tower = divmod(number, shape.towers_per_module)
            low = shape.inner_radius_mm + index * module + shape.lateral_mm
            low += tower * shape.tower_mm
            end = -(outer - max(0.0, low + shape.tower_mm - kink))
            key = (*kind, end)
            if key not in volumes:
                volumes[key] = alveolus(detector, wafers, sheets, shape.tower_mm, begin - end)
            at = (low + shape.tower_mm / 2, (begin + end) / 2, z)
            alveoli.append(PlacedVolume(volumes[key], at))
    return alveoli


def _scaled(axis: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    return axis[0] * factor, axis[1] * factor, axis[2] * factor


def _add(
    a: tuple[float, float, float], b: tuple[float, float, float]
) -> tuple[float, float, float]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
