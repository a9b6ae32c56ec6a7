"""Sizes of the published CaloINN networks, and their numbers of parameters.

    python -m studies.caloinn.published_sizes

References:
    | CaloINN: https://arxiv.org/abs/2312.09290
    | CaloChallenge, table 2: https://arxiv.org/abs/2410.21611
"""

from __future__ import annotations

import argparse
import sys

import torch

from calozoo_caloinn.config import InnConfig, VaeConfig
from calozoo_caloinn.inn import Inn
from calozoo_caloinn.vae import Vae

__all__ = ["PUBLISHED", "count_parameters", "main"]

PUBLISHED: dict[str, tuple[InnConfig, VaeConfig | None]] = {
    "dataset-1-photons": (InnConfig(dim=373, batch_norm=True), None),
    "dataset-1-pions": (InnConfig(dim=540, batch_norm=True), None),
    "dataset-2": (InnConfig(dim=6525, blocks=14, spline="cubic", hidden_layers=2), None),
    "dataset-1-photons-vae": (
        InnConfig(dim=105, blocks=18, bound=20, hidden=32, hidden_layers=2, act_norm=False),
        VaeConfig(dim=368, conditions=6),
    ),
}
"""Submissions to the CaloChallenge: an invertible network each, one with an autoencoder in front.

Layer ratios and voxels: 5 + 368, 7 + 533 and 45 + 6480; behind the autoencoder 5 + 2 x 50.
"""


def count_parameters(name: str, *, to_generate: bool = False) -> int:
    """Number of parameters of a published network.

    Arguments:
        name: Key of `PUBLISHED`.
        to_generate: Leave out the encoder, which generation does not use.

    Example:
        >>> count_parameters("dataset-1-photons")
        18821350
    """
    inn, vae = PUBLISHED[name]
    with torch.device("meta"):
        modules: list[torch.nn.Module] = [Inn(inn)]
        if vae is not None:
            modules.append(Vae(vae).decoder if to_generate else Vae(vae))
    return sum(p.numel() for module in modules for p in module.parameters())


def main() -> None:
    """Print the numbers of parameters."""
    description = "Count the parameters of the published CaloINN networks."
    argparse.ArgumentParser(description=description).parse_args()
    for name in PUBLISHED:
        sys.stdout.write(f"{name:24s} {count_parameters(name):12,d}\n")


if __name__ == "__main__":
    main()
