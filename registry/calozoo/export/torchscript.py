"""TorchScript files (.pt): what DDML and other programs with libtorch run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calozoo.export.model_format import Array, ModelFormat, Run, unreadable
from calozoo.export.torch_messages import silent_torch

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["TorchScript"]


class TorchScript(ModelFormat):
    """TorchScript: `forward`, and the method `given` that takes the noise as a list."""

    name = "torchscript"
    suffix = ".pt"
    libraries = ("torch",)
    has_both_entries = True
    keeps_loops = True

    def write(self, module: ExportedModel, path: Path, *, given: bool, opset: int | None) -> None:
        import torch

        module = copy.deepcopy(module)
        with silent_torch(), torch.inference_mode():
            for name, example in module.traced_parts().items():
                traced = torch.jit.trace(module.get_submodule(name), example)  # type: ignore[no-untyped-call]
                module.set_submodule(name, traced)
            torch.jit.script(module).save(str(path))  # type: ignore[no-untyped-call]

    def open(self, path: Path) -> Run:
        import torch

        with silent_torch():
            try:
                loaded = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
            except RuntimeError as error:
                raise unreadable(path, f"torch {torch.__version__}", error) from error
        module = loaded.eval()

        def run(inputs: Sequence[Array], noise: Sequence[Array] | None) -> Array:
            tensors = [torch.from_numpy(array) for array in inputs]
            with torch.inference_mode():
                if noise is None:
                    shower: Array = module(*tensors).numpy()
                else:
                    numbers = [torch.from_numpy(array) for array in noise]
                    shower = module.given(*tensors, numbers).numpy()
                return shower

        return run
