"""ONNX files (.onnx): what ONNX Runtime runs, in C++ and elsewhere, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from calozoo.export.model_format import Array, ModelFormat, Run, unreadable
from calozoo.export.pt2 import exported_graph
from calozoo.export.torch_messages import silent_torch
from calozoo_core.errors import InputError

if TYPE_CHECKING:
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["DEFAULT_OPSET", "OPSETS", "Onnx"]

DEFAULT_OPSET = 20
OPSETS = range(18, 24)
"""Versions of ONNX's operators that can be written."""


class Onnx(ModelFormat):
    """ONNX: the shower of its own noise, or of the noise it is given."""

    name = "onnx"
    suffix = ".onnx"
    libraries = ("torch", "onnx", "onnxscript", "onnxruntime")
    reading_libraries = ("onnxruntime",)
    default_opset = DEFAULT_OPSET

    def check_opset(self, opset: int | None) -> None:
        if opset is not None and opset not in OPSETS:
            msg = (
                f"ONNX files are written for opset {OPSETS[0]} to {OPSETS[-1]}, not {opset}; "
                f"leave out opset for {DEFAULT_OPSET}."
            )
            raise InputError(msg, argument="opset")

    def write(self, module: ExportedModel, path: Path, *, given: bool, opset: int | None) -> None:
        import torch

        graph = exported_graph(module, given=given)
        names = [one.name for one in module.inputs]
        names += [one.name for one in module.noise] if given else []
        with silent_torch():
            program = torch.onnx.export(
                graph,
                dynamo=True,
                opset_version=opset or DEFAULT_OPSET,
                input_names=names,
                output_names=["shower"],
                verbose=False,
            )
            assert program is not None
            program.save(str(path), external_data=False)

    def open(self, path: Path) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own classes derive from nothing else
            raise unreadable(path, f"ONNX Runtime {onnxruntime.__version__}", error) from error
        names = [one.name for one in session.get_inputs()]

        def run(inputs: Sequence[Array], noise: Sequence[Array] | None) -> Array:
            feed = dict(zip(names, (*inputs, *(noise or ())), strict=True))
            shower: Array = session.run(None, feed)[0]
            return shower

        return run
