"""The documentation site: built without warnings, its links lead somewhere, it loads nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

import calozoo
from calozoo.cards.card import read_cards

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/calozoo/calozoo/blob/main/"

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """Links, sources and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.sources: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.add(found.get("id", ""))
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        is_loaded = tag != "link" or found.get("rel") in ("stylesheet", "icon")
        for name in ("src", "href"):
            if tag in ("img", "script", "link", "iframe") and found.get(name) and is_loaded:
                self.sources.add(found[name])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Links]:
    return {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_page_card_and_public_name_is_on_the_site(site):
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
    for card in read_cards():
        assert (site / "cards" / f"{card.spec.name}.html").is_file()
    reference = (site / "api" / "calozoo.html").read_text(encoding="utf-8")
    for name in calozoo.__all__:
        assert re.search(rf'id="[\w.]+\.{name}"', reference), name


def test_no_link_of_the_site_is_dead(pages):
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links begin at the root of the published site
        for link in page.links | page.sources:
            parts = urlsplit(link)
            if link.startswith(REPOSITORY):
                inside = unquote(parts.path).partition("/blob/main/")[2]
                assert (ROOT / inside).exists(), link
            if parts.scheme or link.startswith("data:"):
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert file.exists(), f"{path.name} links to {link}"
            if parts.fragment and file in pages:
                assert unquote(parts.fragment) in pages[file].anchors, f"{path.name}: {link}"


def test_the_site_loads_nothing_from_elsewhere(pages):
    for path, page in pages.items():
        outside = {
            source for source in page.sources if urlsplit(source).scheme in ("http", "https")
        }
        assert not outside, path.name
    for style in (path for path in next(iter(pages)).parents[0].rglob("*.css")):
        assert "url(http" not in style.read_text(encoding="utf-8")


@pytest.fixture
def address(site):
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["showers", "photon_pairs"])
def test_displays_stand_on_the_site_and_are_led_to(visitor, address, name):
    visit = visitor.visit(f"{address}/interactive/index.html")
    visit.page.click(f"article a[href='{name}.html']")
    visit.page.wait_for_selector("html[data-ready]")
    names = visit.page.locator("#names span").all_inner_texts()
    assert names[0].startswith("geant4.")
    assert len(names) == {"showers": 3, "photon_pairs": 2}[name]
    visit.check()


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_can_be_read_and_searched_in_a_browser(visitor, address, width):
    for name in ("index", "quickstart", "leaderboard", "api/calozoo", "cards/toy.ild-photon"):
        visit = visitor.visit(f"{address}/{name}.html", (width, 900))
        visit.check()
    page = visit.page
    if width < 1000:
        page.click("label[for=__search]:visible")
    page.fill("input.md-search__input", "placement")
    page.wait_for_selector(".md-search-result__item")
    visit.check()
