"""Checks of the installed plugins and of their models, each imported in another process."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from calozoo.benchmark.measurements import Measurements, read_measurements
from calozoo.cards.card import MEASUREMENTS, own_cards
from calozoo.doctor.checks import Finding, Job, run_jobs
from calozoo.hub.cache import CachedRepo, default_cache
from calozoo.models import discovery
from calozoo.models.discovery import Plugin, Registration
from calozoo.models.index import read_index
from calozoo.models.names import find_factory
from calozoo.models.weights import bundled_folder
from calozoo_core.errors import CalozooError
from calozoo_core.generator import ModelSpec
from calozoo_core.weights import TENSORS_FILE, sha256

__all__ = ["PluginChecks", "examine_model", "import_plugin"]

ORDER = ("model", "weights", "card")
"""Order of the checks of models, each for all models."""


@dataclass(frozen=True)
class ImportedPlugin:
    """Plugin that was imported in another process.

    Arguments:
        number: Of its entry point, among the installed ones.
        distribution: The distribution it came with.
        version: Of that distribution.
        specs: Its models.
        hooks: Hooks that it implements.
        faults: What cannot be used of it, each with what to type.
    """

    number: int
    distribution: str
    version: str
    specs: tuple[ModelSpec, ...] = ()
    hooks: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def owner(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}".rstrip()


@dataclass
class PluginChecks:
    """Checks of all installed plugins, none of which is imported in this process.

    Arguments:
        limit: Seconds that each import may take.
    """

    limit: float

    def check_plugins(self) -> Iterator[Finding]:
        """Findings on every plugin: that it can be imported, and what it registers."""
        for plugin in self.imported:
            for fault, advice in plugin.faults:
                yield Finding("plugin", plugin.owner, "broken", fault.removesuffix("."), advice)
            if not plugin.faults:
                models = ", ".join(spec.name for spec in plugin.specs) or "no models"
                hooks = ", ".join(plugin.hooks) or "no hook"
                apis = ", ".join(sorted({str(spec.plugin_api) for spec in plugin.specs})) or "-"
                detail = f"{models}; plugin API {apis}, {hooks}"
                yield Finding("plugin", plugin.owner, "ok", detail)
        for claims in self._claims().values():
            if len(claims) > 1:
                detail = str(discovery.conflict(claims)).removesuffix(".")
                yield Finding("plugin", claims[0].spec.name, "broken", detail)
        yield from self._not_loaded()

    def check_models(self) -> Iterator[Finding]:
        """Findings on every model: its code, what that needs, its weights and its card."""
        pairs = [(plugin, spec.name) for plugin in self.imported for spec in plugin.specs]
        jobs = [
            Job(f"{__name__}:examine_model", {"number": plugin.number, "name": name})
            for plugin, name in pairs
        ]
        found = []
        for (plugin, name), answer in zip(pairs, run_jobs(jobs, self.limit), strict=True):
            if answer.trouble:
                detail, advice = f"its code {answer.trouble}", discovery.remedy(plugin.distribution)
                found.append(Finding("model", name, "broken", detail, advice))
            else:
                found += [Finding(**one) for one in answer.value]
        yield from sorted(found, key=lambda one: ORDER.index(one.check))

    @cached_property
    def imported(self) -> list[ImportedPlugin]:
        """The plugins that `CALOZOO_LOAD_PLUGINS` does not leave out."""
        wanted = discovery.chosen(os.environ)
        numbered = [
            (number, plugin)
            for number, plugin in enumerate(self._installed)
            if wanted is None or discovery.canonical(plugin.distribution) in wanted
        ]
        jobs = [Job(f"{__name__}:import_plugin", {"number": number}) for number, _ in numbered]
        found = []
        for (number, entry), answer in zip(numbered, run_jobs(jobs, self.limit), strict=True):
            advice = discovery.remedy(entry.distribution)
            specs: tuple[ModelSpec, ...] = ()
            hooks: tuple[str, ...] = ()
            if answer.trouble:
                faults = [(f"importing {entry.module} {answer.trouble}", advice)]
            else:
                specs = tuple(map(ModelSpec.model_validate, answer.value["specs"]))
                hooks = tuple(answer.value["hooks"])
                faults = [(reason, advice) for reason, advice in answer.value["faults"]]
            if answer.wrote_stdout:
                fault = f"importing {entry.module} writes to stdout, which is for data"
                faults.append((fault, advice))
            found.append(
                ImportedPlugin(
                    number, entry.distribution, entry.version, specs, hooks, tuple(faults)
                )
            )
        return found

    @cached_property
    def _installed(self) -> tuple[Plugin, ...]:
        """The installed entry points; none is loaded."""
        return discovery.discover(discovery.installed(), {"CALOZOO_LOAD_PLUGINS": ""}).plugins

    def _claims(self) -> dict[str, list[Registration]]:
        claims = defaultdict(list)
        for plugin in self.imported:
            for spec in plugin.specs:
                claims[spec.name].append(Registration(spec, plugin.distribution, plugin.version))
        return claims

    def _not_loaded(self) -> Iterator[Finding]:
        """Findings on plugins that `CALOZOO_LOAD_PLUGINS` leaves out, or that are not installed."""
        wanted = discovery.chosen(os.environ)
        here = {discovery.canonical(plugin.distribution) for plugin in self._installed}
        for name in sorted(here - wanted) if wanted is not None else ():
            advice = f"add {name} to it, or type `unset CALOZOO_LOAD_PLUGINS`"
            yield Finding("plugin", name, "skipped", "CALOZOO_LOAD_PLUGINS leaves it out", advice)
        for name in sorted((wanted or set()) - here):
            detail = "CALOZOO_LOAD_PLUGINS names it, and it is not installed"
            yield Finding("plugin", name, "broken", detail, f"type `pip install {name}`")
        if not here:
            advice = "type `pip install calozoo-toy`"
            yield Finding("plugin", "", "warning", "none is installed", advice)


def import_plugin(number: int) -> dict[str, Any]:
    """Models, hooks and faults of one plugin; this imports it.

    Arguments:
        number: Of its entry point, among the installed ones.
    """
    found = discovery.discover([discovery.installed()[number]], {})
    return {
        "specs": [one.spec.model_dump(mode="json") for one in found.models.values()],
        "hooks": [hook for plugin in found.plugins for hook in plugin.hooks],
        "faults": [(failure.reason, failure.advice) for failure in found.failures],
    }


def examine_model(number: int, name: str) -> list[dict[str, Any]]:
    """Findings on one model; this imports its plugin and its code.

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
    """Finding on the code of a model, and on what that needs outside its package."""
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
    """Finding on the default weights, compared with the hashes in the index."""
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
    """Finding on the card: that the model was measured with the weights it has."""
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
    """Paths of a model's measurements: among calozoo's cards, or in the plugin's `cards` folder."""
    yield own_cards() / spec.name / MEASUREMENTS
    package = find_spec(spec.factory.partition(":")[0].partition(".")[0])
    for place in (package and package.submodule_search_locations) or ():
        yield Path(place) / "cards" / spec.name / MEASUREMENTS


def _other_weights(measured: Measurements, folder: Path) -> str:
    """The sign that a model was measured with other weights; empty if there is none."""
    for file, digest in (measured.weights_sha256 or {}).items():
        if not (folder / file).is_file() or sha256(folder / file) != digest:
            return f"it was measured with another {file}"
    size = (folder / TENSORS_FILE).stat().st_size
    if measured.weights_bytes != size:
        return f"it was measured with {measured.weights_bytes} bytes of weights; these are {size}"
    return ""
