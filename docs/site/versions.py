"""Website of several versions of the documentation, from the tags of the repository.

    python docs/site/versions.py --out public --releases 5

builds the newest releases and the commit that is checked out, each in a folder of its own, with
the list that the theme's version selector reads. The front page leads to the newest release, or to
`dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEV = "dev"
TAG = re.compile(r"calozoo-v(\d+(?:\.\d+)*)")
FRONT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>calozoo</title>
<meta http-equiv="refresh" content="0; url={newest}/index.html">
<link rel="icon" href="{newest}/assets/images/favicon.png">
</head>
<body><a href="{newest}/index.html">Documentation of calozoo {newest}</a></body>
</html>
"""


def main(arguments: list[str] | None = None) -> None:
    """Build the website."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the website; replaced")
    parser.add_argument("--releases", type=int, default=5, help="number of releases, newest first")
    parser.add_argument("--repository", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--python", default="python3", help="with which `make docs` works")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        sites = {DEV: build(options.repository, DEV, Path(folder), options.python)}
        for tag in release_tags(options.repository)[: options.releases]:
            checkout = Path(folder) / tag
            git(options.repository, "worktree", "add", "--detach", str(checkout), tag)
            version = tag.removeprefix("calozoo-v")
            sites[version] = build(checkout, version, Path(folder), options.python)
            git(options.repository, "worktree", "remove", "--force", str(checkout))
        collect(sites, options.out)


def release_tags(repository: Path) -> list[str]:
    """Tags of releases of calozoo, the newest version first."""
    tags = [tag for tag in git(repository, "tag", "--list").split() if TAG.fullmatch(tag)]
    return sorted(tags, key=lambda tag: order(tag.removeprefix("calozoo-v")), reverse=True)


def order(version: str) -> tuple[int, ...]:
    """Key that sorts versions as numbers; `dev` comes before all releases."""
    return (-1,) if version == DEV else tuple(int(part) for part in version.split("."))


def build(checkout: Path, version: str, folder: Path, python: str) -> Path:
    """Folder with the pages of one version, built by `make docs` of its own checkout."""
    site = folder / f"site-{version}"
    command = ["make", "docs", f"SITE={site}", f"PYTHON={python}"]
    environment = os.environ | {"DOCS_VERSION": version, "DOCS_RUN_NOTEBOOKS": "1"}
    subprocess.run(command, cwd=checkout, env=environment, check=True)
    return site


def collect(sites: Mapping[str, Path], out: Path) -> None:
    """Write the website: folders of versions, their list, a front page and a page for dead links.

    Arguments:
        sites: Built pages by version: numbers, or `dev`.
        out: Folder of the website; replaced if it is there.
    """
    versions = sorted(sites, key=order, reverse=True)
    newest = versions[0]
    if out.exists():
        shutil.rmtree(out)
    for version in versions:
        shutil.copytree(sites[version], out / version)
    listed = [
        {"version": v, "title": v, "aliases": ["latest"] if v == newest else []} for v in versions
    ]
    (out / "versions.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    (out / "index.html").write_text(FRONT.format(newest=newest), encoding="utf-8")
    shutil.copy(out / newest / "404.html", out / "404.html")


def git(repository: Path, *words: str) -> str:
    """Output of a command of git."""
    command = ["git", "-C", str(repository), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
