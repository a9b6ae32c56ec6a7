"""Every registered model makes the showers it made before; `golden_data` says how to rewrite them.

Numbers of points and the layers are compared exactly, sums with a tolerance. Models without a
network are compared point by point as well, on a grid of 1/16 mm and 1/1024 MeV.

The arithmetic of a network is rounded differently on other processors, and a number of cells that
lies at a half in one of them comes out one higher or lower. Of the 90 showers of the models with
weights this happens to none or one with the instructions of recent processors and to two with those
of 2008, by one point each. So up to two of a batch's six showers may have such a point.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from golden_data import (
    FILES,
    IS_WRITING,
    Generator,
    Incident,
    ModelSpec,
    Showers,
    check_values,
    digest,
    list_models,
    load,
    load_placement,
    stored,
    write_values,
)

FILE = "models.json"
MOST_ROUNDED = 2
"""Showers of a batch in which another processor may round a number of points differently."""
POINTS_ROUNDED = 2
SUMS_ROUNDED = 0.01
"""What such points may do to means and root mean squares, as a share of the latter, and to sums."""
SPECS = {spec.name: spec for spec in list_models()}
BATCH_SIZES = (1, 64)

MOMENTA = ((0.1, 1.0, 0.1), (0.3, 1.0, -0.2), (-1.0, 0.4, 0.3), (0.6, -0.8, 0.4))
"""Global momenta of primaries that enter a barrel."""


def needs_geant4(spec: ModelSpec) -> bool:
    return spec.architecture == "geant4" or (spec.source or "").startswith("geant4")


def data_sets() -> str | None:
    """Names and sizes of Geant4's tables, hashed; None where there are none."""
    folder = os.environ.get("CALOZOO_G4DATA")
    if not folder:
        return None
    tables = sorted(path for path in Path(folder).glob("G4*/**/*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {path.stat().st_size}" for path in tables]
    return digest(np.frombuffer("\n".join(lines).encode(), np.uint8))


def skip_without_data(name: str) -> None:
    found, wanted = data_sets(), stored(FILE).get(name, {}).get("data sets")
    if found is None:
        pytest.skip("set CALOZOO_G4DATA to a folder with Geant4's data sets (docs/geant4.md)")
    if found != wanted and not IS_WRITING:
        pytest.skip("CALOZOO_G4DATA holds other data sets than those of the golden values")


def primaries(spec: ModelSpec) -> Incident:
    """Primaries within the conditions of a model, with positions where their detector needs them.

    Those of Geant4 have little energy, since it takes seconds a GeV.
    """
    particle = spec.conditions.particles[0]
    if needs_geant4(spec) and spec.detector != "ild_siecal_regular":
        placement = load_placement(spec.detector)
        position = placement.enter(MOMENTA)
        direction = placement.local_direction(position, np.array(MOMENTA))
        return Incident([0.5, 1.0, 1.5, 2.0], direction, particle, position=position)
    energy = [0.5, 1.0, 1.5, 2.0] if needs_geant4(spec) else [5.0, 10.0, 20.0, 50.0, 75.0, 100.0]
    low, high = spec.conditions.theta_deg
    theta = np.radians(np.linspace(low, min(high, 58), len(energy)))
    phi = np.linspace(0.3, 5, len(energy))
    across = np.sin(theta)
    direction = np.stack([across * np.cos(phi), across * np.sin(phi), np.cos(theta)], axis=1)
    return Incident(energy, direction, particle)


def summary(showers: Showers, *, by_point: bool) -> dict:
    """Numbers that change if any shower does: lists have one entry a shower."""
    shower, n = showers.shower_index, np.maximum(showers.n_points, 1)
    layers = np.split(showers.layer, showers.offsets[1:-1])
    made = {"n_points": showers.n_points.tolist(), "layer": [digest(one) for one in layers]}
    columns = ["x", "y", "energy"] + (["time"] if showers.time is not None else [])
    for name in columns:
        values = getattr(showers, name).astype(np.float64)
        mean = np.bincount(shower, values, len(showers)) / n
        square = np.bincount(shower, values**2, len(showers)) / n
        made[f"{name} mean"] = [float(f"{value:.8g}") for value in mean]
        made[f"{name} rms"] = [float(f"{value:.8g}") for value in np.sqrt(square)]
    made["energy sum"] = [float(f"{value:.8g}") for value in showers.visible_energy]
    if by_point:
        for name, step in (("x", 1 / 16), ("y", 1 / 16), ("energy", 1 / 1024)):
            rounded = np.round(getattr(showers, name).astype(np.float64) / step)
            made[f"{name} rounded"] = digest(rounded.astype(np.int64))
    return made


def summaries(generator: Generator, incident: Incident, *, by_point: bool) -> dict:
    return {
        f"batches of {size}": summary(
            generator.generate(incident, seed=11, batch_size=size), by_point=by_point
        )
        for size in BATCH_SIZES
    }


def without_rounding(made: dict, old: dict) -> dict:
    """A summary with the stored values of showers that only differ by a point or two."""
    if made.keys() != old.keys() or any(len(made[name]) != len(old[name]) for name in made):
        return made
    rounded = [i for i in range(len(made["layer"])) if made["layer"][i] != old["layer"][i]]
    if len(rounded) > MOST_ROUNDED or not all(is_near(made, old, i) for i in rounded):
        return made
    return {
        name: [old[name][i] if i in rounded else value for i, value in enumerate(values)]
        for name, values in made.items()
    }


def is_near(made: dict, old: dict, i: int) -> bool:
    """Whether a shower could be the stored one but for a point or two."""
    if abs(made["n_points"][i] - old["n_points"][i]) > POINTS_ROUNDED:
        return False
    for name in made.keys() - {"n_points", "layer"}:
        scale = old[name.replace("mean", "rms")][i]
        if not math.isclose(made[name][i], old[name][i], abs_tol=SUMS_ROUNDED * scale):
            return False
    return True


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of a network depend on the number of threads in their last bits."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SPECS)
def test_a_model_makes_the_showers_it_made_before(name):
    spec = SPECS[name]
    if needs_geant4(spec):
        skip_without_data(name)
    generator = load(name, offline=True, **({"precision": "float32"} if spec.weights else {}))
    try:
        made = summaries(generator, primaries(spec), by_point=spec.weights is None)
    finally:
        generator.close()
    if needs_geant4(spec):
        made["data sets"] = data_sets()
    if spec.weights and not IS_WRITING and name in stored(FILE):
        old = stored(FILE)[name]
        made = {batches: without_rounding(made[batches], old[batches]) for batches in made}
    check_values(FILE, name, made, near=1e-4)


@pytest.mark.parametrize(
    ("n_showers", "n_points", "share", "is_rounding"),
    [(2, 1, 0.001, True), (3, 1, 0.001, False), (1, 3, 0.001, False), (1, 1, 0.02, False)],
)
def test_rounding_is_told_from_a_change(n_showers, n_points, share, is_rounding):
    old = stored(FILE)["convl2lflows.ild-photon-clumps"]["batches of 64"]
    made = {name: list(values) for name, values in old.items()}
    for i in range(n_showers):
        made["layer"][i] = "another"
        made["n_points"][i] += n_points
        made["x mean"][i] += share * old["x rms"][i]
    assert (without_rounding(made, old) == old) is is_rounding


def test_a_refinement_saved_once_makes_the_showers_it_made_before():
    refined = load("toy+refined", weights=FILES / "toy_refined")
    incident = Incident(np.linspace(1.5, 5.5, 12), (0.2, 0, 1))
    made = summaries(refined, incident, by_point=False)
    check_values("saved.json", "toy_refined", made, near=1e-4, is_kept=True)


@pytest.mark.parametrize("name", SPECS)
def test_a_model_is_described_as_before(name):
    """All but the addresses of its code."""
    spec = SPECS[name].model_dump(mode="json", exclude={"factory", "trainer", "converter"})
    check_values("specs.json", name, spec)


@pytest.mark.parametrize("file", [FILE, "specs.json"])
def test_every_stored_model_is_still_registered(file):
    values = stored(file)
    if IS_WRITING:
        write_values(file, {name: values[name] for name in values if name in SPECS})
    else:
        assert set(values) <= set(SPECS)


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.weights])
def test_a_configuration_is_read_and_written_as_before(name, tmp_path):
    load(name, offline=True, precision="float32").save(tmp_path)
    written = (tmp_path / "config.json").read_bytes()
    check_values("configs.json", name, digest(np.frombuffer(written, np.uint8)))
