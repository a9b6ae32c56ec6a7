"""Publication of weights: their validation, a commit on the Hub, the index entry that pins it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from calozoo import api
from calozoo.cards.card import MEASUREMENTS
from calozoo.hub import Hub, HubRepo
from calozoo.hub.cache import CARD_FILE, default_cache
from calozoo.models.discovery import Registration
from calozoo.models.hub_models import find_registration
from calozoo.models.index import IndexEntry
from calozoo.models.names import REPO_NAME, find, find_wrapper
from calozoo.models.weights import bundled_folder, is_offline
from calozoo.publishing.hub_card import make_card
from calozoo_core.errors import HubError, InputError, WeightsError
from calozoo_core.weights import WEIGHT_FILES, sha256

if TYPE_CHECKING:
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.incident import Incident
    from calozoo_core.showers import Showers

__all__ = ["Publication", "check_weights", "find_fault", "open_repository", "prepare", "publish"]

RECORDS: Final = (MEASUREMENTS, "training.json", "*.csv", "*.png")
"""Files that are published with the weights, if they exist: how they were measured and trained."""


@dataclass(frozen=True)
class Publication:
    """Checked files that are to be published.

    Arguments:
        registration: The model that the weights are for.
        repo: The repository on the Hub, as `organisation/name`.
        files: Files to publish, by name.
        left_out: Other files of the folder, which are not published.
    """

    registration: Registration
    repo: str
    files: Mapping[str, Path]
    left_out: tuple[str, ...]

    def entry(self, commit: str | None = None) -> IndexEntry:
        """The index entry with which these weights are pulled.

        Arguments:
            commit: Their commit; None if they are not published yet.
        """
        spec = self.registration.spec
        hashes = {name: sha256(self.files[name]) for name in WEIGHT_FILES}
        bundled = bundled_folder(spec)
        is_bundled = bundled is not None and all(
            sha256(bundled / name) == digest for name, digest in hashes.items()
        )
        return IndexEntry(
            name=spec.name,
            default=find(spec.architecture).spec.name == spec.name,
            aliases=spec.aliases,
            summary=spec.summary,
            distribution=self.registration.distribution,
            version=self.registration.version if is_bundled else None,
            repo=self.repo,
            revision=commit,
            sha256=hashes,
        )

    def as_dict(self) -> dict[str, Any]:
        """The publication as JSON has it."""
        return {
            "model": self.registration.spec.name,
            "repo": self.repo,
            "files": [
                {"name": name, "size": path.stat().st_size, "sha256": sha256(path)}
                for name, path in self.files.items()
            ],
            "left_out": list(self.left_out),
        }


@contextmanager
def prepare(folder: Path, repo: str, model: str | None = None) -> Iterator[Publication]:
    """Select and check the files of a folder that are to be published; nothing is sent.

    The weights are loaded, and a few of their showers checked. Only JSON, safetensors, tables and
    pictures that calozoo knows are published.

    Arguments:
        folder: Holds `config.json` and `model.safetensors`, and perhaps a card, measurements and
            the record of a training. A missing card is made.
        repo: The repository on the Hub, as `organisation/name`.
        model: The model of the weights; None for the one that the card or the configuration names.

    Raises:
        InputError: If the repository's name is not ORG/NAME, or the model needs no weights.
        ModelNameError: If no installed plugin brings the model.
        WeightsError: If they are damaged, do not fit, or make impossible showers.
        CalozooError: If the card names no licence or nothing to cite.
    """
    _check_repo(repo)
    for name in WEIGHT_FILES:
        if not (folder / name).is_file():
            msg = f"{folder} has no {name}; name a folder that `calozoo train` has written."
            raise WeightsError(msg)
    registration = find_registration(folder) if model is None else api.find(model)
    spec = registration.spec
    if spec.weights is None and find_wrapper(spec.name) is None:
        msg = f"{spec.name} needs no weights, so there is nothing to publish."
        raise InputError(msg)
    card = make_card(folder, registration, repo)
    check_weights(spec, folder)
    records = sorted(path for pattern in RECORDS for path in folder.glob(pattern))
    with TemporaryDirectory() as scratch:
        files = {name: folder / name for name in WEIGHT_FILES}
        files[CARD_FILE] = Path(scratch, CARD_FILE)
        files[CARD_FILE].write_text(card, encoding="utf-8")
        files |= {path.name: path for path in records if path.is_file()}
        left_out = sorted(path.name for path in folder.iterdir() if path.name not in files)
        yield Publication(registration, repo, files, tuple(left_out))


def open_repository(repo: str, endpoint: str | None = None) -> HubRepo:
    """A repository to publish to; the token was accepted by the Hub.

    Arguments:
        repo: As `organisation/name`.
        endpoint: Address of the Hub; by default that of huggingface_hub.

    Raises:
        InputError: If the repository's name is not ORG/NAME.
        HubError: If there is no such token, or the Hub cannot be reached.
    """
    _check_repo(repo)
    if is_offline():
        msg = "HF_HUB_OFFLINE forbids to publish anything; unset it, or add --dry-run."
        raise HubError(msg)
    opened = HubRepo(Hub(default_cache(), endpoint), repo)
    opened.check_token()
    return opened


def publish(
    publication: Publication,
    target: HubRepo,
    *,
    tag: str | None = None,
    private: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Upload weights to the Hub, and compare them with what is there afterwards.

    Nothing is sent if the tag names a commit with these files, or the main branch has them.

    Arguments:
        publication: The files.
        target: The repository; it is created if it does not exist.
        tag: Tag for the commit.
        private: Only for those it is granted to.
        say: Called with a sentence before each step.

    Returns:
        The commit.

    Raises:
        InputError: If the tag cannot be one.
        HubError: If the tag is taken, the repository is public though `private` is set, the Hub
            refuses or cannot be reached, or other files are there than were sent.
    """
    if tag is not None and not re.fullmatch(r"\w[\w.+-]*", tag):
        msg = f"'{tag}' cannot be a tag; write one like v1.0."
        raise InputError(msg)
    is_public = target.is_public()
    if is_public and private:
        msg = f"{target.name} is there already, and public; leave out --private."
        raise HubError(msg)
    if is_public is not None and tag is not None:
        there = _tagged(publication, target, tag)
        if there is not None:
            say(f"{target.name}@{tag} is just this already")
            return there
    if is_public is None:
        say(f"making {'private ' if private else ''}{target.name}")
        target.create(private=private)
    size = sum(path.stat().st_size for path in publication.files.values())
    say(f"sending {len(publication.files)} files, {size / 1e6:.2f} MB")
    name = publication.registration.spec.name
    commit = target.upload(publication.files, f"Weights of {name}{f', {tag}' if tag else ''}")
    if tag is not None:
        target.tag(tag, commit)
    return commit


