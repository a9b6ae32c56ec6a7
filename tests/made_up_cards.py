"""Measurements that nobody made, for tests of cards and leaderboards."""

from __future__ import annotations

from calozoo.benchmark.measurements import (
    EnergyRatios,
    EnergyTimes,
    Fidelity,
    Machine,
    Measurements,
    Memory,
    SampleDescription,
    Timing,
)
from calozoo.physics.results import PhysicsResult, PhysicsSample
from calozoo_core.generator import Conditions, ModelSpec
from calozoo_core.metrics.result import MetricResult


def spec(name: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        summary="A model: with a colon, and 'quotes'.",
        factory="nowhere:Nothing",
        representation="x25",
        detector="ild_siecal_regular",
        conditions=Conditions(energy_gev=(1, 127), theta_deg=(0, 60)),
        license="Apache-2.0",
        papers=("https://arxiv.org/abs/2511.01460",),
    )


def figure(name: str, value: float | None, metric: str = "js") -> MetricResult:
    return MetricResult(
        name=name,
        metric=metric,
        value=value,
        error=None if value is None else abs(value) / 10,
        noise_floor=None if value is None else 2e-5,
        n_generated=100,
        n_reference=100,
        reason="Too few." if value is None else None,
    )


def with_structure(name: str, auc: float, cells: float) -> Measurements:
    """Measurements with a classifier and ratios."""

    def classifier(group: str, value: float) -> MetricResult:
        telling = {f"first of {group}": 0.9, f"second of {group}": 0.8}
        found = figure(f"cells.classifier{group}", value, "auc")
        return found.model_copy(update={"telling_features": telling, "noise_floor": 0.51})

    def ratio(name: str, value: float, metric: str = "ratio") -> MetricResult:
        values = {"generated_value": 0.5 * value, "reference_value": 0.5}
        return figure(name, value, metric).model_copy(update=values)

    figures = (
        classifier("", auc),
        classifier(".rings", auc - 0.01),
        classifier(".hottest_cells", 0.52),
        ratio("cells.occupancy", cells),
        ratio("cells.occupancy@50GeV", cells),
        ratio("cells.centre_x", 0.9, "width_ratio"),
        ratio("cells.hot_1e-3", 1.1),
        ratio("points.neighbour_1.6mm@40-80mm", 0.04),
        ratio("cells.neighbour_adjacent@40-80mm", 0.7),
    )
    plain = measurements(name)
    (fidelity,) = plain.fidelity[:1]
    more = fidelity.model_copy(update={"figures": fidelity.figures + figures})
    sample = plain.sample.model_copy(update={"reference_sha256": "0123456789abcdef" * 4})
    return plain.model_copy(update={"fidelity": (more,), "sample": sample})


def measurements(name: str = "caloclouds3.test", value: float = 4e-4, ms: float = 2.0):
    figures = (
        figure("cells.layer_energy", value),
        figure("cells.radial_energy_30", 2 * value),
        figure("cells.linearity", value, "l1"),
        figure("cells.resolution", None, "l1"),
        figure("points.spectrum", value),
    )
    row = EnergyTimes(
        energy_gev=10,
        single_ms=ms,
        batched_ms=ms / 4,
        single_placed_ms=2 * ms,
        batched_placed_ms=ms / 2,
        geant4_ms=150,
        speedups=(150 / ms, 600 / ms, 75 / ms, 300 / ms),
    )
    ratios = EnergyRatios(
        low_gev=10,
        high_gev=10,
        n_generated=100,
        n_reference=100,
        visible_energy=(1.01, 0.02),
        hits=(0.99, 0.01),
    )
    return Measurements(
        spec=spec(name),
        precision="float32",
        parameters=1234,
        weights_bytes=5000,
        machine=Machine.here(),
        sample=SampleDescription(
            n_showers=100,
            energies_gev=(10, 20),
            theta_deg=(43, 137),
            phi_deg=(79, 109),
            detector="ild_siecal",
            threshold_mev=0.1,
            reference="geant4.ild-siecal",
            points_reference="geant4.ild-siecal-regular",
            seed=0,
        ),
        fidelity=(Fidelity(precision="float32", figures=figures, ratios=(ratios,)),),
        timings=(
            Timing(
                precision="float32",
                threads=1,
                rounds=3,
                batch_size=64,
                geant4="geant4.ild-siecal-regular",
                load=0.1,
                energies=(row,),
            ),
        ),
        memory=Memory(n_showers=100, peak_mb=300, interpreter_mb=10, startup_s=2.5),
        notes=("A note.",),
    )


def physics_result(
    test: str, weights: dict[str, str] | None = None, energy: int = 5
) -> PhysicsResult:
    """Result of `calozoo physics` with a difference and a divergence."""
    of_pairs = f"pairs.{energy}GeV"
    difference = figure("pi0.good" if test == "tau" else f"{of_pairs}.d50", -0.05, "difference")
    values = {"error": 0.02, "generated_value": 0.5, "reference_value": 0.55, "seed_spread": 0.01}
    number = "pi0.categories" if test == "tau" else f"{of_pairs}.number"
    sample = "tau" if test == "tau" else f"pairs-{energy}GeV-90mm"
    return PhysicsResult(
        test=test,
        truth="geant4.ild-siecal",
        samples={
            sample: PhysicsSample(n_events=7, primaries_sha256="1", truth_sha256="2", seeds=3)
        },
        parameters_sha256="3",
        packages={"calozoo": "0.1.0"},
        weights_sha256=weights,
        figures=(difference.model_copy(update=values), figure(number, 3e-5)),
    )
