"""Every registered model makes the showers it made before; `golden_data` says how to rewrite them.

Numbers of points and the layers are compared exactly, sums with a tolerance: the arithmetic of a
network is rounded differently on other processors. Models without a network are compared point by
point as well, on a grid of 1/16 mm and 1/1024 MeV.
"""

from __future__ import annotations

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
    made = {"n_points": showers.n_points.tolist(), "layer": digest(showers.layer)}
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
    check_values(FILE, name, made, near=1e-4)


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
