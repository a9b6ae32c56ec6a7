"""Models by name, wherever their weights are: `find`, `load` and `pull`."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.models import hub_models, names, weights
from calozoo.models.index import read_index
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo.models.weights import Pulled

__all__ = ["find", "find_model", "load", "pull"]

logger = logging.getLogger(__name__)


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
    if names.is_repository(name):
        return hub_models.pull_model(name, offline=offline)[0]
    return names.find(name)


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
        folder: Take `config.json` and `model.safetensors` from here, whatever the index says.
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
    short, revision = names.split_revision(name)
    if folder is not None and (revision is not None or names.is_repository(name)):
        unwanted = name if revision is None else f"@{revision}"
        msg = f"Give a folder or a revision, not both: leave out '{unwanted}'."
        raise InputError(msg)
    pulled = pull(name, offline=offline) if names.is_repository(name) else None
    spec = find_model(pulled.model if pulled else short)
    factory = names.find_factory(spec)
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
    from calozoo.generation.parsing import is_shower_file

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
    if names.is_repository(name):
        _, pulled = hub_models.pull_model(
            name, offline=offline, endpoint=endpoint, cache_dir=cache_dir
        )
        return pulled
    short, revision = names.split_revision(name)
    registration = names.find(short)
    entry = read_index().get(registration.spec.name)
    return weights.pull(
        registration,
        entry,
        revision=revision,
        offline=offline,
        endpoint=endpoint,
        cache_dir=cache_dir,
    )
