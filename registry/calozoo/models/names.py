"""From a name to a model: `architecture.tag[@revision]`, or `hub:ORG/NAME[@REVISION]`."""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from calozoo.generation.file_names import is_shower_file
from calozoo.models import discovery
from calozoo.models.hub_models import is_repository, pull_model
from calozoo.models.index import IndexEntry, read_index
from calozoo_core.errors import CalozooError, InputError, ModelNameError, PluginError
from calozoo_core.generator import REFINED, Generator, ModelSpec, Precision

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo.models.weights import Pulled

__all__ = [
    "find",
    "find_entry",
    "find_factory",
    "find_model",
    "list_absent",
    "list_models",
    "load",
    "pull",
    "refined",
    "split_revision",
]

logger = logging.getLogger(__name__)

Known = TypeVar("Known", "ModelSpec", "IndexEntry")


def list_models(pattern: str | None = None) -> list[ModelSpec]:
    """The models of the installed plugins, sorted by name.

    Arguments:
        pattern: Only names that match it, as file names match `cal*` in a shell; a bare
            architecture means all its tags.

    Example:
        >>> [spec.name for spec in list_models("toy*")]
        ['toy.ild-photon']
    """
    specs = [registration.spec for registration in discovery.registered().values()]
    return sorted(_matching(specs, pattern), key=lambda spec: spec.name)


def list_absent(pattern: str | None = None) -> list[IndexEntry]:
    """The models of the index whose plugin is not installed, sorted by name.

    Arguments:
        pattern: As for `list_models`.
    """
    here = discovery.registered() | discovery.refused()
    absent = [entry for entry in read_index().values() if entry.name not in here]
    return sorted(_matching(absent, pattern), key=lambda entry: entry.name)


def find_model(name: str, *, offline: bool = False) -> ModelSpec:
    """The model of this name.

    Arguments:
        name: `architecture.tag`, or an architecture, which means the first tag registered; an alias
            of an architecture does as well. Or `hub:ORG/NAME[@REVISION]`, which is pulled to see
            which model it is.
        offline: Ask nothing of the network.

    Raises:
        ModelNameError: If no model is called so; the message names the nearest, or what to install.
        PluginError: If several distributions claim the name, or its plugin cannot be used.

    Example:
        >>> find_model("toy").name
        'toy.ild-photon'
    """
    return find(name, offline=offline).spec


def find(name: str, *, offline: bool = False) -> Registration:
    """As `find_model`, with the distribution that the model came with."""
    if is_repository(name):
        return pull_model(name, offline=offline)[0]
    models, refused = discovery.registered(), discovery.refused()
    name = _without_alias(name, [registration.spec for registration in models.values()])
    full = _first_tag(name, [*models, *refused]) if "." not in name else name
    if full in models:
        return models[full]
    if full in refused:
        raise refused[full]
    if name.endswith(REFINED):
        return refined(find(name.removesuffix(REFINED)))
    index = read_index()
    name = _without_alias(name, index.values())
    known = index.get(_first_tag(name, index) if "." not in name else name)
    if known is not None:
        raise _unavailable(known)
    raise ModelNameError(_no_such_model(name, [*models, *index]))


def refined(base: Registration) -> Registration:
    """A model with its tails corrected, as `calozoo refine` makes one of any model.

    Its weights are those the plugin brings beside the model's own, if it does; else they are given
    as a folder.

    Arguments:
        base: The model.
    """
    from calozoo.models.weights import bundled_folder

    own = base.spec
    spec = own.model_copy(
        update={
            "name": own.name + REFINED,
            "aliases": (),
            "summary": f"{own.name}, its tails corrected on Geant4's.",
            "factory": "calozoo_core.refining:Refined",
            "weights": None if own.weights is None else own.weights + REFINED,
            "trainer": None,
            "converter": None,
            "source": own.name,
        }
    )
    if bundled_folder(spec) is None:
        spec = spec.model_copy(update={"weights": None})
    return replace(base, spec=spec)


