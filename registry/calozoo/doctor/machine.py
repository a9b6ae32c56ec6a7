"""Checks of the machine: Python, packages, torch, threads, the Hugging Face cache, the Hub."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

from calozoo.doctor.checks import Finding, Job, run_jobs
from calozoo.hub import Hub
from calozoo.hub.cache import CachedRepo, default_cache
from calozoo.models.cached_revisions import find_leftovers, find_repos, find_revisions
from calozoo.models.discovery import canonical, installed
from calozoo.models.index import read_index
from calozoo_core.cores import available_cores
from calozoo_core.errors import CalozooError
from calozoo_core.kernels import SWITCH, implementation

__all__ = [
    "check_cache",
    "check_cached_files",
    "check_hub",
    "check_kernels",
    "check_leftovers",
    "check_libraries",
    "check_packages",
    "check_python",
    "check_threads",
    "check_torch",
]

OURS = ("calozoo", "calozoo-core")
LIBRARIES = ("numpy", "h5py", "safetensors", "huggingface_hub")
"""Libraries that every model needs."""

LITTLE_SPACE = 1e9
"""Bytes; the weights of all models together take less."""


def check_python() -> Iterator[Finding]:
    """Finding on Python; a version that is too old could not have imported calozoo."""
    yield Finding("python", "", "ok", f"{platform.python_version()}, {sys.executable}")


def check_packages() -> Iterator[Finding]:
    """Findings on the requirements of calozoo and the plugins."""
    plugins = {entry.dist.name: entry.dist for entry in installed() if entry.dist is not None}
    ours = {name: distribution(name) for name in OURS}
    bad = False
    for owner in (ours | plugins).values():
        for needed in _requirements(owner):
            have = _version(needed.name)
            if have is not None and needed.specifier.contains(have, prereleases=True):
                continue
            bad = True
            there = "is not installed" if have is None else f"{have} is installed"
            detail = f"{owner.name} {owner.version} needs {_plain(needed)}, and {there}"
            advice = f"type `pip install '{_plain(needed)}'`"
            yield Finding("packages", owner.name, "broken", detail, advice)
    if not bad:
        versions = ", ".join(f"{name} {one.version}" for name, one in ours.items())
        yield Finding("packages", "", "ok", f"{versions}, and all that they and the plugins need")


def check_libraries(limit: float) -> Iterator[Finding]:
    """Findings on the import of libraries.

    Arguments:
        limit: Seconds that each import may take.
    """
    jobs = [Job(f"{__name__}:import_library", {"name": name}) for name in LIBRARIES]
    for name, answer in zip(LIBRARIES, run_jobs(jobs, limit), strict=True):
        if answer.trouble:
            package = name.replace("_", "-")
            advice = f"type `pip install --force-reinstall {package}`"
            yield Finding("library", name, "broken", f"importing it {answer.trouble}", advice)
        else:
            yield Finding("library", name, "ok", answer.value)


def check_torch(limit: float) -> Iterator[Finding]:
    """Findings on the import of torch, and on a small computation on each device.

    Arguments:
        limit: Seconds that this may take.
    """
    if _version("torch") is None:
        advice = "install PyTorch's CPU or GPU build, as its own page says"
        detail = "not installed; models with networks need it"
        yield Finding("torch", "", "skipped", detail, advice)
        return
    (answer,) = run_jobs([Job(f"{__name__}:look_at_torch")], limit)
    if answer.trouble:
        advice = "type `pip install --force-reinstall torch`"
        yield Finding("torch", "", "broken", f"importing it {answer.trouble}", advice)
        return
    yield Finding("torch", "", "ok", answer.value["version"])
    for name, trouble in answer.value["devices"].items():
        if trouble:
            advice = "use --device cpu, or mend the driver"
            yield Finding("device", name, "warning", f"cannot compute: {trouble}", advice)
        else:
            yield Finding("device", name, "ok", "computes")


def check_kernels() -> Iterator[Finding]:
    """Finding on the compiled kernels of core; without them numpy computes, more slowly."""
    if implementation() == "compiled":
        yield Finding("kernels", "", "ok", "compiled; they compute what numpy does, and faster")
    elif os.environ.get(SWITCH) == "numpy":
        detail = f"switched off by {SWITCH}=numpy; numpy computes"
        yield Finding("kernels", "", "skipped", detail, f"type `unset {SWITCH}`")
    else:
        detail = "none that fit this version; numpy computes the same showers, and takes longer"
        again = "pip install --force-reinstall --no-cache-dir --no-deps calozoo-core"
        advice = f"install a C compiler, then `{again}`"
        yield Finding("kernels", "", "skipped", detail, advice)


def check_threads() -> Iterator[Finding]:
    """Finding on OMP_NUM_THREADS, compared with the cores that this process may run on."""
    n, said = available_cores(), os.environ.get("OMP_NUM_THREADS")
    if said is None:
        yield Finding("threads", "", "ok", f"{n} by default, as many as cores")
    elif not said.isdigit() or not int(said):
        detail = f"OMP_NUM_THREADS is {said!r}, which is no number of threads"
        yield Finding("threads", "", "warning", detail, "type `unset OMP_NUM_THREADS`")
    elif int(said) > n:
        detail = f"OMP_NUM_THREADS is {said}, and there are {n} cores: that is slower"
        yield Finding("threads", "", "warning", detail, f"type `export OMP_NUM_THREADS={n}`")
    else:
        yield Finding("threads", "", "ok", f"{said} of {n} cores, as OMP_NUM_THREADS says")


def check_cache() -> Iterator[Finding]:
    """Finding on the folder of the cache, and on the room on its disk."""
    cache = default_cache()
    elsewhere = "set HF_HOME to another place"
    place = next(path for path in (cache, *cache.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        if cache.is_dir():
            detail = f"{cache} can be read, not written ({reason}): nothing more can be pulled"
            yield Finding("cache", "", "warning", detail, elsewhere)
        else:
            detail = f"{cache} cannot be made ({reason}): nothing can be pulled"
            yield Finding("cache", "", "broken", detail, elsewhere)
        return
    free = shutil.disk_usage(place).free
    detail = f"{cache}, {free / 1e9:.1f} GB free"
    if free < LITTLE_SPACE:
        yield Finding("cache", "", "warning", detail, f"make room, or {elsewhere}")
    else:
        yield Finding("cache", "", "ok", detail)


def check_cached_files() -> Iterator[Finding]:
    """Findings on the digests of the pulled files; nothing is changed."""
    cache, n = default_cache(), 0
    for cached in find_repos(cache):
        for revision in find_revisions(cached):
            n += revision.is_whole
            again = f"type `calozoo cache rm {revision.name}`, and pull it again"
            for fault in _damage(cached, revision.commit):
                yield Finding("pulled", revision.name, "broken", fault, again)
    if n:
        yield Finding("pulled", "", "ok", f"{n} revision{'s' if n > 1 else ''} looked at")


def check_leftovers() -> Iterator[Finding]:
    """Finding on what stopped pulls and removals left behind."""
    found = find_leftovers(default_cache())
    if found:
        size = sum(leftover.size for leftover in found)
        detail = f"{len(found)} in the cache that nobody needs, {size / 1e6:.1f} MB"
        yield Finding("leftovers", "", "warning", detail, "type `calozoo cache prune`")
    else:
        yield Finding("leftovers", "", "ok", "none")


def check_hub(limit: float) -> Iterator[Finding]:
    """Finding on the Hub: that it answers.

    Arguments:
        limit: Seconds that this may take.
    """
    (answer,) = run_jobs([Job(f"{__name__}:reach_hub")], limit)
    advice = "look at the network, or set HF_HUB_OFFLINE=1 to do without"
    if answer.trouble:
        yield Finding("hub", "", "warning", f"asking it {answer.trouble}", advice)
    elif "error" in answer.value:
        yield Finding("hub", "", "warning", answer.value["error"], advice)
    else:
        yield Finding("hub", "", "ok", f"{answer.value['address']} answers")


def import_library(name: str) -> str:
    """The version of a library; this imports it."""
    return str(importlib.import_module(name).__version__)


def look_at_torch() -> dict[str, Any]:
    """The version of torch and, by name of device, what is wrong with it; empty if nothing."""
    import torch

    devices = {"cpu": "cpu"}
    for number in range(torch.cuda.device_count()):
        devices[f"cuda:{number} ({torch.cuda.get_device_name(number)})"] = f"cuda:{number}"
    return {
        "version": str(torch.__version__),
        "devices": {name: _fault(device) for name, device in devices.items()},
    }


def reach_hub() -> dict[str, str]:
    """The address of the Hub if it answers, or else what is wrong."""
    try:
        return {"address": Hub(default_cache()).reach()}
    except CalozooError as error:
        return {"error": str(error).removesuffix(".")}


def _damage(cached: CachedRepo, commit: str) -> Iterator[str]:
    digests: dict[str, str] = {}
    for entry in read_index().values():
        if (entry.repo, entry.revision) == (cached.repo, commit):
            digests |= entry.sha256
    try:
        for path in cached.damaged(commit, digests):
            yield f"{path} does not have the sha256 it should have"
    except CalozooError as error:
        yield str(error).removesuffix(".")
    except OSError as error:
        yield f"{error.filename} cannot be read ({error.strerror})"


def _fault(device: str) -> str:
    """Fault of a device; empty if it computes."""
    import torch

    try:
        ones = torch.ones(16, 16, device=device)
        total = float((ones @ ones).sum())
    except Exception as error:
        return " ".join(str(error).split())
    return "" if total == 16**3 else f"16 x 16 x 16 is {total:g} to it"


def _requirements(owner: Distribution) -> Iterator[Requirement]:
    """The requirements of a distribution without extras; those of plugins on core are left out."""
    for line in owner.requires or ():
        needed = Requirement(line)
        always = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if always and not (canonical(needed.name) in OURS and owner.name not in OURS):
            yield needed


def _plain(needed: Requirement) -> str:
    return f"{needed.name}{needed.specifier}"


def _version(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None
