"""Spec of a model on clumps, which can be read without importing numpy."""

from __future__ import annotations

from calozoo_core.specs import ModelSpec

__all__ = ["clumps_spec"]


def clumps_spec(spec: ModelSpec, summary: str) -> ModelSpec:
    """Spec of the model that takes the core of another's showers, and the rest from Geant4's.

    It is called as the other with `-clumps` behind, and so is the folder of its weights, which
    `calozoo train` fits (`calozoo_core.clumps.training`).

    Arguments:
        spec: Spec of the other model; it has weights.
        summary: One sentence.

    Example:
        >>> from calozoo_core.specs import Conditions
        >>> spec = ModelSpec(
        ...     name="grid.ild-photon",
        ...     summary="Cells of a grid.",
        ...     factory="grid.model:Grid",
        ...     representation="x9",
        ...     detector="ild_siecal_regular",
        ...     conditions=Conditions(particles=("gamma",), energy_gev=(1, 100)),
        ...     weights="grid:weights/ild-photon",
        ...     license="MIT",
        ... )
        >>> clumps = clumps_spec(spec, "Cores of the grid, on clumps.")
        >>> clumps.name, clumps.source, clumps.weights
        ('grid.ild-photon-clumps', 'grid.ild-photon', 'grid:weights/ild-photon-clumps')
    """
    return spec.model_copy(
        update={
            "name": f"{spec.name}-clumps",
            "summary": summary,
            "factory": "calozoo_core.clumps:ClumpsGenerator",
            "representation": "x225",
            "weights": f"{spec.weights}-clumps",
            "trainer": "calozoo_core.clumps.training:train_clumps",
            "converter": None,
            "source": spec.name,
        }
    )