def find_entry(name: str) -> IndexEntry:
    """What the index knows of a model, whether its plugin is installed or not.

    Arguments:
        name: As for `find_model`.

    Raises:
        ModelNameError: If the index does not have it.
    """
    models, index = discovery.registered(), read_index()
    specs = [registration.spec for registration in models.values()]
    name = _without_alias(name, [*specs, *index.values()])
    full = _first_tag(name, [*models, *index]) if "." not in name else name
    if full in index:
        return index[full]
    if full in models:
        msg = f"{full} is in no index; name its repository on the Hub instead, as ORG/NAME."
        raise ModelNameError(msg)
    raise ModelNameError(_no_such_model(name, [*models, *index]))


def load(
    name: str,
    *,
    device: str = "cpu",
    precision: Precision | None = None,
    offline: bool = False,
    folder: Path | None = None,
    **options: Any,
) -> Generator:
    """A model, ready to generate.

    Arguments:
        name: `architecture[.tag][@revision]`, or `hub:ORG/NAME[@REVISION]`.
        device: A torch device.
        precision: Of the network's arithmetic; None for what the model measured best.
        offline: Ask nothing of the network.
        folder: Take `config.json` and `model.safetensors` from here, whatever the catalogue says.
        options: What only some models take: `workers`, a number of processes; `detector`, another
            than the model's own, by name, as a `.toml` file or as a Detector; `source`, what feeds
            the model, by name, as an `.h5` file or as a Generator. A model that is fed by another
            leaves the workers to that one.

    Raises:
        ModelNameError: If no model is called so.
        PluginError: If the plugin's code cannot be imported.
        HubError: If the weights cannot be had.
        WeightsError: If they are damaged or do not fit.
        DetectorError: If there is no such detector.
        InputError: If the device, the precision or an option is not to be had.
    """
    short, revision = split_revision(name)
    if folder is not None and (revision is not None or is_repository(name)):
        unwanted = name if revision is None else f"@{revision}"
        msg = f"Give a folder or a revision, not both: leave out '{unwanted}'."
        raise InputError(msg)
    pulled = pull(name, offline=offline) if is_repository(name) else None
    spec = find_model(pulled.model if pulled else short)
    factory = find_factory(spec)
    handed_on = {"device": device, "precision": precision, "offline": offline}
    accepted = _accepted(spec, factory, options, handed_on)
    if folder is None and pulled is None and (spec.weights is not None or revision is not None):
        pulled = pull(name, offline=offline)
    if pulled is not None:
        folder = pulled.folder
        if pulled.note:
            logger.warning("calozoo: %s", pulled.note)
    return factory.load(spec, folder, device=device, precision=precision, **accepted)


def _accepted(
    spec: ModelSpec,
    factory: type[Generator],
    options: dict[str, Any],
    handed_on: dict[str, Any],
) -> dict[str, Any]:
    """The options as the model's `load` takes them.

    Raises:
        InputError: If it does not take one.
    """
    taken = inspect.signature(factory.load).parameters
    if "source" in taken:
        options = _with_source(spec, options, handed_on, keep_workers="workers" in taken)
    for name in options.keys() - taken.keys():
        msg = f"{spec.name} has no --{name}; leave it out."
        raise InputError(msg)
    if isinstance(options.get("detector"), str | Path):
        from calozoo_core.detector import load_detector

        return options | {"detector": load_detector(str(options["detector"]))}
    return options


def _with_source(
    spec: ModelSpec, options: dict[str, Any], handed_on: dict[str, Any], *, keep_workers: bool
) -> dict[str, Any]:
    """The options, with the model's source loaded; workers that it does not want work for that.

    Raises:
        InputError: If nobody takes the workers.
    """
    source = options.get("source", spec.source)
    if not isinstance(source, str | Path):
        return options
    workers = {} if keep_workers else {k: v for k, v in options.items() if k == "workers"}
    if is_shower_file(source):
        if workers:
            msg = f"{source} is a file, which needs no --workers; leave it out."
            raise InputError(msg)
        return options | {"source": Path(source)}
    generator = load(str(source), **handed_on, **workers)
    kept = {name: value for name, value in options.items() if name not in workers}
    return kept | {"source": generator}


