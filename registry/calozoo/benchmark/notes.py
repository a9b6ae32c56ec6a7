"""What people have to say about a model, beside what was measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from calozoo import api
from calozoo.benchmark.measurements import Measurements, read_measurements
from calozoo.models import names
from calozoo_core.errors import CalozooError, InputError

__all__ = ["notes_by_model", "with_notes"]


def notes_by_model(
    notes: Sequence[tuple[str, str]], models: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Lines by the full name of the model they are about.

    Arguments:
        notes: Model and line.
        models: Those that are measured.

    Raises:
        ModelNameError: If no model is called so.
        InputError: If the model is not measured.
    """
    measured = {api.find_model(names.split_revision(name)[0]).name for name in models}
    found: dict[str, tuple[str, ...]] = {}
    for model, line in notes:
        name = api.find_model(model).name
        if name not in measured:
            msg = f"A note is about {name}, which is not measured; name it, or leave the note out."
            raise InputError(msg)
        found[name] = (*found.get(name, ()), line)
    return found


def with_notes(
    measurements: Measurements, notes: Mapping[str, tuple[str, ...]], cards: Path | None
) -> Measurements:
    """Measurements with a model's lines, or with those of the card that they replace."""
    lines = notes.get(measurements.spec.name)
    if lines is None and cards is not None:
        lines = _lines_of(cards / measurements.spec.name / "measurements.json")
    return measurements.model_copy(update={"notes": lines or ()})


def _lines_of(path: Path) -> tuple[str, ...]:
    try:
        return read_measurements(path).notes
    except CalozooError:
        return ()
