"""Card that is published with weights: the author's own, or one that is made for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calozoo.benchmark.measurements import read_measurements
from calozoo.cards.card import MEASUREMENTS
from calozoo.cards.card_markdown import card_markdown
from calozoo.hub import MAX_TEXT_BYTES, card_facts, front_matter
from calozoo.hub.cache import CARD_FILE
from calozoo.models.hub_models import CardLabel, labelled, read_label
from calozoo_core.errors import CalozooError
from calozoo_core.weights import TENSORS_FILE, WEIGHT_FILES, sha256

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration
    from calozoo_core.generator import ModelSpec

__all__ = ["make_card"]

CITATION: Final = re.compile(r"https://\S*(?:arxiv\.org|doi\.org)/|^\s*@\w+\{", re.I | re.MULTILINE)


def make_card(folder: Path, registration: Registration, repo: str) -> str:
    """The card of weights that are to be published, labelled with the name of their model.

    It is `README.md`, if the folder has one; else it is made from `measurements.json`; else from
    the plugin's spec, and says that nothing was measured.

    Arguments:
        folder: Holds the weights.
        registration: The model they are for.
        repo: The repository on the Hub, as `organisation/name`.

    Raises:
        CalozooError: If the card names no licence, or no paper to cite; or if it, or the
            measurements, are of another model.
    """
    spec, own = registration.spec, folder / CARD_FILE
    label = read_label(own)
    if own.is_file():
        text = _own_card(own, spec)
    elif not spec.papers:
        msg = f"{spec.name} names no paper; write {own}, and say there what to cite."
        raise CalozooError(msg)
    elif (folder / MEASUREMENTS).is_file():
        text = _measured_card(folder, spec)
    else:
        text = _plain_card(registration, repo)
    if label is not None and label.model != spec.name:
        msg = f"{own} is the card of {label.model}, not of {spec.name}; add --model {label.model}."
        raise CalozooError(msg)
    if label is None:
        text = labelled(text, CardLabel(spec.name, registration.distribution))
    return text


def _own_card(path: Path, spec: ModelSpec) -> str:
    content, papers = path.read_bytes(), spec.papers
    if len(content) > MAX_TEXT_BYTES:
        msg = f"{path} is longer than {MAX_TEXT_BYTES} bytes, which nobody could pull; shorten it."
        raise CalozooError(msg)
    text, facts = content.decode("utf-8-sig", "replace"), card_facts(path)
    if not facts.get("license"):
        msg = f"{path} names no licence; begin it with the lines `---`, `license: mit` and `---`."
        raise CalozooError(msg)
    if not CITATION.search(text) and not any(paper in text for paper in papers):
        example = papers[0] if papers else "https://doi.org/..."
        msg = f"{path} names nothing to cite; add the address of a paper, such as {example}."
        raise CalozooError(msg)
    if "calozoo" in facts and read_label(path) is None:
        msg = f"{path} has a calozoo entry without a model; write `  model: {spec.name}` below it."
        raise CalozooError(msg)
    return text


def _measured_card(folder: Path, spec: ModelSpec) -> str:
    path = folder / MEASUREMENTS
    measurements = read_measurements(path)
    if measurements.spec.name != spec.name:
        name = measurements.spec.name
        msg = f"{path} was measured of {name}, not of {spec.name}; leave it out."
        raise CalozooError(msg)
    hashes = measurements.weights_sha256 or {}
    is_of_these = not hashes or all(
        sha256(folder / name) == hashes.get(name) for name in WEIGHT_FILES
    )
    if not is_of_these or measurements.weights_bytes != (folder / TENSORS_FILE).stat().st_size:
        msg = f"{path} was measured of other weights than those beside it; measure these."
        raise CalozooError(msg)
    there = tuple(name for name in measurements.pictures if (folder / name).is_file())
    return card_markdown(measurements.model_copy(update={"pictures": there}))


def _plain_card(registration: Registration, repo: str) -> str:
    spec = registration.spec
    conditions = spec.conditions
    low, high = conditions.energy_gev
    least, most = conditions.theta_deg
    return f"""{front_matter(spec.name, spec.license, [spec.architecture])}

# {repo.partition("/")[2]}

Weights of `{spec.name}` for calozoo. {spec.summary}

{", ".join(conditions.particles)}, {low:g}-{high:g} GeV, {least:g}-{most:g} degrees from the normal;
{spec.representation} points in `{spec.detector}`.

How good and how fast these weights are has not been measured.

    pip install calozoo {registration.distribution}
    calozoo generate --model hub:{repo} --energy {high:g} --dir {least:g},0 -n 100 --out showers.h5

Licence: {spec.license}. Papers to cite: {", ".join(f"<{paper}>" for paper in spec.papers)}.
"""