def pull(
    name: str,
    *,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> Pulled:
    """Make a model's weights available here, and say where they came from.

    Arguments:
        name: `architecture[.tag][@revision]`, or `hub:ORG/NAME[@REVISION]`.
        offline: Ask nothing of the network.
        endpoint: Address of the Hub; by default that of huggingface_hub.
        cache_dir: The Hugging Face cache; by default where it always is.

    Raises:
        ModelNameError: If no model is called so.
        HubError: If the weights cannot be had.
        WeightsError: If the plugin's own copy is damaged.
    """
    from calozoo.models import weights

    if is_repository(name):
        return pull_model(name, offline=offline, endpoint=endpoint, cache_dir=cache_dir)[1]
    short, revision = split_revision(name)
    registration = find(short)
    entry = read_index().get(registration.spec.name)
    return weights.pull(
        registration,
        entry,
        revision=revision,
        offline=offline,
        endpoint=endpoint,
        cache_dir=cache_dir,
    )


def find_factory(spec: ModelSpec) -> type[Generator]:
    """The model's Generator class, imported now.

    Raises:
        PluginError: If it cannot be imported, or is no Generator.
    """
    module, _, attribute = spec.factory.partition(":")
    try:
        with redirect_stdout(sys.stderr):  # stdout is for data
            factory = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        msg = f"{spec.name} cannot be loaded, since importing {spec.factory} failed: {reason}."
        raise PluginError(msg) from error
    if not (isinstance(factory, type) and issubclass(factory, Generator)):
        msg = f"{spec.name} cannot be loaded, since {spec.factory} is no Generator class."
        raise PluginError(msg)
    return factory


def split_revision(name: str) -> tuple[str, str | None]:
    """A name and the revision behind its `@`, if there is one; a repository keeps its own.

    Raises:
        InputError: If nothing follows the `@`.

    Example:
        >>> split_revision("toy@v1.0")
        ('toy', 'v1.0')
        >>> split_revision("hub:my-lab/photons@v1.0")
        ('hub:my-lab/photons@v1.0', None)
    """
    if is_repository(name):
        return name, None
    short, at, revision = name.partition("@")
    if at and not revision:
        msg = f"'{name}' names no revision; write '{short}' or '{short}@REVISION'."
        raise InputError(msg)
    return short, revision or None


def _matching(models: list[Known], pattern: str | None) -> list[Known]:
    """Those whose name matches a pattern, or that are of the architecture it names."""
    if pattern is None:
        return models
    full = _without_alias(pattern, models)
    return [
        known
        for known in models
        if fnmatchcase(known.name, full) or known.name.partition(".")[0] == full
    ]


def _without_alias(name: str, models: Iterable[ModelSpec | IndexEntry]) -> str:
    """The name with the architecture that an alias stands for; a model's own name comes first."""
    architecture, dot, tag = name.partition(".")
    own: dict[str, str] = {}
    for known in models:
        called = known.name.partition(".")[0]
        own |= {alias: called for alias in known.aliases if alias not in own} | {called: called}
    return own.get(architecture, architecture) + dot + tag


def _first_tag(architecture: str, names: Iterable[str]) -> str:
    """The first of these names that is of this architecture, or the architecture itself."""
    return next((n for n in names if n.partition(".")[0] == architecture), architecture)


def _unavailable(entry: IndexEntry) -> CalozooError:
    """What to say of a model of the index: install its plugin, or why the installed one is idle."""
    for failure in discovery.failures():
        if discovery.canonical(failure.distribution) == discovery.canonical(entry.distribution):
            reason = str(failure).removesuffix(".")
            return PluginError(f"{entry.name} cannot be loaded, since {reason}.")
    msg = f"{entry.name} is not installed; type `pip install {entry.distribution}`{_but_broken()}."
    return ModelNameError(msg)


def _no_such_model(name: str, names: list[str]) -> str:
    """One message: nothing is called so, what comes nearest, and where to look."""
    full = "." in name
    candidates = names if full else [known.partition(".")[0] for known in names]
    nearest = difflib.get_close_matches(name, dict.fromkeys(candidates), n=1)
    if not nearest and full:
        # The architecture may be right where the tag is not.
        architecture = name.partition(".")[0]
        nearest = difflib.get_close_matches(architecture, [n.partition(".")[0] for n in names], n=1)
    guess = f" Did you mean {nearest[0]}?" if nearest else ""
    return f"no model is called '{name}'.{guess} `calozoo list` shows all{_but_broken()}."


def _but_broken() -> str:
    broken = {failure.distribution for failure in discovery.failures()}
    if not broken:
        return ""
    return f" (not used: {', '.join(sorted(broken))}; `calozoo plugins` says why)"
