"""Looks over an installation: what is broken, and what to type.

Each check stands alone: one that fails itself is a finding, and the others go on. Whatever a
stranger wrote is imported in a process of its own, with a limit on its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calozoo.doctor import cache, machine
from calozoo.doctor.finding import Finding, Status
from calozoo.doctor.models import Zoo
from calozoo.models.weights import is_offline

__all__ = ["Finding", "Status", "examine"]

HUB_LIMIT = 20.0
"""Seconds after which nobody waits for the Hub any longer."""

Check = Callable[[], Iterator[Finding]]


def examine(*, limit: float, offline: bool = False) -> Iterator[Finding]:
    """Every finding, as soon as it is there.

    Arguments:
        limit: Seconds that importing one thing may take.
        offline: Leave out the Hub.
    """
    zoo = Zoo(limit)
    checks: dict[str, Check] = {
        "python": machine.check_python,
        "packages": machine.check_packages,
        "library": lambda: machine.check_libraries(limit),
        "torch": lambda: machine.check_torch(limit),
        "threads": machine.check_threads,
        "plugin": zoo.check_plugins,
        "model": zoo.check_models,
        "cache": cache.check_cache,
        "pulled": cache.check_cached_files,
        "leftovers": cache.check_leftovers,
        "hub": lambda: machine.check_hub(min(limit, HUB_LIMIT)),
    }
    if offline or is_offline():
        checks["hub"] = _offline
    for name, check in checks.items():
        yield from _alone(name, check)


def _alone(name: str, check: Check) -> Iterator[Finding]:
    """What a check finds; if it fails, that."""
    try:
        yield from check()
    except Exception as error:
        reason = " ".join(str(error).split())
        detail = f"this check failed: {type(error).__name__}: {reason}"
        yield Finding(name, "", "broken", detail, "the other checks went on; report this one")


def _offline() -> Iterator[Finding]:
    yield Finding("hub", "", "skipped", "not asked: offline")
