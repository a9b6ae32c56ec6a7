"""Notebooks as pages of the documentation site, with their outputs if they are run."""

from __future__ import annotations

import html
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT_S = 600


def notebook_page(path: Path, *, is_run: bool) -> str:
    """Markdown of a notebook.

    Arguments:
        path: The notebook, kept without outputs.
        is_run: Run it, and show what its cells show.
    """
    notebook = executed(path) if is_run else json.loads(path.read_text(encoding="utf-8"))
    blocks: list[str] = []
    for cell in notebook["cells"]:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
        else:
            blocks += [f"```python\n{source}\n```", *_outputs(cell)]
    note = f'This page is a notebook: <a href="{path.name}" download>{path.name}</a>.'
    return "\n\n".join([blocks[0], note, *blocks[1:]]) + "\n"


def executed(path: Path) -> dict[str, Any]:
    """A notebook after all of its cells ran, in a folder of its own."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=LIMIT_S, resources=resources).execute()
    return notebook  # type: ignore[no-any-return]


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/html" in data:
            yield f"<div>{' '.join(_text(data['text/html']).split())}</div>"
        elif "image/png" in data:
            picture = "".join(_text(data["image/png"]).split())
            yield f'<img alt="Plot of the cell above" src="data:image/png;base64,{picture}">'
        else:
            shown = _text(output.get("text", "")) or _text(data.get("text/plain", ""))
            text = html.escape(shown.rstrip()).replace("\n", "&#10;")
            yield f"<pre><code>{text}</code></pre>"


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
