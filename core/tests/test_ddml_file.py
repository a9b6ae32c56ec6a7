"""DDML's shower library: its layout, where its cells lie, and what falls beside them."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shower_strategies import showers

from calozoo_core.errors import (
    DetectorError,
    InputError,
    OutputExistsError,
    ShowerFileError,
)
from calozoo_core.incident import Incident
from calozoo_core.io.ddml import Grid, TwoAngleGrid, read_library, write_library
from calozoo_core.showers import Showers

ILD = "ild_siecal_regular"
CELL = 5.088333


def one_deposit(x, y, layer=0, energy=1.0, direction=(0, 0, 1)):
    return Showers([0, 1], [x], [y], [layer], [energy], Incident(10, direction), "steps", ILD)


def cells_of(path):
    with h5py.File(path) as file:
        return file["layers"][...]


def ddml_places(cell, direction):
    """Where DDML's two-angle decoder puts a cell, in its own local frame: its rules, written anew.

    Angles and octants as in RegularGridTwoAngleBIBAEModel; the direction is in its frame, too.
    """
    dx, dy, dz = direction
    octant = math.floor(math.atan2(dy, dx) / (math.pi / 4)) % 8
    larger, smaller = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
    # A line through (0, 1889, -100) mm that meets the plane at 1810 mm.
    hit_x, hit_z = -79 * smaller / dz, -100 - 79 * larger / dz
    a = (cell[0] + 0.5) * CELL - (hit_x + 77)
    b = (cell[1] + 0.5) * CELL - (hit_z + 237)
    return {
        0: (b, a),
        1: (a, b),
        2: (-a, b),
        3: (-b, a),
        4: (-b, -a),
        5: (-a, -b),
        6: (a, -b),
        7: (b, -a),
    }[octant]


def test_a_library_is_a_float32_table_of_shower_layer_x_and_y(tmp_path):
    path = tmp_path / "l.h5"
    batch = Showers.concatenate([one_deposit(0, 0, layer, 2.5) for layer in (3, 29)])
    write_library(path, [batch])
    with h5py.File(path) as file:
        assert list(file) == ["layers"]
        layers = file["layers"]
        assert (layers.dtype, layers.shape) == (np.dtype("<f4"), (2, 30, 30, 49))
        assert layers.compression == "gzip"
        assert [int(np.argmax(one.sum(axis=(1, 2)))) for one in layers] == [3, 29]
        assert layers[...].sum() == 5


@pytest.mark.parametrize("n", [4, 5])
def test_the_entry_point_is_the_lower_corner_of_cell_n_over_2_and_ddml_has_x_and_y_negated(
    tmp_path, n
):
    grid = Grid((n, n), CELL)
    for x, y, cell in [
        (-0.1, -0.1, (2, 2)),
        (0.1, -0.1, (1, 2)),
        (-0.1, 0.1, (2, 1)),
        (-0.1, -CELL - 0.1, (2, 3)),
        (2 * CELL - 0.1, -0.1, (0, 2)),
    ]:
        write_library(tmp_path / "l.h5", [one_deposit(x, y)], grid=grid, overwrite=True)
        assert np.argwhere(cells_of(tmp_path / "l.h5")).tolist() == [[0, 0, *cell]], (x, y)


def test_an_odd_grid_has_its_extra_cell_on_the_upper_side_of_ddmls_axes():
    filled, outside = Grid((5, 5), CELL).fill(one_deposit(-2.9 * CELL, 0.1))
    assert (filled.sum(), outside.sum()) == (1, 0)
    filled, outside = Grid((5, 5), CELL).fill(one_deposit(2.9 * CELL, 0.1))
    assert (filled.sum(), outside.sum()) == (0, 1)


@pytest.mark.parametrize("theta", [1, 30, 50])
@pytest.mark.parametrize("phi", range(-170, 181, 20))
def test_ddmls_decoder_puts_a_deposit_back_to_within_half_a_cell(theta, phi):
    t, p = math.radians(theta), math.radians(phi)
    direction = (math.sin(t) * math.cos(p), math.sin(t) * math.sin(p), math.cos(t))
    axis = 79 * math.tan(t)
    x, y = axis * math.cos(p) + 21.3, axis * math.sin(p) - 33.7
    layers, outside = TwoAngleGrid().fill(one_deposit(x, y, direction=direction))
    ((_, _, *cell),) = np.argwhere(layers)
    found = ddml_places(cell, (-direction[0], -direction[1], direction[2]))
    assert (-found[0], -found[1]) == pytest.approx((x, y), abs=CELL / 2 + 1e-3)
    assert outside.sum() == 0


@pytest.mark.parametrize("grid", [TwoAngleGrid(), Grid((30, 30)), Grid((7, 64), CELL / 5)])
@settings(max_examples=25)
@given(showers())
def test_energy_is_in_the_cells_or_reported_as_outside(tmp_path_factory, grid, batch):
    path = tmp_path_factory.mktemp("files") / "l.h5"
    exported = write_library(path, [batch], grid=grid)
    assert exported.n_showers == len(batch)
    assert exported.visible_mev == batch.energy.sum()
    assert cells_of(path).sum() == pytest.approx(exported.visible_mev - exported.outside_mev)


@pytest.mark.parametrize("grid", [TwoAngleGrid(), Grid((31, 30)), Grid((64, 64), CELL / 3)])
@settings(max_examples=25)
@given(showers(), st.integers(1, 4))
def test_what_is_read_makes_the_same_library(tmp_path_factory, grid, batch, size):
    folder = tmp_path_factory.mktemp("files")
    parts = [batch[i : i + size] for i in range(0, len(batch), size)]
    write_library(folder / "a.h5", parts, grid=grid)
    found = read_library(folder / "a.h5", batch.incident, detector=ILD, grid=grid)
    again = write_library(folder / "b.h5", [found], grid=grid)
    assert again.outside_mev == 0
    assert np.array_equal(cells_of(folder / "a.h5"), cells_of(folder / "b.h5"))


@pytest.mark.parametrize(
    ("split", "name"), [(1, "x1"), (3, "x9"), (5, "x25"), (10, "x100"), (15, "x225")]
)
def test_points_that_are_read_are_of_the_representation_of_the_cells(tmp_path, split, name):
    grid = Grid((30, 30), CELL / split)
    write_library(tmp_path / "l.h5", [one_deposit(1, 1)], grid=grid)
    found = read_library(tmp_path / "l.h5", Incident(10, (0, 0, 1)), detector=ILD, grid=grid)
    assert found.representation == name


def test_a_point_is_read_in_the_middle_of_its_cell(tmp_path):
    grid = Grid((30, 30))
    write_library(tmp_path / "l.h5", [one_deposit(1, -6, 4, 0.5)], grid=grid)
    found = read_library(tmp_path / "l.h5", Incident(10, (0, 0, 1)), detector=ILD, grid=grid)
    assert (found.x[0], found.y[0]) == pytest.approx((CELL / 2, -1.5 * CELL), abs=1e-5)
    assert (found.layer.tolist(), found.energy.tolist()) == ([4], [0.5])


def test_real_showers_stay_inside_but_for_a_few_percent(geant4_showers, tmp_path):
    batch = geant4_showers[:50]
    exported = write_library(tmp_path / "l.h5", [batch])
    assert 0 < exported.outside_mev < 0.05 * exported.visible_mev
    found = read_library(tmp_path / "l.h5", batch.incident, detector=ILD)
    lost = batch.visible_energy.sum() - found.visible_energy.sum()
    assert lost == pytest.approx(exported.outside_mev, rel=1e-3)


def test_a_grid_of_other_cells_than_the_detectors_is_refused(tmp_path):
    with pytest.raises(DetectorError, match=r"neither the 5\.08833 mm cells"):
        write_library(tmp_path / "l.h5", [one_deposit(0, 0)], grid=Grid((3, 3), 4.0))
    assert not list(tmp_path.iterdir())


def test_a_library_is_read_only_with_its_own_grid_and_as_many_primaries(tmp_path):
    path = tmp_path / "l.h5"
    write_library(path, [one_deposit(0, 0)])
    one = Incident(10, (0, 0, 1))
    with pytest.raises(DetectorError, match=r"30 x 30 x 49 cells, where this grid .* 30 x 30 x 30"):
        read_library(path, one, detector=ILD, grid=Grid())
    with pytest.raises(InputError, match="holds 1 showers; give as many primaries, not 2"):
        read_library(path, Incident([1, 2], (0, 0, 1)), detector=ILD)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: None, "it has no layers"),
        (lambda file: file.create_group("layers"), "is not a data set"),
        (
            lambda file: file.create_dataset("layers", data=np.zeros((1, 30, 30, 49), "S4")),
            "float32",
        ),
        (lambda file: file.create_dataset("layers", data=np.zeros(9, "f4")), "shape"),
        (lambda file: file.create_dataset("layers", (10**6, 30, 30, 49), "f4"), "too short"),
        (
            lambda file: file.create_dataset("layers", data=np.full((1, 30, 30, 49), np.nan, "f4")),
            "not a number",
        ),
        (lambda file: file.__setitem__("layers", h5py.SoftLink("/x")), "link"),
        (lambda file: file.__setitem__("layers", h5py.ExternalLink("other.h5", "x")), "link"),
    ],
)
def test_what_is_no_library_is_refused_in_one_sentence(tmp_path, make, words):
    path = tmp_path / "l.h5"
    with h5py.File(path, "w") as file:
        make(file)
    with pytest.raises(ShowerFileError, match=words) as error:
        read_library(path, Incident(10, (0, 0, 1)), detector=ILD)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [None, b"", b"no HDF5"])
def test_a_file_that_is_missing_or_no_hdf5_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "l.h5").write_bytes(text)
    with pytest.raises(ShowerFileError, match=r"no shower file|not a whole HDF5 file"):
        read_library(tmp_path / "l.h5", Incident(10, (0, 0, 1)), detector=ILD)


def test_nothing_half_written_stays_and_nothing_is_replaced_unasked(tmp_path):
    path = tmp_path / "l.h5"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="Add overwrite=True"):
        write_library(path, [one_deposit(0, 0)])

    def batches():
        yield one_deposit(0, 0)
        raise KeyboardInterrupt

    for parts, error in [(batches(), KeyboardInterrupt), ([], ShowerFileError)]:
        with pytest.raises(error):
            write_library(path, parts, overwrite=True)
        assert [entry.name for entry in tmp_path.iterdir()] == ["l.h5"]
        assert path.read_text() == "precious"


@pytest.mark.parametrize(("shape", "cell"), [((0, 3), 5), ((3, 3), 0), ((3, 3), math.nan)])
def test_a_grid_without_cells_is_refused(shape, cell):
    with pytest.raises(InputError):
        Grid(shape, cell)
