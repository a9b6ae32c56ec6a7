"""Checks of one model, in a process of its own: code, needs, weights, card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from calozoo.benchmark.measurements import Measurements, read_measurements
from calozoo.cards.card import MEASUREMENTS, own_cards
from calozoo.doctor.finding import Finding
from calozoo.hub.cache import CachedRepo, default_cache
from calozoo.models import discovery
from calozoo.models.discovery import Registration
from calozoo.models.index import read_index
from calozoo.models.names import find_factory
from calozoo.models.weights import bundled_folder
from calozoo_core.errors import CalozooError
from calozoo_core.generator import ModelSpec
from calozoo_core.weights import TENSORS_FILE, sha256

__all__ = ["examine"]


def examine(number: int, name: str) -> list[dict[str, Any]]:
    """All there is to say of a model.

    Arguments:
        number: Of its plugin's entry point, among the installed ones.
        name: The model's.
    """
    registration = discovery.discover([discovery.installed()[number]], {}).models[name]
    return [asdict(finding) for finding in _findings(registration)]


def _findings(registration: Registration) -> Iterator[Finding]:
    checks = {"model": _check_code, "weights": _check_weights, "card": _check_card}
    for name, check in checks.items():
        try:
            finding = check(registration)
        except Exception as error:
            reason = f"looking at it raised {type(error).__name__}: {' '.join(str(error).split())}"
            advice = discovery.remedy(registration.distribution)
            finding = Finding(name, registration.spec.name, "broken", reason, advice)
        if finding is not None:
            yield finding


def _check_code(registration: Registration) -> Finding:
    """Whether a model's code can be imported, and has what it needs beside its package."""
    spec = registration.spec
    try:
        factory = find_factory(spec)
    except CalozooError as error:
        advice = discovery.remedy(registration.distribution)
        return Finding("model", spec.name, "broken", str(error).removesuffix("."), advice)
    try:
        factory.check_machine(spec)
    except CalozooError as error:
        return Finding("model", spec.name, "broken", str(error).removesuffix("."))
    return Finding("model", spec.name, "ok", f"{spec.factory} is there with all it needs")


def _check_weights(registration: Registration) -> Finding | None:
    """Whether the weights that are taken by default are those that the index knows."""
    spec, entry = registration.spec, read_index().get(registration.spec.name)
    if spec.weights is None:
        return None
    folder, is_pulled = _weights(registration)
    mend = discovery.remedy(registration.distribution)
    if folder is None:
        if entry is None or entry.revision is None:
            detail = "its plugin brings none, and none are published"
            return Finding("weights", spec.name, "broken", detail, mend)
        advice = f"type `calozoo pull {spec.name}`"
        return Finding("weights", spec.name, "warning", "not pulled yet", advice)
    source = f"bundled with {registration.distribution} {registration.version}"
    if is_pulled:
        source = f"pulled, {folder.name[:12]}"
        mend = f"type `calozoo rm {spec.name}`, then `calozoo pull {spec.name}`"
    if entry is None or not (is_pulled or entry.version == registration.version):
        detail = f"{source}, of which the index knows no hashes"
        return Finding("weights", spec.name, "ok", detail)
    for name, digest in entry.sha256.items():
        if sha256(folder / name) != digest:
            detail = f"{folder / name} does not have the sha256 that the index has"
            return Finding("weights", spec.name, "broken", detail, mend)
    return Finding("weights", spec.name, "ok", f"{source}, as the index has them")


def _check_card(registration: Registration) -> Finding:
    """Whether a model was measured with the weights that it has."""
    spec = registration.spec
    again = f"type `calozoo benchmark {spec.name} --out cards`"
    path = next((path for path in _measurements(spec) if path.is_file()), None)
    if path is None:
        return Finding("card", spec.name, "skipped", "it has none", again)
    try:
        measured = read_measurements(path)
    except CalozooError as error:
        return Finding("card", spec.name, "broken", str(error).removesuffix("."), again)
    folder, _ = _weights(registration)
    if folder is None:
        return Finding("card", spec.name, "ok", "there are no weights to compare it with")
    fault = _other_weights(measured, folder)
    if fault:
        return Finding("card", spec.name, "broken", fault, again)
    how = "sha256" if measured.weights_sha256 else "size, as it has no hash"
    return Finding("card", spec.name, "ok", f"measured with these weights, by their {how}")


def _weights(registration: Registration) -> tuple[Path | None, bool]:
    """The folder of the weights that are taken by default, and whether they were pulled."""
    entry = read_index().get(registration.spec.name)
    if entry is not None and entry.repo is not None and entry.revision is not None:
        cached = CachedRepo(default_cache(), entry.repo)
        if cached.has(entry.revision):
            return cached.snapshot(entry.revision), True
    return bundled_folder(registration.spec), False


def _measurements(spec: ModelSpec) -> Iterator[Path]:
    """Where a card may lie: among calozoo's, or in the folder `cards` of the plugin's package."""
    yield own_cards() / spec.name / MEASUREMENTS
    package = find_spec(spec.factory.partition(":")[0].partition(".")[0])
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place) / "cards" / spec.name / MEASUREMENTS


def _other_weights(measured: Measurements, folder: Path) -> str:
    """What tells that a model was measured with other weights; empty if nothing does."""
    for file, digest in (measured.weights_sha256 or {}).items():
        if not (folder / file).is_file() or sha256(folder / file) != digest:
            return f"it was measured with another {file}"
    size = (folder / TENSORS_FILE).stat().st_size
    if measured.weights_bytes != size:
        return f"it was measured with {measured.weights_bytes} bytes of weights; these are {size}"
    return ""
