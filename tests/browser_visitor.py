"""Headless Chromium of the system, and pages that keep what they log and ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # WebGL on the CPU
]
WIDE, NARROW = (1440, 900), (390, 844)
PATIENCE_MS = 300_000
"""Far longer than anything takes, also on a machine that does other things."""


@dataclass
class Visit:
    """A page that was opened: what it logged as an error, and what it asked for beside itself.

    Arguments:
        page: The page of playwright.
        errors: Errors on its console, and exceptions nobody caught.
        requests: Addresses of everything that is neither the page's file nor inside the page.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        """The page logged no error, asked for nothing, and is as wide as the window."""
        assert not self.errors
        assert not self.requests
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= self.page.viewport_size["width"]


@dataclass
class Visitor:
    """Somebody who opens pages in Chromium.

    Arguments:
        browser: The browser of playwright.
    """

    browser: Any

    def open(self, file: Path, size: tuple[int, int] = WIDE) -> Visit:
        """Open a file, which is all that the page may ask for."""
        address = file.resolve().as_uri()
        return self._go(address, address, size)

    def visit(self, address: str, size: tuple[int, int] = WIDE) -> Visit:
        """Open a page of a site, which may ask for anything of the site."""
        parts = urlsplit(address)
        return self._go(address, f"{parts.scheme}://{parts.netloc}", size)

    def _go(self, address: str, allowed: str, size: tuple[int, int]) -> Visit:
        width, height = size
        page = self.browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        visit = Visit(page)

        def note(message: Any) -> None:
            if message.type == "error":
                visit.errors.append(message.text)

        def asked(request: Any) -> None:
            url = request.url
            if not url.startswith((allowed, "data:", "blob:")):
                visit.requests.append(url)

        page.on("console", note)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("request", asked)
        page.goto(address)
        return visit


@contextmanager
def chromium() -> Iterator[Visitor]:
    """Somebody with the Chromium of the system; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no Chromium here; `apt-get install chromium` brings it")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield Visitor(browser)
        browser.close()
