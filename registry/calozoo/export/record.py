"""Record of an exported model: a JSON file beside it, by which it is known again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from calozoo.export.model_format import FormatName
from calozoo_core.errors import ShowerFileError, WeightsError
from calozoo_core.generator import Conditions
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import sha256

__all__ = ["FRAME", "UNITS", "ExportRecord", "ExportedTensor", "read_record", "record_path"]

FRAME = (
    "local, right-handed: origin where the primary crosses the face of the calorimeter, z' into "
    "it, x' along the magnetic field; DDML's has x' and y' negated"
)
UNITS = {
    "incident energy": "GeV",
    "length": "mm",
    "angle": "degree",
    "deposit in ddml-points": "MeV",
    "deposit in ddml-x9 and par04": "GeV",
}
MAX_BYTES = 1 << 20


class ExportedTensor(StrictModel):
    """Tensor that goes into a file or comes out of it, float32.

    Arguments:
        name: Name of the tensor.
        shape: Shape of the tensor.
        content: Content and unit.
    """

    name: str
    shape: tuple[int, ...]
    content: str


class ExportRecord(StrictModel):
    """Record of an exported model.

    Arguments:
        file: Name of the file.
        bytes: Size of the file.
        sha256: Digest of the file.
        format: Format of the file.
        interface: Interface of the file.
        entries: Entries of the file: "forward" draws its own noise, "given" takes it.
        model: Name of the model.
        summary: What the model is.
        revision: Commit of the weights on the Hub; None for those of the plugin or a folder.
        weights: sha256 of the weights files, by name.
        calibration: Calibration in the model's configuration.
        license: SPDX name.
        papers: Where the model is described.
        detector: Detector of the showers.
        representation: Representation of the points.
        conditions: What the model was trained on.
        frame: Frame of directions and positions.
        units: Units.
        inputs: Tensors of `forward`, in their order.
        noise: Tensors that `given` takes behind them.
        output: Tensor that both return.
        candidates: Showers drawn at once, of which the first good one is taken.
        versions: Versions of calozoo and of the libraries that wrote the file.
        opset: Version of ONNX's operators; None in other formats.
    """

    file: str
    bytes: int
    sha256: str
    format: FormatName
    interface: str
    entries: tuple[Literal["forward", "given"], ...]
    model: str
    summary: str
    revision: str | None
    weights: dict[str, str]
    calibration: dict[str, Any] | None
    license: str
    papers: tuple[str, ...]
    detector: str
    representation: str
    conditions: Conditions
    frame: str = FRAME
    units: dict[str, str] = UNITS
    inputs: tuple[ExportedTensor, ...]
    noise: tuple[ExportedTensor, ...]
    output: ExportedTensor
    candidates: int
    versions: dict[str, str]
    opset: int | None

    def check(self, path: Path) -> None:
        """Make sure that a file is the one of this record.

        Raises:
            WeightsError: If it has other bytes.
        """
        found = sha256(path)
        if found != self.sha256:
            msg = (
                f"{path} is not the file that {record_path(path).name} describes: its sha256 is "
                f"{found[:12]}..., not {self.sha256[:12]}...; export {self.model} again."
            )
            raise WeightsError(msg)


def record_path(path: Path) -> Path:
    """Name of the record of an exported file.

    Example:
        >>> record_path(Path("photons.pt")).name
        'photons.pt.json'
    """
    return path.with_name(f"{path.name}.json")


def read_record(path: Path) -> ExportRecord:
    """Record beside an exported file.

    Raises:
        ShowerFileError: If the file or its record is missing, or the record is none.
    """
    if not path.is_file():
        msg = f"There is no file {path}."
        raise ShowerFileError(msg)
    record = record_path(path)
    try:
        with record.open("rb") as file:
            return ExportRecord.model_validate_json(file.read(MAX_BYTES))
    except ValidationError as error:
        msg = f"{record} is no record of an exported model; export the model again."
        raise ShowerFileError(msg) from error
    except OSError as error:
        reason = str(error.strerror).lower()
        msg = f"{path} has no record {record} ({reason}); export the model again."
        raise ShowerFileError(msg) from error
