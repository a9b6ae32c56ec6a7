"""Reports of evaluations as a JSON file, whole or not there at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from calozoo.evaluation.evaluate import Report
from calozoo_core.errors import CalozooError, OutputExistsError
from calozoo_core.io.atomic import write_atomic

__all__ = ["check_report", "read_reports", "report_text", "write_report"]

_REPORTS = TypeAdapter(tuple[Report, ...])


def report_text(reports: Sequence[Report]) -> str:
    """Reports as a JSON array, one entry a generated sample."""
    return _REPORTS.dump_json(tuple(reports), indent=2).decode() + "\n"


def read_reports(path: Path) -> tuple[Report, ...]:
    """The reports in a JSON file.

    Raises:
        CalozooError: If the file is missing, or is none of ours.
    """
    try:
        return _REPORTS.validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read: {str(error.strerror).lower()}."
        raise CalozooError(msg) from error
    except ValidationError as error:
        msg = f"{path} is no report; make it with `calozoo evaluate GEN --reference REF --json F`."
        raise CalozooError(msg) from error


def check_report(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a file that could not be written, before the work is done.

    Raises:
        OutputExistsError: If the file is there and `overwrite` is not set.
        CalozooError: If it is a folder, or there is none for it.
    """
    if path.is_dir():
        msg = f"{path} is a folder; give the name of a file."
        raise CalozooError(msg)
    if path.exists() and not overwrite:
        msg = f"{path} is already there. Add --overwrite to replace it."
        raise OutputExistsError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}; make it, or choose another --json."
        raise CalozooError(msg)


def write_report(path: Path, reports: Sequence[Report]) -> None:
    """Write reports to a file.

    Raises:
        CalozooError: If it cannot be written.
    """
    try:
        write_atomic(path, report_text(reports))
    except OSError as error:
        msg = f"{path} cannot be written: {str(error.strerror).lower()}."
        raise CalozooError(msg) from error
