"""Pages of the documentation site that are made when it is built.

The cards and the notebooks become pages, the public names an API reference, and the interactive
leaderboard and the event display stand beside them. Links out of docs/ lead to the repository.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebooks import notebook_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CARDS = ROOT / "cards" / "calozoo_cards"
REPOSITORY = "https://github.com/calozoo/calozoo/blob/main"
LEADERBOARD = "interactive/leaderboard.html"
SHOWERS, PAIRS = "interactive/showers.html", "interactive/photon_pairs.html"
SHOWERS_TITLE, PAIRS_TITLE = "The same photons in Geant4 and in models", "Two close photons"
SITE = DOCS / "site"
"""Of Geant4, which a machine that builds the site need not have: six showers of 30 GeV without
their points, and four photon pairs of 10 GeV, made by `calozoo generate` and `simulate`."""

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
MODELS = ("caloinn.ild-photon-clumps", "caloclouds3.ild-photon-clumps")
NOTEBOOK = re.compile(r"(?<=\]\()(notebooks/\w+)\.ipynb(?=\))")
OUTWARDS = re.compile(r"(?<=\]\()\.\./([^)\s]+)")
HEADING = re.compile(r"^## (.+)$|^\| \[([^\]]+)\]\(([\w-]+\.md)\)", re.MULTILINE)

EXTENDING = (
    "calozoo_core.generator",
    "calozoo_core.network_generator",
    "calozoo_core.hookspecs",
    "calozoo_core.representation",
    "calozoo_core.frames",
    "calozoo_core.detector",
    "calozoo_core.random",
    "calozoo_core.errors",
)
"""Modules that a plugin is written with."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation, and what the pages of one of several versions have besides.

    The pages come in the order of the index, then the cards and the reference.
    """
    nav: list[Any] = [{"calozoo": "index.md"}, {"Interactive pages": "interactive/index.md"}]
    for title, name, page in HEADING.findall((DOCS / "index.md").read_text()):
        if title:
            nav.append({title: []})
        else:
            next(iter(nav[-1].values())).append({name: page})
    nav.append({"Notebooks": [f"notebooks/{path.stem}.md" for path in NOTEBOOKS]})
    nav.append({"Cards": ["cards/index.md", *(f"cards/{name}.md" for name in card_names())]})
    nav.append({"Reference": [{"calozoo": "api/calozoo.md"}, {"Plugins": "api/plugins.md"}]})
    config.nav = nav
    version = os.environ.get("DOCS_VERSION")
    if version:
        config.site_url = f"{config.site_url}{version}/"
        # The theme's selector reads versions.json, which docs/site/versions.py writes.
        config.extra["version"] = {"provider": "mike", "default": "latest"}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are no files of docs/."""
    for name, content in generated_pages():
        files.append(File.generated(config, name, content=content))
    for name in card_names():
        for picture in sorted((CARDS / name).glob("*.png")):
            uri = f"cards/{name}-{picture.name}"
            files.append(File.generated(config, uri, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to what is not in docs/: to the page of a card, or into the repository."""
    del config, files
    if page.file.generated_by is not None:
        return markdown
    if page.file.src_uri == "leaderboard.md":
        note = (
            f"[Choose, sort and compare]({LEADERBOARD}) on the interactive page, or turn "
            f"[showers of Geant4 and of models]({SHOWERS}) in 3D."
        )
        title, _, rest = markdown.partition("\n\n")
        markdown = f"{title}\n\n{note}\n\n{rest}"
    markdown = NOTEBOOK.sub(r"\1.md", markdown)
    return OUTWARDS.sub(lambda match: target(match[1]), markdown)


def on_post_template(output_content: str, *, template_name: str, config: MkDocsConfig) -> str:
    """The sitemap, with its root as the theme's version selector looks for it."""
    if template_name != "sitemap.xml":
        return output_content
    root = f"<loc>{config.site_url}"
    return output_content.replace(f"{root}index.html</loc>", f"{root}</loc>")


def target(path: str) -> str:
    """Where a link from docs/ to a file outside leads on the site."""
    card = re.fullmatch(r"cards/calozoo_cards(?:/([^/]+)/README\.md)?", path)
    if card is None:
        return f"{REPOSITORY}/{path}"
    return f"cards/{card[1] or 'index'}.md"


def card_names() -> list[str]:
    return sorted(path.parent.name for path in CARDS.glob("*/measurements.json"))


def generated_pages() -> Iterator[tuple[str, str]]:
    """Path and content of each page that is made."""
    from calozoo.cards.card import read_cards
    from calozoo.cards.leaderboard_page import leaderboard_page

    yield "cards/index.md", cards_index()
    for name in card_names():
        yield f"cards/{name}.md", card_page(name)
    is_run = bool(os.environ.get("DOCS_RUN_NOTEBOOKS"))
    for path in NOTEBOOKS:
        yield f"notebooks/{path.stem}.md", notebook_page(path, is_run=is_run)
    yield "api/calozoo.md", reference()
    yield "api/plugins.md", plugin_reference()
    yield LEADERBOARD, leaderboard_page(read_cards(), lambda name: f"../cards/{name}.html")
    yield "interactive/index.md", interactive_index()
    with tempfile.TemporaryDirectory() as folder:
        yield SHOWERS, display_of_showers(Path(folder))
        yield PAIRS, display_of_pairs(Path(folder))


def cards_index() -> str:
    from calozoo.cards.card import read_cards

    rows = [f"| [{c.spec.name}]({c.spec.name}.md) | {c.spec.summary} |" for c in read_cards()]
    return "\n".join(
        ["# Cards", "", "What was measured of each model.", "", "| model | |", "|---|---|", *rows]
    )


def card_page(name: str) -> str:
    """Card without its front matter; its pictures carry the name of the model."""
    body = (CARDS / name / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    return re.sub(r"\]\((\w+\.png)\)", rf"]({name}-\1)", body.lstrip())


def reference() -> str:
    """Reference of the public names of calozoo, each from where it is defined."""
    import calozoo

    names = [f"::: {calozoo._HOMES[name]}.{name}" for name in calozoo.__all__]
    text = "Everything that `import calozoo` gives, in the order of the alphabet."
    return "\n\n".join(["# calozoo", text, *names]) + "\n"


def plugin_reference() -> str:
    """Reference of the modules that a plugin is written with."""
    text = (
        "The part of `calozoo_core` that plugins are written with; [Plugins](../plugins.md) says "
        "how, and the [tutorial](../tutorial-plugin.md) leads through it."
    )
    return "\n\n".join(["# Reference for plugins", text, *(f"::: {m}" for m in EXTENDING)]) + "\n"


def interactive_index() -> str:
    """Page that leads to the pages which are no Markdown."""
    models = ", ".join(f"[{name}](../cards/{name}.md)" for name in MODELS)
    finder = "[photon finder](../reconstruction.md)"
    rows = (
        (LEADERBOARD, "Leaderboard", "Choose models and figures, sort, compare, print."),
        (SHOWERS, SHOWERS_TITLE, f"In 3D: Geant4, {models}."),
        (PAIRS, PAIRS_TITLE, f"In 3D: Geant4, {MODELS[-1]}, and calozoo's {finder}."),
    )
    lines = [f"| [{name}]({Path(page).name}) | {text} |" for page, name, text in rows]
    text = "Pages that need a browser, and nothing else once they are loaded."
    return (
        "\n".join(["# Interactive pages", "", text, "", "| page | |", "|---|---|", *lines]) + "\n"
    )


def display_of_showers(folder: Path) -> str:
    """Event display of Geant4 and of models with the same primaries."""
    from calozoo.plotting.event_display import event_display

    paths = [SITE / "geant4_showers.h5", *(folder / f"{model}.h5" for model in MODELS)]
    for model, path in zip(MODELS, paths[1:], strict=True):
        primaries = ["--energy", "30", "--dir", "cone:30", "-n", "6", "--seed", "1"]
        _run("generate", "--model", model, *primaries, "--place", "ild_siecal", "--out", str(path))
    return event_display(paths, title=SHOWERS_TITLE)


def display_of_pairs(folder: Path) -> str:
    """Event display of pairs of photons by Geant4 and by a model, reconstructed."""
    from calozoo.plotting.event_display.simulated import simulated_event_display

    truth, path = SITE / "geant4_pairs.h5", folder / "pairs.h5"
    words = ["--model", MODELS[-1], "--detector", "ild_siecal", "--out", str(path)]
    _run("simulate", str(truth), *words)
    return simulated_event_display([truth, path], reconstruct=True, title=PAIRS_TITLE)


def _run(*words: str) -> None:
    from calozoo.cli import main

    if main([*words, "--quiet"]) != 0:
        sys.exit(f"calozoo {' '.join(words)} fails; the page of showers cannot be made.")
