"""Python API for models: `load`, `generate`, `from_pretrained`, `pull` and `find_model`."""

from __future__ import annotations

import inspect
import logging
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calozoo.models import hub_models, names, weights
from calozoo.models.index import read_index
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator, ModelSpec, Precision, check_precision

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from calozoo.models.discovery import Registration
    from calozoo.models.weights import Pulled
    from calozoo_core.incident import Incident
    from calozoo_core.showers import Showers

__all__ = ["find", "find_model", "from_pretrained", "generate", "load", "pull"]

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
    _check_name(name)
    if names.is_repository(name):
        return _pull_repository(name, offline=offline)[0]
    return names.find(name)


def load(
    name: str,
    *,
    device: str = "cpu",
    precision: Precision | None = None,
    offline: bool = False,
    weights: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Generator:
    """Model, ready to generate.

    Arguments:
        name: `architecture[.tag][@revision]`, or `hub:ORG/NAME[@REVISION]`.
        device: A torch device.
        precision: Of the network's arithmetic: "float32" or "bfloat16"; None for what the model
            measured best.
        offline: Use no network.
        weights: Folder with the `config.json` and `model.safetensors` to take, instead of those of
            this name.
        options: What only some models take: `workers`, a number of processes; `detector`, another
            than the model's own, by name, as a `.toml` file or as a Detector; `runtime`, the
            library that computes the networks, "numpy" or "torch", by default the fastest that is
            installed; `source`, what feeds the model, by name, as an `.h5` file or as a Generator.
            A model that is fed by another leaves workers and runtime to that one.

    Raises:
        ModelNameError: If no model is called so.
        PluginError: If the plugin's code cannot be imported.
        HubError: If the weights cannot be had.
        WeightsError: If they are damaged or do not fit.
        DetectorError: If there is no such detector.
        InputError: If the device, the precision or an option is unavailable.

    Example:
        >>> load("toy")
        <ToyGenerator toy.ild-photon: gamma of 1-127 GeV at 0-60 degrees, x25 points in \
ild_siecal_regular, float32 on cpu>
    """
    _check_name(name)
    check_precision(precision)
    device, folder = str(device), None if weights is None else Path(weights)
    short, revision = names.split_revision(name)
    if folder is not None and (revision is not None or names.is_repository(name)):
        unwanted = name if revision is None else f"@{revision}"
        msg = f"Give a folder or a revision, not both: leave out '{unwanted}'."
        raise InputError(msg)
    pulled = pull(name, offline=offline) if names.is_repository(name) else None
    spec = find_model(pulled.model if pulled else short)
    factory = names.find_factory(spec)
    if folder is not None and not _has_weights(spec, factory):
        msg = f"{spec.name} needs no files to load; leave weights out."
        raise InputError(msg, argument="weights")
    handed_on = {"device": device, "precision": precision, "offline": offline}
    accepted = _accepted(spec, factory, options, handed_on)
    if folder is None and pulled is None and (spec.weights is not None or revision is not None):
        pulled = pull(name, offline=offline)
    if pulled is not None:
        folder = pulled.folder
        if pulled.note:
            logger.warning("calozoo: %s", pulled.note)
    return factory.load(spec, folder, device=device, precision=precision, **accepted)


def from_pretrained(source: str | os.PathLike[str], **options: Any) -> Generator:
    """Model from a folder, a repository of the Hub, or a name.

    Arguments:
        source: Folder that `save_pretrained` wrote or a trainer made, repository on the Hub as
            `ORG/NAME[@REVISION]`, or a name as for `load`. A folder comes first.
        options: As for `load`.

    Raises:
        CalozooError: What `load` raises; also if a folder does not say which model it is of.
    """
    if not isinstance(source, str | os.PathLike):
        _check_name(source)
    if "weights" in options:
        msg = "The source says which weights; leave weights out."
        raise InputError(msg, argument="weights")
    if Path(source).is_dir():
        spec = hub_models.find_registration(Path(source)).spec
        return load(spec.name, weights=source, **options)
    name = os.fspath(source)
    is_bare_repository = "/" in name and not names.is_repository(name)
    return load(f"{names.HUB_PREFIX}{name}" if is_bare_repository else name, **options)


def generate(
    model: str,
    incident: Incident | None = None,
    *,
    energy: ArrayLike | None = None,
    direction: ArrayLike | None = None,
    position: ArrayLike | None = None,
    particle: str | int | None = None,
    n: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    extrapolate: bool = False,
    threads: int | None = None,
    **options: Any,
) -> Showers:
    """Showers of a model that is loaded for this call; for several samples, `load` it once instead.

    Arguments:
        model: As for `load`.
        incident: The primaries; or leave it out and give `energy` and `direction`.
        energy: Kinetic energy at the face, in GeV: a number, or shape (n,).
        direction: Unit vector in the local frame, shape (3,) or (n, 3); by default straight in.
        position: Where the primaries cross the face, in the detector's global frame, in mm, shape
            (3,) or (n, 3); models of gapless detectors do not need it.
        particle: PDG name, or the PDG's number; by default the first that the model was trained on.
        n: Number of showers; by default as many as energies or directions.
        seed: Same seed, same showers.
        batch_size: Primaries at a time; the showers do not depend on it.
        extrapolate: Go beyond the conditions the model was trained on.
        threads: Number of threads, also for what comes after; None leaves it as it is.
        options: As for `load`: `device`, `precision`, `runtime`, `weights`, `offline`, ...

    Returns:
        The n showers.

    Raises:
        CalozooError: What `load` and `Generator.generate` raise.

    Example:
        >>> generate("toy", energy=[10, 50], seed=1).incident
        <Incident: 2 gamma of 10-50 GeV at 0 degrees>
    """
    if threads is not None:
        from calozoo.generation.threads import use_threads

        use_threads(threads)
    with closing(load(model, **options)) as generator:
        return generator.generate(
            incident,
            energy=energy,
            direction=direction,
            position=position,
            particle=particle,
            n=n,
            seed=seed,
            batch_size=batch_size,
            extrapolate=extrapolate,
        )


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        msg = f"A model is named by a text, such as 'toy.ild-photon', not by {name!r}."
        raise InputError(msg)


def _has_weights(spec: ModelSpec, factory: type[Generator]) -> bool:
    """True if files of weights can make a difference to a model."""
    described = (spec.weights, spec.trainer, spec.converter)
    return any(described) or factory.save is not Generator.save


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
    taken = _load_parameters(factory)
    if "source" in taken:
        theirs = {"workers", "runtime"} - taken
        options = _with_source(spec, options, handed_on, theirs)
    for name in options.keys() - taken:
        msg = f"{spec.name} does not take {name}; leave it out."
        raise InputError(msg, argument=name)
    if isinstance(options.get("detector"), str | os.PathLike):
        from calozoo_core.detector import load_detector

        return options | {"detector": load_detector(str(options["detector"]))}
    return options


def _load_parameters(factory: type[Generator]) -> set[str]:
    """Keyword arguments of a model's `load`, with those of its class where it hands others on."""
    parameters = inspect.signature(factory.load).parameters
    taken = {name for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD}
    if len(taken) < len(parameters):
        of_class = inspect.signature(factory).parameters
        taken |= {name for name, one in of_class.items() if one.kind is one.KEYWORD_ONLY}
    return taken


def _with_source(
    spec: ModelSpec, options: dict[str, Any], handed_on: dict[str, Any], theirs: set[str]
) -> dict[str, Any]:
    """The options, with the model's source loaded.

    Arguments:
        spec: Spec of the model.
        options: Options that it was given.
        handed_on: Settings that the source shares.
        theirs: Options that the source takes, since the model does not.

    Raises:
        InputError: If nobody takes one of these.
    """
    from calozoo.generation.parsing import is_shower_file

    source = options.get("source", spec.source)
    if not isinstance(source, str | os.PathLike):
        return options
    passed = {name: value for name, value in options.items() if name in theirs}
    if is_shower_file(Path(source)):
        for name in passed:
            msg = f"{source} is a file, which needs no {name}; leave out {name}."
            raise InputError(msg, argument=name)
        return options | {"source": Path(source)}
    generator = load(str(source), **handed_on, **passed)
    kept = {name: value for name, value in options.items() if name not in passed}
    return kept | {"source": generator}


def pull(
    name: str,
    *,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
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
    _check_name(name)
    cache_dir = None if cache_dir is None else Path(cache_dir)
    if names.is_repository(name):
        return _pull_repository(name, offline=offline, endpoint=endpoint, cache_dir=cache_dir)[1]
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


def _pull_repository(
    name: str,
    *,
    offline: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> tuple[Registration, Pulled]:
    """The weights that a name with a prefix stands for, and the model they are for."""
    if name.startswith(names.MLFLOW_PREFIX):
        from calozoo.models import mlflow_models

        return mlflow_models.pull_model(name, offline=offline, cache_dir=cache_dir)
    return hub_models.pull_model(name, offline=offline, endpoint=endpoint, cache_dir=cache_dir)
