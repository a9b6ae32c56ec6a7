"""Histogram of an observable, kept in blocks of showers so that its errors can be found.

It follows UHI's PlottableProtocol, so that `mplhep.histplot` draws it, and `to_hist` converts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from calozoo_core.errors import CalozooError
from calozoo_core.observables.definitions import Observable
from calozoo_core.typing import FloatArray

if TYPE_CHECKING:
    import hist

__all__ = ["AxisTraits", "Histogram", "HistogramAxis"]


class AxisTraits(NamedTuple):
    """Kind of an axis, as UHI asks for it.

    Arguments:
        circular: True if the last bin is beside the first.
        discrete: True if bins stand for values, not for ranges.
    """

    circular: bool = False
    discrete: bool = False


@dataclass(frozen=True, eq=False)
class HistogramAxis:
    """Axis of a histogram, as UHI asks for it: a sequence of bins (lower edge, upper edge).

    Arguments:
        edges: Edges of the bins, shape (bins + 1,).
        label: Quantity and unit.
    """

    edges: FloatArray
    label: str
    traits: ClassVar[AxisTraits] = AxisTraits()

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __getitem__(self, index: int) -> tuple[float, float]:
        return float(self.edges[:-1][index]), float(self.edges[1:][index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HistogramAxis) and np.array_equal(self.edges, other.edges)

    __hash__ = None  # type: ignore[assignment]  # as of an array, whose values may change


@dataclass(frozen=True, eq=False, repr=False)
class Histogram:
    """Histogram of an observable over a sample of showers.

    Arguments:
        observable: What was filled, and into which bins.
        blocks: Contents, with both flow bins, by block of showers, shape (n_blocks, bins + 2).
        showers: Showers of each block, shape (n_blocks,).
        left_out: Showers that do not have this quantity, such as the centre of an empty one.
    """

    kind: ClassVar[Literal["COUNT"]] = "COUNT"

    observable: Observable
    blocks: FloatArray
    showers: FloatArray
    left_out: int

    def __repr__(self) -> str:
        return (
            f"<Histogram {self.observable.name}: {len(self.edges) - 1} bins of "
            f"{self.observable.label}, {self.n_showers} showers>"
        )

    @property
    def axes(self) -> tuple[HistogramAxis]:
        """Its one axis."""
        return (HistogramAxis(self.edges, self.observable.label),)

    def values(self) -> FloatArray:
        """Contents without the flow bins, shape (bins,)."""
        return self.contents

    def variances(self) -> FloatArray:
        """Variance of `values()`, from the scatter between blocks of showers, shape (bins,)."""
        return self._variances()[1:-1]

    def counts(self) -> FloatArray:
        """Effective number of entries, values squared over variances, shape (bins,)."""
        if self.observable.weight is None:
            return self.values()
        variances = self.variances()
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(variances > 0, self.values() ** 2 / variances, 0.0)

    def to_hist(self) -> hist.Hist[Any]:
        """Histogram of the package hist, with `Weight` storage and both flow bins.

        Raises:
            CalozooError: If hist is not installed (`pip install calozoo-core[hist]`).
        """
        try:
            import hist
        except ImportError as error:
            msg = "This needs hist; type `pip install 'calozoo-core[hist]'`."
            raise CalozooError(msg) from error
        axis = hist.axis.Variable(self.edges, label=self.observable.label)
        made = hist.Hist(axis, storage=hist.storage.Weight(), name=self.observable.name)
        view = made.view(flow=True)
        view["value"], view["variance"] = self.blocks.sum(axis=0), self._variances()
        return made

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins, shape (bins + 1,)."""
        return self.observable.binning.edges

    @property
    def n_showers(self) -> int:
        """Showers that have this quantity."""
        return int(self.showers.sum()) - self.left_out

    @property
    def contents(self) -> FloatArray:
        """Contents without the flow bins, shape (bins,)."""
        contents: FloatArray = self.blocks.sum(axis=0)[1:-1]
        return contents

    @property
    def per_shower(self) -> FloatArray:
        """Mean contents of a shower, shape (bins,); zero if there is none."""
        mean: FloatArray = self.contents / max(self.showers.sum(), 1)
        return mean

    @property
    def error(self) -> FloatArray:
        """Standard error of `per_shower`, from the scatter between blocks, shape (bins,).

        Deposits of one shower go together, so that the root of their number would be too small.
        """
        error: FloatArray = np.sqrt(self.variances()) / max(self.showers.sum(), 1)
        return error

    def _variances(self) -> FloatArray:
        """Variance of the contents with both flow bins, shape (bins + 2,)."""
        filled = self.showers > 0
        if filled.sum() < 2:
            return np.zeros(self.blocks.shape[1])
        # Of a ratio of sums: how far each block is from what its showers would have on average.
        per_shower = self.blocks.sum(axis=0) / self.showers.sum()
        away = self.blocks[filled] - self.showers[filled, None] * per_shower
        factor = filled.sum() / (filled.sum() - 1)
        variances: FloatArray = factor * (away**2).sum(axis=0)
        return variances
