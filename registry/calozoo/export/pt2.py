"""Graphs of `torch.export` (.pt2): what loads in torch without the code of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.export.model_format import Array, ModelFormat, Run, unreadable
from calozoo.export.torch_messages import silent_torch

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from calozoo_core.nn.exported import ExportedModel

__all__ = ["Pt2", "exported_graph"]


class Pt2(ModelFormat):
    """Graph of `torch.export`: the shower of its own noise, or of the noise it is given."""

    name = "pt2"
    suffix = ".pt2"
    libraries = ("torch",)

    def write(self, module: ExportedModel, path: Path, *, given: bool, opset: int | None) -> None:
        import torch

        graph = exported_graph(module, given=given)
        with silent_torch(), path.open("wb") as file:
            torch.export.save(graph, file)

    def open(self, path: Path) -> Run:
        import torch

        with silent_torch():
            try:
                module = torch.export.load(str(path)).module()
            except Exception as error:  # of any class: it unpacks, unpickles and rebuilds
                raise unreadable(path, f"torch {torch.__version__}", error) from error

        def run(inputs: Sequence[Array], noise: Sequence[Array] | None) -> Array:
            tensors = [torch.from_numpy(array) for array in (*inputs, *(noise or ()))]
            with torch.inference_mode():
                shower: Array = module(*tensors).numpy()
                return shower

        return run


def exported_graph(module: ExportedModel, *, given: bool) -> ExportedProgram:
    """Graph of a module that makes a shower of its own noise, or of the noise it is given.

    Arguments:
        module: The module.
        given: Noise is an input, one tensor each, behind the others.
    """
    import torch

    inputs = module.example()
    with silent_torch(), torch.no_grad():
        if not given:
            return torch.export.export(module, tuple(inputs), strict=False)
        return torch.export.export(
            _with_noise(module, len(inputs)), (*inputs, *module.draw()), strict=False
        )


def _with_noise(module: ExportedModel, n_inputs: int) -> Any:
    """Module whose `forward` takes each noise as an argument of its own."""
    from torch import Tensor, nn

    class WithNoise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: Tensor) -> Tensor:
            shower: Tensor = module.given(*tensors[:n_inputs], list(tensors[n_inputs:]))  # type: ignore[operator]
            return shower

    return WithNoise().eval()
