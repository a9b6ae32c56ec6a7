"""Models that keep the contract, in a package such as a plugin has it."""

from __future__ import annotations

import dataclasses
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.generator import Conditions, Generator, ModelSpec
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.weights import read_config, read_tensors, write_weights

__all__ = ["ENTRY", "SPEC", "WEIGHTED", "Sound", "Weighted", "import_package", "write_package"]

DEPTH_MM = load_detector("ild_siecal_regular").layer_depth_mm
ENTRY = "contract_model_package"
"""The package they are in, as far as they know."""


class Sound(Generator):
    """One point a layer, on the axis but for a little noise; 1 % of the energy is visible."""

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        if device != "cpu":
            msg = f"{spec.name} runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        return cls(spec)

    def sample(self, incident, seed, first):
        noise = np.stack(
            [stream(seed, first + i, "sound").normal(size=(30, 2)) for i in range(len(incident))]
        )
        slope = incident.direction[:, :2] / incident.direction[:, 2:]
        x, y = ((slope[:, axis, None] * DEPTH_MM + noise[:, :, axis]).ravel() for axis in range(2))
        return Showers(
            offsets=np.arange(len(incident) + 1) * 30,
            x=x,
            y=y,
            layer=np.tile(np.arange(30), len(incident)),
            energy=np.repeat(incident.energy * 10 / 30, 30),
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )


SPEC = ModelSpec(
    name="sound.ild-photon",
    summary="A model that keeps the contract.",
    factory=f"{ENTRY}:Sound",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 100), theta_deg=(0, 60)),
    license="Apache-2.0",
    papers=("https://example.org/sound",),
)


WEIGHTED = SPEC.model_copy(
    update={
        "name": "weighted.ild-photon",
        "factory": f"{ENTRY}:Weighted",
        "weights": f"{ENTRY}:weights",
        "conditions": Conditions(energy_gev=(1, 100)),
    }
)
CARD = """---
license: "apache-2.0"
---

# {name}

Described in <https://example.org/sound>.
"""


class Sizes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    points: int = Field(le=100)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    layers: int = Field(le=100)
    sizes: Sizes


class Weighted(Sound):
    """The sound model with weights, which spread its points."""

    device = "cpu"

    def __init__(self, spec, config, tensors):
        super().__init__(spec)
        self.config, self.tensors = config, tensors

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        if device != "cpu":
            msg = f"{spec.name} runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        config = read_config(folder, Config)
        return cls(spec, config, read_tensors(folder, {"width": (config.layers, 1)}))

    def save(self, folder):
        write_weights(folder, self.config, self.tensors)

    def sample(self, incident, seed, first):
        showers = super().sample(incident, seed, first)
        width = self.tensors["width"].numpy()[showers.layer, 0]
        return dataclasses.replace(showers, x=showers.x * width, y=showers.y * width)


def write_package(parent: Path) -> Path:
    """A package as a plugin has it: a module, the weights, and cards."""
    import torch

    package = parent / ENTRY
    config = Config(layers=30, sizes=Sizes(points=1))
    write_weights(package / "weights", config, {"width": torch.full((30, 1), 10.0)})
    for spec in (SPEC, WEIGHTED):
        place = package / "cards" / spec.name
        place.mkdir(parents=True)
        (place / "README.md").write_text(CARD.format(name=spec.name))
    (package / "__init__.py").write_text("class Sound: pass\n")
    return package


def import_package(package: Path) -> ModuleType:
    """The package as a module that has these models, though its own code does not."""
    module = module_from_spec(spec_from_file_location(ENTRY, package / "__init__.py"))
    module.Sound, module.Weighted = Sound, Weighted
    return module
