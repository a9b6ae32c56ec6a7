"""Specs: descriptions of models, which are read without importing the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from calozoo_core.errors import ConditionsError, InputError
from calozoo_core.particles import meant_particle
from calozoo_core.strict_model import StrictModel

# A list of models needs their specs and no arrays, so numpy is imported by what computes.
if TYPE_CHECKING:
    from calozoo_core.incident import Incident

__all__ = [
    "PLUGIN_API",
    "ArchitectureName",
    "Conditions",
    "ModelName",
    "ModelSpec",
    "ObjectPath",
    "Precision",
    "RepresentationName",
    "check_precision",
]

RepresentationName = Literal["x1", "x9", "x25", "x100", "x225", "steps"]
"""Fineness to which deposits are merged."""

PLUGIN_API = 1
"""Version of the contract between core and plugins; a plugin states the one it was written for."""

EXTRAPOLATE = "extrapolate=True"

Precision = Literal["float32", "bfloat16"]

ModelName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*\.[a-z0-9][a-z0-9_+-]*$")
]
ArchitectureName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
ObjectPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class Conditions(StrictModel):
    """The incident particles a model was trained on, and so may be asked for.

    Arguments:
        particles: PDG names.
        energy_gev: Lowest and highest kinetic energy, in GeV.
        theta_deg: Lowest and highest angle to the calorimeter normal, in degrees.
    """

    particles: tuple[str, ...] = ("gamma",)
    energy_gev: tuple[float, float]
    theta_deg: tuple[float, float] = (0.0, 0.0)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Conditions:
        if not 0 < self.energy_gev[0] <= self.energy_gev[1]:
            msg = "energy_gev must be two positive energies, the lower first"
            raise ValueError(msg)
        if not 0 <= self.theta_deg[0] <= self.theta_deg[1] < 90:
            msg = "theta_deg must be two angles from 0 to 90 degrees, the smaller first"
            raise ValueError(msg)
        return self

    @property
    def summary(self) -> str:
        """Particles and ranges in words."""
        low, high = self.energy_gev
        least, most = self.theta_deg
        particles = ", ".join(self.particles)
        return f"{particles} of {low:g}-{high:g} GeV at {least:g}-{most:g} degrees"

    def check_particle(self, particle: str, name: str) -> None:
        """Refuse primaries of another particle.

        Arguments:
            particle: PDG name.
            name: Name of the model, for the message.

        Raises:
            ConditionsError: If they are of another particle.
        """
        if particle not in self.particles:
            msg = f"{name} makes showers of {', '.join(self.particles)}, not of {particle}."
            meant = meant_particle(particle)
            hint = f" Did you mean {meant!r}?" if meant in self.particles else ""
            raise ConditionsError(msg + hint)

    def check(self, incident: Incident, name: str) -> None:
        """Refuse primaries outside these conditions.

        Arguments:
            incident: The primaries.
            name: Name of the model, for the message.

        Raises:
            ConditionsError: If a primary lies outside; the message says the range.
        """
        self.check_particle(incident.particle, name)
        import numpy as np

        # The bounds are rounded as the primaries were, so that a bound itself is inside.
        low, high = (float(np.float32(bound)) for bound in self.energy_gev)
        outside = incident.energy[(incident.energy < low) | (incident.energy > high)]
        if len(outside):
            hint = f" Is it in MeV? {outside[0]:g} MeV is {outside[0] / 1000:g} GeV."
            msg = (
                f"{outside[0]:g} GeV is outside what {name} was trained on ({low:g}-{high:g} GeV)."
                f"{hint if low <= outside[0] / 1000 <= high else ''}"
                f" Add {EXTRAPOLATE} to try anyway."
            )
            raise ConditionsError(msg, argument=EXTRAPOLATE)
        low, high = self.theta_deg
        theta = incident.theta
        tilted = theta[(theta < low - 1e-3) | (theta > high + 1e-3)]
        if len(tilted):
            msg = (
                f"{tilted[0]:.3g} degrees from the normal is outside what {name} was trained on "
                f"({low:g}-{high:g} degrees). Add {EXTRAPOLATE} to try anyway."
            )
            raise ConditionsError(msg, argument=EXTRAPOLATE)


class ModelSpec(StrictModel):
    """All that can be said of a model without importing it.

    Arguments:
        name: `architecture.tag`: the code, and the weights trained for it.
        aliases: Other names of the architecture, that it can be asked for by.
        summary: One sentence.
        factory: Where its Generator class is, as `package.module:Class`; imported only when the
            model is loaded, so that a list of models costs nothing.
        representation: What its points are: "x1", "x9", "x25", "x100", "x225" or "steps".
        detector: The detector its showers belong to.
        conditions: What it was trained on.
        weights: Folder in the plugin's package with `config.json` and `model.safetensors`, as
            `package:folder`; None if the model has none.
        trainer: A function that trains it, as `package.module:function`; None if it needs none. If
            the model has a source, it gets that one's generator as the keyword argument `source`.
        converter: A function that reads the authors' own files, likewise.
        source: Name of the model that feeds this one; its generator is handed to `load` as the
            keyword argument `source`.
        license: SPDX name, of code and weights.
        papers: Where the model is described, as URLs.
        plugin_api: The version of this contract the plugin was written for. The first one unless
            the plugin says so: what the core at hand speaks says nothing of the plugin.
    """

    name: ModelName
    aliases: tuple[ArchitectureName, ...] = ()
    summary: str = Field(min_length=1)
    factory: ObjectPath
    representation: RepresentationName
    detector: str
    conditions: Conditions
    weights: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[\w./+-]+$")] | None = None
    trainer: ObjectPath | None = None
    converter: ObjectPath | None = None
    source: str | None = None
    license: str = Field(min_length=1)
    papers: tuple[str, ...] = ()
    plugin_api: int = 1

    def __repr__(self) -> str:
        return f"<ModelSpec {self.name}: {self.kind}>"

    __str__ = __repr__

    @property
    def kind(self) -> str:
        """Conditions, representation and detector in words."""
        return f"{self.conditions.summary}, {self.representation} points in {self.detector}"

    @property
    def architecture(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """The part of the name behind the dot."""
        return self.name.partition(".")[2]


def check_precision(precision: str | None) -> None:
    """Refuse a precision that is none.

    Raises:
        InputError: If it is neither None nor a `Precision`.
    """
    if precision is not None and precision not in get_args(Precision):
        known = " or ".join(map(repr, get_args(Precision)))
        msg = f"The precision must be {known}, not {precision!r}."
        raise InputError(msg, argument="precision")
