"""Checks of the plugins and of their models, none of which is imported in this process."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from calozoo.doctor.finding import Finding
from calozoo.doctor.subprocess_check import Job, run_jobs
from calozoo.models import discovery
from calozoo.models.discovery import Plugin, Registration
from calozoo_core.generator import ModelSpec

__all__ = ["Zoo", "import_plugin"]

ORDER = ("model", "weights", "card")
"""Of what is looked at in a model, one after the other for all models."""


@dataclass(frozen=True)
class Visit:
    """A plugin that was imported in another process.

    Arguments:
        number: Of its entry point, among the installed ones.
        distribution: The distribution it came with.
        version: Of that.
        specs: Its models.
        hooks: Those it implements.
        faults: What of it cannot be used, and what to type.
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
class Zoo:
    """The installed plugins, none of which is imported here.

    Arguments:
        limit: Seconds that each import may take.
    """

    limit: float

    def check_plugins(self) -> Iterator[Finding]:
        """Whether every plugin can be imported, and brings models for this calozoo."""
        for visit in self.visits:
            for fault, advice in visit.faults:
                yield Finding("plugin", visit.owner, "broken", fault.removesuffix("."), advice)
            if not visit.faults:
                models = ", ".join(spec.name for spec in visit.specs) or "no models"
                hooks = ", ".join(visit.hooks) or "no hook"
                apis = ", ".join(sorted({str(spec.plugin_api) for spec in visit.specs})) or "-"
                detail = f"{models}; plugin API {apis}, {hooks}"
                yield Finding("plugin", visit.owner, "ok", detail)
        for claims in self._claims().values():
            if len(claims) > 1:
                detail = str(discovery.conflict(claims)).removesuffix(".")
                yield Finding("plugin", claims[0].spec.name, "broken", detail)
        yield from self._not_loaded()

    def check_models(self) -> Iterator[Finding]:
        """Whether each model's code, needs, weights and card are as they should be."""
        pairs = [(visit, spec.name) for visit in self.visits for spec in visit.specs]
        jobs = [
            Job("calozoo.doctor.model:examine", {"number": visit.number, "name": name})
            for visit, name in pairs
        ]
        found = []
        for (visit, name), answer in zip(pairs, run_jobs(jobs, self.limit), strict=True):
            if answer.trouble:
                detail, advice = f"its code {answer.trouble}", discovery.remedy(visit.distribution)
                found.append(Finding("model", name, "broken", detail, advice))
            else:
                found += [Finding(**one) for one in answer.value]
        yield from sorted(found, key=lambda one: ORDER.index(one.check))

    @cached_property
    def visits(self) -> list[Visit]:
        """Every plugin that `CALOZOO_LOAD_PLUGINS` does not leave out."""
        wanted = discovery.chosen(os.environ)
        numbered = [
            (number, plugin)
            for number, plugin in enumerate(self._installed)
            if wanted is None or discovery.canonical(plugin.distribution) in wanted
        ]
        jobs = [Job(f"{__name__}:import_plugin", {"number": number}) for number, _ in numbered]
        visits = []
        for (number, plugin), answer in zip(numbered, run_jobs(jobs, self.limit), strict=True):
            visit = Visit(number, plugin.distribution, plugin.version)
            if answer.trouble:
                fault = (
                    f"importing {plugin.module} {answer.trouble}",
                    discovery.remedy(visit.distribution),
                )
                visits.append(replace(visit, faults=(fault,)))
                continue
            found = answer.value
            specs = tuple(ModelSpec.model_validate(spec) for spec in found["specs"])
            hooks, faults = tuple(found["hooks"]), tuple(map(tuple, found["faults"]))
            visits.append(replace(visit, specs=specs, hooks=hooks, faults=faults))
        return visits

    @cached_property
    def _installed(self) -> tuple[Plugin, ...]:
        """What is installed, with all of it left out."""
        return discovery.discover(discovery.installed(), {"CALOZOO_LOAD_PLUGINS": ""}).plugins

    def _claims(self) -> dict[str, list[Registration]]:
        claims = defaultdict(list)
        for visit in self.visits:
            for spec in visit.specs:
                claims[spec.name].append(Registration(spec, visit.distribution, visit.version))
        return claims

    def _not_loaded(self) -> Iterator[Finding]:
        """What `CALOZOO_LOAD_PLUGINS` leaves out, or names in vain; and that there is nothing."""
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
    """What a plugin brings, imported for that.

    Arguments:
        number: Of its entry point, among the installed ones.
    """
    found = discovery.discover([discovery.installed()[number]], {})
    return {
        "specs": [one.spec.model_dump(mode="json") for one in found.models.values()],
        "hooks": [hook for plugin in found.plugins for hook in plugin.hooks],
        "faults": [(failure.reason, failure.advice) for failure in found.failures],
    }