def _check_repo(repo: str) -> None:
    if not REPO_NAME.fullmatch(repo):
        msg = f"'{repo}' is no repository of the Hub; write it as ORG/NAME."
        raise InputError(msg)


def _tagged(publication: Publication, target: HubRepo, tag: str) -> str | None:
    """The commit of this tag, if it has these files; None if there is no such tag.

    Raises:
        HubError: If the commit has other files, or there is a branch of this name.
    """
    branches, tags = target.refs()
    if tag in branches:
        msg = f"{tag} is a branch of {target.name}; choose another --tag."
        raise HubError(msg)
    if tag in tags and not target.holds(tags[tag], publication.files):
        msg = (
            f"{target.name} has a tag {tag} already, on other files than these (commit "
            f"{tags[tag][:12]}); choose another --tag."
        )
        raise HubError(msg)
    return tags.get(tag)


N_SHOWERS: Final = 8
VISIBLE_FRACTION: Final = (1e-3, 1.0)
"""Lowest and highest visible over incident energy; wide, since only wrong units are to be found."""


def check_weights(spec: ModelSpec, folder: Path) -> None:
    """Load a model with the weights in a folder, and check a few of its showers.

    These are the checks of the contract suite that depend on the weights.

    Arguments:
        spec: The model.
        folder: Holds `config.json` and `model.safetensors`.

    Raises:
        WeightsError: If they are damaged, do not fit, or make impossible showers.
        PluginError: If the plugin's code cannot be imported.
    """
    from calozoo import api

    for particle in spec.conditions.particles:
        primaries = _primaries(spec.conditions, particle)
        with closing(api.load(spec.name, weights=folder, offline=True)) as generator:
            fault = find_fault(generator.generate(primaries, seed=0), spec)
        if fault is not None:
            msg = f"{spec.name} with the weights in {folder} {fault}; they are not published."
            raise WeightsError(msg)


def find_fault(showers: Showers, spec: ModelSpec) -> str | None:
    """The fault of showers, as the end of a sentence; None if there is none.

    Arguments:
        showers: Showers of the model, for primaries inside its conditions.
        spec: The model.
    """
    import numpy as np

    from calozoo_core.detector import load_detector

    if (showers.representation, showers.detector) != (spec.representation, spec.detector):
        return f"makes {showers.representation} points in {showers.detector}"
    if not len(showers.energy):
        return "makes showers without a single point"
    for name in ("x", "y", "energy"):
        if not np.isfinite(getattr(showers, name)).all():
            return f"makes points whose {name} is not a finite number"
    if showers.energy.min() <= 0:
        return f"makes deposits of {showers.energy.min():g} MeV"
    n_layers = load_detector(spec.detector).n_layers
    if showers.layer.max() >= n_layers:
        return f"puts a point in layer {showers.layer.max()} of {n_layers}"
    fraction = float(showers.visible_energy.sum() / showers.incident.energy.sum()) / 1000
    low, high = VISIBLE_FRACTION
    if not low < fraction < high:
        return f"makes {fraction:.2g} of the incident energy visible"
    return None


def _primaries(conditions: Conditions, particle: str) -> Incident:
    """Primaries over the whole range of energies and angles of a model."""
    import numpy as np

    from calozoo_core.incident import Incident

    energy = np.linspace(*conditions.energy_gev, N_SHOWERS)
    theta = np.radians(np.linspace(*conditions.theta_deg, N_SHOWERS))
    phi = np.linspace(0, 2 * np.pi, N_SHOWERS, endpoint=False)
    direction = np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1
    )
    return Incident(energy, direction, particle)
