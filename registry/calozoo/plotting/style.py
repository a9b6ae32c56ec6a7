"""How all pictures of an evaluation look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calozoo.evaluation.evaluate import Evaluation

from calozoo_core.observables import ObservableAccumulator

__all__ = ["BAND", "FILL", "OUTLINE", "STYLE", "Curve", "curves"]

# Readable in one column of a paper with two.
STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 7.5,
    "axes.linewidth": 0.7,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.handlelength": 1.4,
    "mathtext.fontset": "dejavusans",
    "savefig.dpi": 200,
}

FILL, OUTLINE, BAND = "#d4d4d4", "#8a8a8a", "#9a9a9a"

# Told apart by everybody (Okabe and Ito), the strongest first.
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


@dataclass(frozen=True, eq=False)
class Curve:
    """One sample in a picture.

    Arguments:
        label: In the legend.
        tally: The sample.
        colour: Of its line.
    """

    label: str
    tally: ObservableAccumulator
    colour: str


def curves(evaluations: Sequence[Evaluation]) -> list[Curve]:
    """The generated samples, each with a name of its own."""
    names = [evaluation.report.generated.generator.partition(" ")[0] for evaluation in evaluations]
    stems = [Path(evaluation.report.generated.file).stem for evaluation in evaluations]
    return [
        Curve(
            label=name if names.count(name) == 1 else f"{name} ({stem})",
            tally=evaluation.generated,
            colour=COLOURS[i % len(COLOURS)],
        )
        for i, (name, stem, evaluation) in enumerate(zip(names, stems, evaluations, strict=True))
    ]
