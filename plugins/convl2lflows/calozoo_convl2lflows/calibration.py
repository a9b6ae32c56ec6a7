"""The last corrections, fitted on training showers: the spectrum, and places near the axis."""

from __future__ import annotations

import numpy as np
import torch

from calozoo_convl2lflows.config import Calibration, ConvL2LConfig
from calozoo_convl2lflows.generation import Pipeline
from calozoo_convl2lflows.postprocess import fitted_spectrum
from calozoo_convl2lflows.radial_offset import fitted_powers
from calozoo_convl2lflows.training_data import Sample, gridded
from calozoo_convl2lflows.weights_files import Trained
from calozoo_core.random import stream

__all__ = ["fitted"]

SEED = 30_000
CHUNK = 50


def fitted(trained: Trained, sample: Sample, showers: int) -> ConvL2LConfig:
    """The configuration with the spectrum of generated deposits put right.

    Arguments:
        trained: The trained flows; their own calibration is put aside first.
        sample: Geant4 showers.
        showers: How many of them to compare with.
    """
    plain = trained.config.model_copy(update={"calibration": Calibration()})
    pipeline = Pipeline(Trained(plain, trained.networks))
    mine, truth = [], []
    rows = np.arange(min(showers, len(sample)))
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        real = gridded(sample, part, plain, stream(SEED, start, "calibration"))
        with torch.inference_mode():
            mine.append(pipeline(real.primary, SEED, start).energy)
        truth.append(real.filled.energy)
    spectrum = fitted_spectrum(np.concatenate(mine), np.concatenate(truth))
    last = sample.showers.offsets[len(rows)]
    has_corner_on_axis = all(number % 2 == 0 for number in plain.grid.shape)
    points = (sample.x[:last], sample.y[:last], sample.showers.energy[:last])
    found = Calibration(
        spectrum=spectrum,
        inward=fitted_powers(*points, plain.grid.pitch_mm) if has_corner_on_axis else (),
        fitted_on=f"{len(rows)} of its training showers",
    )
    return plain.model_copy(update={"calibration": found})
