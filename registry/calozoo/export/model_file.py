"""Export of a model: one file that other programs run, its record, and steering for ddsim."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from calozoo import api
from calozoo.export.ddsim import DDML_INTERFACES, steering
from calozoo.export.model_format import ModelFormat
from calozoo.export.onnx import Onnx
from calozoo.export.pt2 import Pt2
from calozoo.export.record import ExportedTensor, ExportRecord, read_record, record_path
from calozoo.export.torchscript import TorchScript
from calozoo.models import names
from calozoo.output_files import check_output_file
from calozoo_core.errors import CalozooError, InputError
from calozoo_core.io.atomic import atomic_path, check_is_a_name
from calozoo_core.weights import sha256

if TYPE_CHECKING:
    from calozoo_core.generator import Generator, ModelSpec
    from calozoo_core.nn.exported import ExportedModel

__all__ = ["TARGETS", "ModelExport", "export_model", "steering_path", "verify_file"]

FORMATS: Final[dict[str, ModelFormat]] = {one.name: one for one in (TorchScript(), Onnx(), Pt2())}


@dataclass(frozen=True)
class Target:
    """Program or format that models are exported for.

    Arguments:
        formats: Formats that it reads, the preferred one first; the suffix of the file chooses.
        interfaces: Interfaces that it knows; None for all.
    """

    formats: tuple[str, ...]
    interfaces: tuple[str, ...] | None = None

    def choices(self, served: tuple[str, ...]) -> tuple[str, ...]:
        """Interfaces that a model serves and this knows, the preferred one first."""
        return tuple(one for one in served if self.interfaces is None or one in self.interfaces)


TARGETS: Final = {
    "ddml": Target(("torchscript",), tuple(DDML_INTERFACES)),
    "onnx": Target(("onnx",)),
    "pt2": Target(("pt2",)),
    "par04": Target(("torchscript", "onnx"), ("par04",)),
}


@dataclass(frozen=True)
class ModelExport:
    """Exported model.

    Arguments:
        path: The file.
        record: Its record.
        steering: Steering for ddsim; None for files that are not for DDML.
    """

    path: Path
    record: ExportRecord
    steering: str | None


def export_model(
    name: str,
    out: Path,
    to: str | None,
    *,
    interface: str | None = None,
    opset: int | None = None,
    given: bool = False,
    weights: Path | None = None,
    offline: bool = False,
    overwrite: bool = False,
) -> ModelExport:
    """Write a model to a file that other programs run without calozoo.

    The file is compared with the generator, shower by shower, before it gets its name. Beside it
    are written its record, and for DDML the steering of ddsim.

    Arguments:
        name: Name of the model, as for `api.load`.
        out: The file.
        to: One of `TARGETS`.
        interface: Interface of the file; by default the first that model and target share.
        opset: Version of ONNX's operators; by default 20.
        given: Noise is an input of the file, for hosts with random numbers of their own.
        weights: Folder with other weights than the model's own.
        offline: Use no network.
        overwrite: Replace files that are already there.

    Raises:
        InputError: If the model, the target, the interface and the name of the file do not go
            together, or a library is missing.
        OutputExistsError: If a file is there and `overwrite` is not set.
        CalozooError: What loading the model raises.
    """
    spec = api.find_model(names.split_revision(name)[0], offline=offline)
    if to is None or to not in TARGETS:
        known = [f"to={target!r}" for target in (*TARGETS, "library")]
        what = "Say what the model is for" if to is None else f"No model is exported for {to}"
        msg = f"{what}: {', '.join(known[:-1])} or {known[-1]}."
        raise InputError(msg, argument=known)
    check_is_a_name(out)
    interface = _interface(spec, to, interface)
    file_format = _format(out, to)
    file_format.check_opset(opset)
    if given and file_format.has_both_entries:
        msg = f"A {file_format.name} file takes noise anyway, by its method given; leave out given."
        raise InputError(msg, argument="given")
    file_format.check_can_write()
    paths = [out, record_path(out)] + ([steering_path(out)] if to == "ddml" else [])
    for path in paths:
        check_output_file(path, overwrite=overwrite)
    generator = api.load(name, weights=weights, offline=offline)
    module = generator.exported(interface)
    if module.has_loops and not file_format.keeps_loops:
        msg = (
            f"{spec.name} loops over layers, which only TorchScript keeps; "
            f"give a .pt file, with to={_scripted(interface)!r}."
        )
        raise InputError(msg, argument=f"to={_scripted(interface)!r}")
    text = steering(spec, interface, out) if to == "ddml" else None
    with ExitStack() as stack:
        # The file itself comes first and is renamed last: who sees it sees the others too.
        parts = [stack.enter_context(atomic_path(path)) for path in paths]
        file_format.write(module, parts[0], given=given, opset=opset)
        _check_file(generator, module, file_format, parts[0], given=given)
        both = file_format.has_both_entries
        record = ExportRecord(
            file=out.name,
            bytes=parts[0].stat().st_size,
            sha256=sha256(parts[0]),
            format=file_format.name,
            entries=("forward", "given") if both else ("given",) if given else ("forward",),
            revision=None if weights else api.pull(name, offline=offline).commit,
            versions={"calozoo": version("calozoo")} | file_format.versions(),
            opset=opset or file_format.default_opset,
            **_described(generator, module),
        )
        parts[1].write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if text is not None:
            parts[2].write_text(text, encoding="utf-8")
    return ModelExport(out, record, text)


def verify_file(path: Path) -> ExportRecord:
    """Compare an exported file with its record, and load it as the program that runs it does.

    Raises:
        ShowerFileError: If the file or its record is missing.
        WeightsError: If the file was changed, or cannot be loaded.
        InputError: If what runs it is not installed.
    """
    record = read_record(path)
    record.check(path)
    file_format = FORMATS[record.format]
    file_format.check_can_run()
    file_format.open(path)
    return record


def steering_path(out: Path) -> Path:
    """Name of the steering for ddsim beside an exported file.

    Example:
        >>> steering_path(Path("photons.pt")).name
        'photons_ddsim.py'
    """
    return out.with_name(f"{out.stem}_ddsim.py")


def _interface(spec: ModelSpec, to: str, asked: str | None) -> str:
    """Interface of the file.

    Raises:
        InputError: If model and target share none, or not this one.
    """
    served = names.find_factory(spec).interfaces
    choices = TARGETS[to].choices(served)
    if choices and asked in (None, *choices):
        return asked or choices[0]
    if choices:
        msg = f"For {to}, {spec.name} has interface={' or interface='.join(choices)}, not {asked}."
        raise InputError(msg, argument=[f"interface={one}" for one in choices])
    library = "write a library of its showers with to='library'"
    others = [f"to={target!r}" for target, one in TARGETS.items() if one.choices(served)]
    reason = (
        f"does not fit {to}; export it with {', '.join(others)}, or"
        if others
        else ("has no module of whole showers that a file could hold;")
    )
    msg = f"{spec.name} {reason} {library}."
    raise InputError(msg, argument=[*others, "to='library'"])


def _scripted(interface: str) -> str:
    """Target that reads an interface from TorchScript."""
    return next(
        target
        for target, one in TARGETS.items()
        if "torchscript" in one.formats and interface in one.choices((interface,))
    )


def _format(out: Path, to: str) -> ModelFormat:
    """Format of the file, by its suffix.

    Raises:
        InputError: If the target reads no such files.
        CalozooError: If it is a folder.
    """
    formats = [FORMATS[name] for name in TARGETS[to].formats]
    for one in formats:
        if out.suffix == one.suffix:
            return one
    if out.is_dir():
        msg = f"{out} is a folder; give the name of a file."
        raise CalozooError(msg)
    suffixes = " or ".join(one.suffix for one in formats)
    msg = f"A file for {to} ends in {suffixes}; call it {out.with_suffix(formats[0].suffix)}."
    raise InputError(msg)


def _check_file(
    generator: Generator,
    module: ExportedModel,
    file_format: ModelFormat,
    path: Path,
    *,
    given: bool,
) -> None:
    """Compare a file with its generator; its own noise is compared by the module that it is of."""
    from calozoo.export.comparison import (
        check_against_generator,
        check_form,
        difference_from_generator,
        references,
    )

    name, run = generator.spec.name, file_format.open(path)
    differences = []
    for reference in references(generator, module):
        if given or file_format.has_both_entries:
            output = run(reference.inputs, reference.noise)
        else:
            output = reference.of_module(module)
        differences.append(difference_from_generator(output, reference, module))
        if not given:
            check_form(run(reference.inputs, None), module, name)
    check_against_generator(differences, name)


def _described(generator: Generator, module: ExportedModel) -> dict[str, Any]:
    """Fields of the record that are the model's, not the file's."""
    import json
    import tempfile

    from calozoo_core.weights import CONFIG_FILE, WEIGHT_FILES

    spec = generator.spec
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        generator.save(folder)
        weights = {name: sha256(folder / name) for name in WEIGHT_FILES}
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return {
        "interface": module.interface,
        "model": spec.name,
        "summary": spec.summary,
        "weights": weights,
        "calibration": config.get("calibration"),
        "license": spec.license,
        "papers": spec.papers,
        "detector": spec.detector,
        "representation": spec.representation,
        "conditions": spec.conditions,
        "inputs": tuple(
            ExportedTensor(name=one.name, shape=(1, len(one.example)), content=one.content)
            for one in module.inputs
        ),
        "noise": tuple(
            ExportedTensor(name=one.name, shape=one.shape, content=one.distribution)
            for one in module.noise
        ),
        "output": ExportedTensor(name="shower", shape=module.output_shape, content=module.output),
        "candidates": module.candidates,
    }
