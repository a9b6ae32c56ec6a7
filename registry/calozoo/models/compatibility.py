"""Compatibility of a plugin with the installed core: its requirements and its plugin API."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from calozoo_core.errors import PluginError
from calozoo_core.generator import PLUGIN_API, ModelSpec
from calozoo_core.wrappers import WrapperSpec

__all__ = ["check_distribution", "check_spec"]

CORE = "calozoo-core"
LOWER = (">", ">=", "~=", "==")
UPGRADE_CALOZOO = f"pip install --upgrade calozoo {CORE}"


def check_distribution(plugin: Distribution) -> None:
    """Refuse a plugin whose own requirements exclude the installed core, before it is imported.

    pip checks these as well, but does not stop somebody from upgrading core alone. The errors that
    such a plugin raises when it is imported do not mention versions.

    Raises:
        PluginError: If it was made for an older core or a newer one; the message says what to type.
    """
    try:
        core = Version(version(CORE))
    except PackageNotFoundError:  # core runs from a checkout, and has no version
        return
    for needed in _requirements_on_core(plugin):
        if needed.specifier.contains(core, prereleases=True):
            continue
        command = UPGRADE_CALOZOO if _wants_newer(needed, core) else _upgrade(plugin.name)
        msg = f"it needs {CORE}{needed.specifier}, and {core} is installed; type `{command}`."
        raise PluginError(msg)


def check_spec(spec: ModelSpec | WrapperSpec, distribution: str) -> None:
    """Refuse a model or a wrapper that was written for another version of the plugin API.

    Arguments:
        spec: The model or the wrapper.
        distribution: The plugin that registers it.

    Raises:
        PluginError: If it was; the message says what to type.
    """
    if spec.plugin_api == PLUGIN_API:
        return
    command = UPGRADE_CALOZOO if spec.plugin_api > PLUGIN_API else _upgrade(distribution)
    name = spec.name if isinstance(spec, ModelSpec) else f"the wrapper {spec.suffix}"
    msg = (
        f"{name} was written for plugin API {spec.plugin_api}, and this calozoo speaks"
        f" {PLUGIN_API}; type `{command}`."
    )
    raise PluginError(msg)


def _requirements_on_core(plugin: Distribution) -> Iterator[Requirement]:
    """The requirements without extras; lines that are not valid are left out."""
    for line in plugin.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        always = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if always and canonicalize_name(needed.name) == CORE:
            yield needed


def _wants_newer(needed: Requirement, core: Version) -> bool:
    """True if a lower bound excludes this core."""
    return any(
        bound.operator in LOWER
        and Version(bound.version.removesuffix(".*")) >= core
        and not bound.contains(core, prereleases=True)
        for bound in needed.specifier
    )


def _upgrade(distribution: str) -> str:
    return f"pip install --upgrade {distribution}"
