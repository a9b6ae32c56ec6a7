"""Self-contained HTML pages: scripts, styles and data in one file that needs no network.

Two libraries come from packages of the extra `html` and are copied into the page: Vega-Lite, for
charts, from vl-convert-python; and three.js, for 3D, from trimesh.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from calozoo_core.errors import CalozooError, InputError, ShowerFileError
from calozoo_core.io.atomic import write_atomic

__all__ = ["check_html", "html_page", "three_library", "vega_library", "write_html"]

THREE_PACKAGE: Final = "trimesh"
THREE_ARCHIVE: Final = "resources/templates/viewer.zip"
THREE_SOURCE: Final = re.compile(r"/\*\*\n \* @license\n.*?\*/\n!function[^\n]*", re.DOTALL)
"""Licence and source of three.js, a line, in the viewer of trimesh."""

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
"""Rights that a browser gives the page: nothing from elsewhere. Vega compiles its expressions."""


def html_page(
    assets: Traversable, *, title: str, data: Any, libraries: Sequence[str], body: str = ""
) -> str:
    """HTML page of a folder with `page.html`, `page.css` and `page.js`.

    Arguments:
        assets: The folder.
        title: Title of the page.
        data: What `page.js` finds, as JSON, in the element `data`.
        libraries: JavaScript that runs before it.
        body: HTML in place of `{{body}}` in `page.html`.

    Returns:
        The text of the page.
    """
    html, css, script = (
        assets.joinpath(f"page.{suffix}").read_text(encoding="utf-8")
        for suffix in ("html", "css", "js")
    )
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            '<link rel="icon" href="data:,"/>',
            f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>",
            html.replace("{{body}}", body),
            f'<script type="application/json" id="data">{_in_element(text)}</script>',
            *(f"<script>{_in_script(library)}</script>" for library in libraries),
            f"<script>\n{_in_script(script)}</script>\n</body>\n</html>\n",
        ]
    )


def write_html(path: Path, page: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        ShowerFileError: If it cannot be written.
    """
    try:
        write_atomic(path, page)
    except OSError as error:
        msg = f"{path} cannot be written: {str(error.strerror).lower()}."
        raise ShowerFileError(msg) from error


def check_html(path: Path) -> None:
    """Refuse a page that cannot be written, before anything is read.

    Raises:
        InputError: If its suffix is not `.html`, or there is no such folder.
        CalozooError: If the libraries are not installed.
    """
    if path.suffix != ".html":
        msg = f"A page is .html; {path} is not."
        raise InputError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}; make it, or write elsewhere."
        raise InputError(msg)
    for library in ("vl_convert", THREE_PACKAGE):
        if find_spec(library) is None:
            raise _missing()


def vega_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script: global `vegaEmbed`.

    Raises:
        CalozooError: If vl-convert-python is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise _missing() from error
    bundle: str = vl_convert.javascript_bundle("globalThis.vegaEmbed = vegaEmbed;")
    return f"(() => {{{bundle}}})();"


def three_library() -> str:
    """three.js as a script: global `THREE`. The copy is the one in the viewer of trimesh.

    Raises:
        CalozooError: If trimesh is not installed, or has no such copy.
    """
    spec = find_spec(THREE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise _missing()
    archive = Path(spec.submodule_search_locations[0]) / THREE_ARCHIVE
    try:
        with ZipFile(archive) as viewer:
            text = viewer.read("viewer.html.template").decode()
        return THREE_SOURCE.findall(text)[0]  # type: ignore[no-any-return]
    except (OSError, BadZipFile, KeyError, IndexError) as error:
        msg = "This trimesh has no three.js; `pip install 'calozoo[html]'` brings one that has."
        raise CalozooError(msg) from error


def _missing() -> CalozooError:
    return CalozooError(
        "Pages need vl-convert-python and trimesh; `pip install 'calozoo[html]'` brings them."
    )


def _in_element(text: str) -> str:
    """JSON as the text of an element: no markup can begin in it."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _in_script(source: str) -> str:
    """JavaScript as the text of an element; what would end it stands in strings only."""
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
