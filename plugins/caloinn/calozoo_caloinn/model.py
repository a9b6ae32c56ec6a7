"""CaloINN: invertible networks say what each ring of each layer holds, a template where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calozoo_caloinn.networks import Drawer
from calozoo_caloinn.point_sampling import Placer, Points
from calozoo_caloinn.ring_energies import RingEnergies
from calozoo_caloinn.weights_files import Trained, read, write
from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator, ModelSpec, Precision
from calozoo_core.incident import Incident
from calozoo_core.random import stream
from calozoo_core.showers import Showers
from calozoo_core.typing import Float32Array

__all__ = ["CaloInn"]

TRIES = 20
"""How often a shower without any energy is drawn again before it is given a single point."""


class CaloInn(Generator):
    r"""Photon showers in the ILD Si-W ECAL from the energies of rings.

    Spline flows draw the visible energy, its division among the layers and, for every layer, that
    among rings about the shower axis. A template fitted on Geant4 showers divides each ring into
    points.

    References:
        | CaloINN: https://arxiv.org/abs/2312.09290

    Arguments:
        spec: The spec it was registered with.
        trained: Networks, template and configuration.
    """

    def __init__(self, spec: ModelSpec, trained: Trained) -> None:
        super().__init__(spec)
        self.config = trained.config
        self.networks = trained.networks
        self._template = trained.template
        detector = load_detector(spec.detector)
        template = trained.template
        self._energies = RingEnergies(
            Drawer(trained.config, trained.networks),
            template.threshold.numpy(),
            template.calibration.numpy(),
        )
        self._placer = Placer(template, detector.layer_depth_mm)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        folder: Path | None,
        *,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> CaloInn:
        """Build it from a folder with `config.json` and `model.safetensors`.

        Raises:
            WeightsError: If the files are damaged or do not fit each other.
            InputError: If a device or a precision is asked for that it does not run with.
        """
        if folder is None:
            msg = f"{spec.name} needs weights; type `calozoo pull {spec.name}`."
            raise WeightsError(msg)
        if device != "cpu":
            msg = f"{spec.name} is so small that it runs on the CPU only; use device='cpu'."
            raise InputError(msg, argument="device='cpu'")
        if precision not in (None, "float32"):
            msg = f"{spec.name} runs in float32 only; leave out precision."
            raise InputError(msg, argument="precision")
        return cls(spec, read(folder))

    def save(self, folder: Path) -> None:
        """Write its `config.json` and `model.safetensors`."""
        write(folder, Trained(self.config, self.networks, self._template))

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        """Showers for these primaries, of which the first is number `first` of the sample."""
        return self.sample_numbers(incident, seed, np.arange(first, first + len(incident)))

    def sample_numbers(self, incident: Incident, seed: int, numbers: NDArray[np.int64]) -> Showers:
        """Showers for these primaries, of these numbers."""
        n = len(incident)
        streams = [stream(seed, int(number), "caloinn") for number in numbers]
        energies = self._drawn(incident, streams)
        cells = energies.shape[1]
        deviates = np.empty((n, cells + 1), np.float32)
        coin = np.empty((n, cells), np.float32)
        for i, random in enumerate(streams):
            random.standard_normal(out=deviates[i], dtype=np.float32)
            random.random(out=coin[i], dtype=np.float32)
        direction = incident.direction
        counts, level = self._placer.counts(energies, incident.energy, direction, deviates, coin)
        placed = [
            self._placer.points(energies[i], direction[i], counts[i], level[i], streams[i])
            for i in range(n)
        ]
        columns = Points(*(np.concatenate(column) for column in zip(*placed, strict=True)))
        return Showers(
            offsets=np.concatenate([[0], np.cumsum(counts.sum(axis=1))]),
            **columns._asdict(),
            incident=incident,
            representation=self.spec.representation,
            detector=self.spec.detector,
        )

    def _drawn(self, incident: Incident, streams: list[np.random.Generator]) -> Float32Array:
        """Ring energies, none of a shower all zero, shape (n, cells)."""
        width = self._energies.drawer.noise
        todo = np.arange(len(streams))
        energies: Float32Array | None = None
        for _ in range(TRIES):
            noise = np.stack([streams[i].standard_normal(width, np.float32) for i in todo])
            drawn = self._energies(incident.energy[todo], incident.direction[todo], noise)
            if energies is None:
                energies = drawn
            else:
                energies[todo] = drawn
            todo = todo[energies[todo].sum(axis=1) == 0]
            if len(todo) == 0:
                break
        assert energies is not None
        energies[todo, 0] = self.config.codec.noise_mev
        return energies
