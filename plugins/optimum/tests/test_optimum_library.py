"""Optimum generators that are fed with a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.errors import ConditionsError, DetectorError, InputError, ShowerFileError
from calozoo_core.io import ShowerFile, write_showers
from calozoo_core.representation import Representation
from calozoo_optimum import STEPS, X1, X9
from calozoo_optimum.generator import Optimum

POINTS = ("offsets", "x", "y", "layer", "energy")


def merged(steps, name, seed):
    return Representation.named(name, 5.0883331298828125)(steps, seed)


@pytest.mark.parametrize("spec", [X1, X9, STEPS], ids=lambda spec: spec.name)
def test_a_library_gives_what_its_generator_gives_live(spec, sprinkler, steps, library):
    live = Optimum.load(spec, source=sprinkler).generate(steps.incident, seed=6)
    read = Optimum.load(spec, source=library).generate(steps.incident, seed=6)
    for column in (*POINTS, "time"):
        assert getattr(read, column).tobytes() == getattr(live, column).tobytes()


def test_shower_i_is_number_i_of_the_library(steps, library):
    optimum = Optimum.load(X9, source=library)
    whole = optimum.generate(steps.incident, seed=2, batch_size=3)
    (part,) = optimum.batches(steps.incident[4:6], seed=2, first=4)
    for column in POINTS:
        assert np.array_equal(getattr(part, column), getattr(whole[4:6], column))


def test_only_the_showers_asked_for_are_read(steps, library, monkeypatch):
    read = []
    whole = ShowerFile.__getitem__
    monkeypatch.setattr(
        ShowerFile, "__getitem__", lambda file, rows: read.append(rows) or whole(file, rows)
    )
    optimum = Optimum.load(X1, source=library)
    assert not read
    for _ in optimum.batches(steps.incident[2:5], first=2, batch_size=2):
        pass
    assert read == [slice(2, 4), slice(4, 5)]


@pytest.mark.parametrize("fine", ["x9", "x25"])
def test_merged_points_are_merged_further_on_the_grids_they_lie_on(fine, steps, tmp_path):
    write_showers(tmp_path / "s.h5", steps, generator="a", seed=6)
    write_showers(tmp_path / "fine.h5", merged(steps, fine, seed=6), generator="a", seed=6)
    straight, by_way = (Optimum.load(X1, source=tmp_path / name) for name in ("s.h5", "fine.h5"))
    # No deposit lies near the walls of the box, where steps and sub-cells are cut differently.
    one = straight.generate(steps.incident, seed=6)
    other = by_way.generate(steps.incident, seed=1234)
    for column in ("offsets", "x", "y", "layer"):
        assert np.array_equal(getattr(one, column), getattr(other, column))
    np.testing.assert_allclose(one.energy, other.energy, rtol=1e-5)


@pytest.mark.parametrize("seed", ["unknown", "2.5", "-1", str(2**64), "9" * 30])
def test_points_of_unknown_grids_are_merged_on_new_ones(seed, steps, tmp_path):
    import h5py

    path = tmp_path / "fine.h5"
    write_showers(path, merged(steps, "x25", seed=6), generator="a", seed=6)
    with h5py.File(path, "r+") as file:
        file.attrs["seed"] = seed
    optimum = Optimum.load(X1, source=path)
    one, two = (optimum.generate(steps.incident, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one.x, two.x)


def test_x9_of_a_library_comes_back_as_it_is(steps, tmp_path):
    x9 = merged(steps, "x9", seed=6)
    write_showers(tmp_path / "x9.h5", x9, generator="a", seed=6)
    made = Optimum.load(X9, source=tmp_path / "x9.h5").generate(steps.incident)
    assert set(zip(made.x, made.y, made.energy, strict=True)) <= set(
        zip(x9.x, x9.y, x9.energy, strict=True)
    )


def test_primaries_may_differ_by_a_thousandth(steps, library):
    near = steps.incident.energy * np.float32(1.0005)
    asked = type(steps.incident)(near, steps.incident.direction)
    made = Optimum.load(X1, source=library).generate(asked)
    assert np.array_equal(made.incident.energy, near)


def test_another_energy_than_the_librarys_is_refused(steps, library):
    energy = steps.incident.energy.copy()
    energy[3] = 50
    asked = type(steps.incident)(energy, steps.incident.direction)
    with pytest.raises(ConditionsError) as refusal:
        Optimum.load(X1, source=library).generate(asked, batch_size=2)
    assert str(refusal.value) == (
        f"Shower 3 of {library} is a 8 GeV gamma, not 50 GeV; take the library's own primaries, "
        f"as `calozoo generate --energy @{library} --dir @{library}` does."
    )
    assert refusal.value.exit_code == 2


def test_another_direction_than_the_librarys_is_refused(steps, library):
    direction = steps.incident.direction.copy()
    direction[5] = (0, 0, 1)
    asked = type(steps.incident)(steps.incident.energy, direction)
    with pytest.raises(ConditionsError, match=r"Shower 5 of .* goes along .*, not 0,0,1; take"):
        Optimum.load(X1, source=library).generate(asked)


def test_another_particle_than_the_librarys_is_refused(steps, library):
    asked = type(steps.incident)(steps.incident.energy, steps.incident.direction, "e-")
    with pytest.raises(ConditionsError, match=r"showers of gamma, not of e-; add particle='gamma'"):
        Optimum.load(X1, source=library).generate(asked)


def test_more_showers_than_the_library_has_are_refused(steps, library):
    optimum = Optimum.load(X1, source=library)
    with pytest.raises(ConditionsError, match=r"lib\.h5 has too few showers, 8; take"):
        list(optimum.batches(steps.incident[:3], first=6))


def test_a_library_that_is_too_coarse_is_refused(steps, tmp_path):
    write_showers(tmp_path / "x25.h5", merged(steps, "x25", seed=6), generator="a", seed=6)
    with pytest.raises(InputError, match=r"The x25 points of .*x25\.h5 cannot be merged to x9"):
        Optimum.load(X9, source=tmp_path / "x25.h5")


def test_a_library_of_another_detector_is_refused(steps, tmp_path):
    path = tmp_path / "gaps.h5"
    write_showers(path, replace(steps, detector="ild_siecal"), generator="a", seed=6)
    with pytest.raises(DetectorError, match=r"those of .*gaps\.h5 are of ild_siecal"):
        Optimum.load(X1, source=path)


def test_a_missing_library_is_refused(tmp_path):
    with pytest.raises(ShowerFileError, match=r"There is no shower file .*no\.h5"):
        Optimum.load(X1, source=tmp_path / "no.h5")


def test_a_closed_library_gives_no_more(steps, library):
    optimum = Optimum.load(X1, source=library)
    optimum.close()
    with pytest.raises(ShowerFileError, match="was closed"):
        optimum.generate(steps.incident)
