"""Wrappers: generators that correct the showers of any other model.

A plugin registers a `WrapperSpec` with the hook `register_wrappers`. From then on, `NAME+SUFFIX` is
a model for every model `NAME`, and its generator gets that of `NAME` as its source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field, StringConstraints

from calozoo_core.specs import ModelSpec, ObjectPath
from calozoo_core.strict_model import StrictModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from calozoo_core.generator import Generator

__all__ = ["WrapperFitter", "WrapperResult", "WrapperSpec"]

Table = Sequence[Sequence[str]]


class WrapperSpec(StrictModel):
    """Description of a wrapper, which can be read without importing its code.

    Arguments:
        suffix: End of the name of a wrapped model, as "+refined".
        summary: One sentence that follows "NAME, "; it describes what the wrapper does.
        factory: Generator class, as `package.module:Class`. Its `load` takes the generator of the
            wrapped model as the keyword argument `source`.
        fitter: Function that fits a wrapper to reference showers, a `WrapperFitter`, as
            `package.module:function`; None if there is nothing to fit.
        plugin_api: Version of the plugin contract that the wrapper was written for.

    Example:
        >>> spec = WrapperSpec(suffix="+half", summary="half as bright.", factory="half.model:Half")
        >>> spec.suffix, spec.fitter
        ('+half', None)
    """

    suffix: Annotated[str, StringConstraints(pattern=r"^\+[a-z0-9][a-z0-9_-]*$")]
    summary: str = Field(min_length=1)
    factory: ObjectPath
    fitter: ObjectPath | None = None
    plugin_api: int = 1

    def wrapped(self, model: ModelSpec) -> ModelSpec:
        """Spec of the wrapped model.

        Its weights, if the plugin of `model` ships any, lie in the folder of the model's weights
        with the suffix appended.

        Arguments:
            model: Spec of the model whose showers are corrected.
        """
        return model.model_copy(
            update={
                "name": model.name + self.suffix,
                "aliases": (),
                "summary": f"{model.name}, {self.summary}",
                "factory": self.factory,
                "weights": None if model.weights is None else model.weights + self.suffix,
                "trainer": None,
                "converter": None,
                "source": model.name,
            }
        )


class WrapperResult(Protocol):
    """Outcome of a fit: what was measured before and after, as text, tables, JSON and figure."""

    @property
    def summary(self) -> Sequence[str]:
        """Sentences on what was fitted."""

    @property
    def tables(self) -> Sequence[Table]:
        """Tables of rows of text, the header first."""

    def to_json(self) -> str:
        """JSON object with all numbers."""

    def figure(self) -> Figure:
        """Figure of the model before and after; needs matplotlib."""


class WrapperFitter(Protocol):
    """Function that fits a wrapper of a model to reference showers and writes its weights."""

    def __call__(
        self,
        model: Generator,
        reference: Sequence[Path],
        out: Path,
        *,
        overwrite: bool = False,
        on_start: Callable[[int], None] = ...,
        on_showers: Callable[[int], None] = ...,
        **options: Any,
    ) -> WrapperResult:
        """Fit the wrapper.

        Arguments:
            model: Generator whose showers are corrected.
            reference: Shower files, or folders of them.
            out: Folder for `config.json` and `model.safetensors`.
            overwrite: Replace weights that are already there.
            on_start: Called once with the number of showers to process.
            on_showers: Called with the number of showers of each batch.
            options: Options of this fitter.

        Raises:
            CalozooError: If the showers do not suit the model, or the folder is in use.
        """
