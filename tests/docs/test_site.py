"""The documentation site: built without warnings, its links lead somewhere, it loads nothing."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
FINEST_PX = 10.5
WIDTH = "document.documentElement.scrollWidth"
FINE_PRINT = """
(finest) => [...document.body.querySelectorAll("*")].filter((element) =>
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
  && element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
  && parseFloat(getComputedStyle(element).fontSize) < finest).map((element) => element.outerHTML)
"""
IS_STILL = "document.getAnimations().every((one) => !(one instanceof CSSTransition))"
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


def built(folder: Path, **environment: str) -> Path:
    """The site, built without a warning."""
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1"} | environment
    run = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("docs") / "site")


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


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a folder, on this machine."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def address(site):
    with served(site) as found:
        yield found


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
def test_every_page_is_as_wide_as_the_window_and_its_text_is_no_finer_than_print(
    visitor, pages, site, width
):
    visit = visitor.open(site / "index.html", (width, 900))
    for path in pages:
        if path.name != "404.html":
            visit.page.goto(path.as_uri())
            assert visit.page.evaluate(WIDTH) <= width, path.name
            assert visit.page.evaluate(FINE_PRINT, FINEST_PX) == [], path.name
    assert not visit.errors


def search(page, words: str) -> None:
    if page.viewport_size["width"] < 1000:
        page.click("label[for=__search]:visible")
    # The theme listens to keys: a value that is put into the field is not looked for.
    page.locator("input.md-search__input").press_sequentially(words)
    page.wait_for_selector(".md-search-result__item")
    page.wait_for_function(IS_STILL)  # while the search slides in, a page is wider than the window


@pytest.mark.parametrize("width", [1440, 390])
def test_the_site_can_be_searched(visitor, address, width):
    visit = visitor.visit(f"{address}/quickstart.html", (width, 900))
    search(visit.page, "placement")
    visit.check()


@pytest.mark.parametrize("width", [1440, 390])
def test_pages_opened_from_a_disk_can_be_searched_and_log_no_error(visitor, site, width):
    visit = visitor.open(site / "api" / "calozoo.html", (width, 900))
    search(visit.page, "placement")
    assert "Placement" in visit.page.inner_text(".md-search-result__list")
    visit.page.click(".md-search-result__link")
    visit.page.wait_for_url("**/placement.html*")
    assert not visit.errors
    assert all(request.startswith(site.as_uri()) for request in visit.requests)


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A website of three versions; releases have the pages of `dev`."""
    folder = tmp_path_factory.mktemp("versions")
    site = built(folder / "dev", DOCS_VERSION="dev")
    collect = runpy.run_path(str(ROOT / "docs" / "site" / "versions.py"))["collect"]
    collect({"dev": site, "0.9.0": site, "0.10.0": site}, folder / "public")
    return folder / "public"


def test_the_front_page_leads_to_the_newest_release_and_dead_links_to_a_page(visitor, versions):
    with served(versions) as address:
        visit = visitor.visit(f"{address}/")
        visit.page.wait_for_url("**/0.10.0/index.html")
        visit.page.wait_for_selector(".md-version")
        assert not visit.page.locator("[data-md-component=outdated]").is_visible()
        visit.check()
    assert "/calozoo/dev/assets/" in (versions / "404.html").read_text(encoding="utf-8")


def test_a_version_is_chosen_by_keys_and_stays_on_the_page(visitor, versions):
    with served(versions) as address:
        visit = visitor.visit(f"{address}/dev/quickstart.html")
        page = visit.page
        page.wait_for_selector(".md-version")
        assert page.locator(".md-version__link").all_inner_texts() == ["0.10.0", "0.9.0", "dev"]
        assert "not those of the newest release" in page.inner_text(".md-banner--warning")
        page.focus(".md-version__current")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/0.9.0/quickstart.html")
        page.click(".md-banner--warning a")
        page.wait_for_url("**/0.10.0/index.html")
        visit.check()


def test_one_of_several_versions_can_be_read_from_a_disk(visitor, versions):
    visit = visitor.open(versions / "dev" / "quickstart.html")
    visit.page.wait_for_selector(".md-search__input")
    assert not visit.errors
