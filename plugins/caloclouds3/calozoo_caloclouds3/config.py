"""Configuration (config.json): sizes of both networks, features, calibration, and presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calozoo_core.strict_model import StrictModel
from calozoo_core.weights.calibration import CalibrationRecord

__all__ = [
    "N_LAYERS",
    "Calibration",
    "CaloCloudsConfig",
    "FlowConfig",
    "PointFeatures",
    "PointsConfig",
    "preset",
]

N_LAYERS = 30

Width = Annotated[int, Field(ge=1, le=4096)]


class FlowConfig(StrictModel):
    """Sizes of ShowerFlow, which samples number of points and energy of each layer.

    Arguments:
        blocks: Blocks of six affine couplings around one spline.
        hidden: Width of the affine couplings' networks (published: 10 times the 60 outputs).
        spline_hidden: Width of the spline's network (published: 4 times the 60 outputs).
        bins: Bins of the spline.
        bound: The spline acts inside [-bound, bound].
        power: Targets are layer counts and energies to this power: 1 as published, 0.5 makes
            the spread of a count nearly independent of the count.
        baseline_hidden: Width of a network that predicts the mean and the spread of each target
            before the couplings; None as published.
        log_energy: Condition the networks on the logarithm of the energy as well; from E / 127 GeV
            alone they can hardly tell 1 GeV from 5. False as published.
    """

    blocks: int = Field(default=2, ge=1, le=10)
    hidden: Width = 600
    spline_hidden: Width = 240
    bins: int = Field(default=8, ge=2, le=64)
    bound: float = Field(default=3.0, gt=0)
    power: float = Field(default=1.0, gt=0, le=1)
    baseline_hidden: Width | None = None
    log_energy: bool = False


class PointsConfig(StrictModel):
    """Sizes of PointWiseNet, which predicts position, depth and energy of one point.

    Arguments:
        widths: Widths of the hidden layers.
        time_features: Width of the embedding of the noise level.
        context: Width of the hidden layer that condition and noise level share before they gate
            the layers; None as published, where they gate the layers as they are.
    """

    widths: tuple[Width, ...] = Field(default=(32, 64, 128, 64, 32), min_length=1, max_length=16)
    time_features: Width = 64
    context: Width | None = None


class PointFeatures(StrictModel):
    """Features of PointWiseNet: normalisation of positions, layers and energies.

    Feature = (value - mean) / (2 std), so that each has a spread of 0.5.

    Arguments:
        x_mm: Mean and standard deviation of x' about the shower axis.
        y_mm: The same for y'.
        layer: The same for the layer index smeared over [l, l + 1).
        log_energy: The same for ln(energy), energy in the unit `energy_unit_mev`.
        energy_unit_mev: 1 for MeV; the published weights were trained on GeV, 1000.
        warp_mm: If set, distances r to the axis enter as asinh(r / warp_mm) (x_mm and y_mm are
            then statistics of the warped coordinates), so that the core of the shower is not
            squeezed into a corner of the network's input.
    """

    x_mm: tuple[float, float] = (-0.0074305227, 21.608465)
    y_mm: tuple[float, float] = (-0.21205868, 22.748442)
    layer: tuple[float, float] = (12.359252, 5.305082)
    log_energy: tuple[float, float] = (-1.5300317, 1.2500798)
    energy_unit_mev: float = Field(default=1.0, gt=0)
    warp_mm: float | None = Field(default=None, gt=0)


class Calibration(StrictModel):
    """Factors fitted after training, applied to every shower.

    Arguments:
        n_points: Factor on the number of points of each layer.
        position: Factor on x' and y' about the shower axis.
        energy: Factor on the energy of each layer.
        fitted_on: Name of the showers they were fitted on.
        record: Record of the last fit, by `calozoo calibrate`.
    """

    n_points: float = Field(default=1.0, gt=0)
    position: float = Field(default=1.0, gt=0)
    energy: float = Field(default=1.0, gt=0)
    fitted_on: str = "not fitted"
    record: CalibrationRecord | None = None


class CaloCloudsConfig(StrictModel):
    """Configuration of a CaloClouds3.

    Arguments:
        schema_version: Version of this schema.
        architecture: Always "caloclouds3".
        energy_scale_gev: Incident energies are divided by this before they condition a network.
        max_points: Largest number of points of a shower.
        max_negative_layers: A shower with more negative layer energies than this is drawn again.
        flow: Sizes of ShowerFlow.
        points: Sizes of PointWiseNet.
        features: Features of PointWiseNet.
        calibration: Factors fitted after training.
    """

    schema_version: Literal[1] = 1
    architecture: Literal["caloclouds3"] = "caloclouds3"
    energy_scale_gev: float = Field(default=127.0, gt=0)
    max_points: int = Field(default=30_000, ge=1, le=1_000_000)
    max_negative_layers: int = Field(default=7, ge=0)
    flow: FlowConfig = FlowConfig()
    points: PointsConfig = PointsConfig()
    features: PointFeatures = PointFeatures()
    calibration: Calibration = Calibration()


def preset(name: str) -> CaloCloudsConfig:
    """Named configuration.

    `published` has the sizes of the paper; `ild-photon` is what calozoo trains, smaller and faster;
    `tiny` is for tests.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> preset("published").flow.hidden
        600
    """
    presets = {
        "published": CaloCloudsConfig(),
        "ild-photon": CaloCloudsConfig(
            flow=FlowConfig(
                blocks=1,
                hidden=96,
                spline_hidden=24,
                power=0.5,
                baseline_hidden=48,
                log_energy=True,
            ),
            points=PointsConfig(widths=(64, 64, 64), context=64),
            features=PointFeatures(warp_mm=4.0),
        ),
        "tiny": CaloCloudsConfig(
            flow=FlowConfig(
                blocks=1,
                hidden=16,
                spline_hidden=8,
                power=0.5,
                baseline_hidden=16,
                log_energy=True,
            ),
            points=PointsConfig(widths=(16, 16), time_features=16, context=16),
            features=PointFeatures(warp_mm=4.0),
        ),
    }
    if name not in presets:
        msg = f"no preset is called {name!r}; there are {', '.join(presets)}"
        raise ValueError(msg)
    return presets[name]
