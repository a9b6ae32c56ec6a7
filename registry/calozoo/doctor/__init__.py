"""Checks of an installation: what is broken, and what to type.

A check that fails is a finding itself, and the others go on. Plugins, libraries and models are
imported in another process, with a limit on their time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calozoo.doctor import machine
from calozoo.doctor.checks import Finding, Status
from calozoo.doctor.plugins import PluginChecks
from calozoo.models.weights import is_offline

__all__ = ["Finding", "Status", "examine"]

HUB_LIMIT = 20.0
"""Most seconds to wait for the Hub."""

Check = Callable[[], Iterator[Finding]]


def examine(*, limit: float, offline: bool = False) -> Iterator[Finding]:
    """The findings of all checks, each as soon as it is there.

    Arguments:
        limit: Seconds that each import may take.
        offline: Leave out the check of the Hub.
    """
    plugins = PluginChecks(limit)
    checks: dict[str, Check] = {
        "python": machine.check_python,
        "packages": machine.check_packages,
        "library": lambda: machine.check_libraries(limit),
        "torch": lambda: machine.check_torch(limit),
        "kernels": machine.check_kernels,
        "threads": machine.check_threads,
        "plugin": plugins.check_plugins,
        "model": plugins.check_models,
        "cache": machine.check_cache,
        "pulled": machine.check_cached_files,
        "leftovers": machine.check_leftovers,
        "hub": lambda: machine.check_hub(min(limit, HUB_LIMIT)),
    }
    if offline or is_offline():
        checks["hub"] = _offline
    for name, check in checks.items():
        yield from _alone(name, check)


def _alone(name: str, check: Check) -> Iterator[Finding]:
    """The findings of a check, or the finding that it failed."""
    try:
        yield from check()
    except Exception as error:
        reason = " ".join(str(error).split())
        detail = f"this check failed: {type(error).__name__}: {reason}"
        yield Finding(name, "", "broken", detail, "the other checks went on; report this one")


def _offline() -> Iterator[Finding]:
    yield Finding("hub", "", "skipped", "not asked: offline")
