"""Quantile function of the standard normal distribution, of operators that every format has."""

import torch
from torch import Tensor

__all__ = ["normal_quantile"]


def normal_quantile(probability: Tensor) -> Tensor:
    """Quantiles of the standard normal distribution, float64, to 16 digits.

    ONNX has neither torch's quantile function nor the inverse of the error function.

    References:
        | Wichura, Algorithm AS 241: the percentage points of the normal distribution,
        | Applied Statistics 37 (1988) 477

    Arguments:
        probability: Probabilities, in (0, 1), float64, of any shape.

    Returns:
        Quantiles, of the shape of the probabilities.

    Example:
        >>> p = torch.tensor([1e-12, 0.025, 0.5, 0.9], dtype=torch.float64)
        >>> bool((normal_quantile(p) - torch.special.ndtri(p)).abs().max() < 1e-12)
        True
    """
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        quantile: Tensor = torch.special.ndtri(probability)
    else:
        quantile = _quantile(probability)
    return quantile


def _quantile(probability: Tensor) -> Tensor:
    q = probability - 0.5
    central = q * _ratio(0.180625 - q * q, _CENTRAL)
    r = (-torch.minimum(probability, 1 - probability).log()).sqrt()
    outer = torch.where(r <= 5, _ratio(r - 1.6, _MIDDLE), _ratio(r - 5, _TAIL))
    return torch.where(q.abs() <= 0.425, central, torch.where(q < 0, -outer, outer))


def _ratio(x: Tensor, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    """Ratio of two polynomials, their coefficients from the constant on."""
    values = []
    for polynomial in coefficients:
        value = torch.full_like(x, polynomial[-1])
        for coefficient in polynomial[-2::-1]:
            value = value * x + coefficient
        values.append(value)
    return values[0] / values[1]


_CENTRAL = (
    (
        3.3871328727963666080,
        133.14166789178437745,
        1971.5909503065514427,
        13731.693765509461125,
        45921.953931549871457,
        67265.770927008700853,
        33430.575583588128105,
        2509.0809287301226727,
    ),
    (
        1.0,
        42.313330701600911252,
        687.18700749205790830,
        5394.1960214247511077,
        21213.794301586595867,
        39307.895800092710610,
        28729.085735721942674,
        5226.4952788528545610,
    ),
)
_MIDDLE = (
    (
        1.42343711074968357734,
        4.63033784615654529590,
        5.76949722146069140550,
        3.64784832476320460504,
        1.27045825245236838258,
        0.241780725177450611770,
        0.0227238449892691845833,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187,
        1.67638483018380384940,
        0.689767334985100004550,
        0.148103976427480074590,
        0.0151986665636164571966,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_TAIL = (
    (
        6.65790464350110377720,
        5.46378491116411436990,
        1.78482653991729133580,
        0.296560571828504891230,
        0.0265321895265761230930,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        0.599832206555887937690,
        0.136929880922735805310,
        0.0148753612908506148525,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)
