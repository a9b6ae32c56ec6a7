"""What can be asked of the Hub: what a revision is, and the content of its files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from hub_server.server import Handler

__all__ = ["REPO", "REVISION", "ROUTES"]


def info(handler: Handler, repo: str, revision: str) -> None:
    """What a repository and a revision of it are."""
    found = handler.find(repo, revision or "main")
    if found is None:
        return
    kept, commit = found
    with_blobs = "blobs" in parse_qs(urlsplit(handler.path).query)
    about = {
        "_id": "0" * 24,
        "id": repo,
        "modelId": repo,
        "author": kept.owner,
        "sha": commit,
        "lastModified": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "private": kept.is_private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [file.as_sibling(with_blobs) for file in kept.commits[commit].values()],
    }
    handler.answer(about)


def listing(handler: Handler) -> None:
    """The repositories whose cards have the labels asked for, and whose names have the text."""
    asked = parse_qs(urlsplit(handler.path).query)
    text = asked.get("search", [""])[0].lower()
    found = [
        {"_id": "0" * 24, "id": repo.name, "modelId": repo.name, "tags": sorted(repo.labels)}
        for repo in handler.server.repos.values()
        if not repo.is_private and text in repo.name.lower()
        if repo.labels.issuperset(asked.get("filter", []))
    ]
    handler.answer(found[: int(asked.get("limit", ["1000"])[0])])


def refs(handler: Handler, repo: str) -> None:
    """The branches and tags of a repository."""
    found = handler.find(repo, "main")
    if found is None:
        return
    named = {
        kind: [
            {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": commit}
            for name, commit in commits.items()
        ]
        for kind, folder, commits in (
            ("branches", "heads", found[0].branches),
            ("tags", "tags", found[0].tags),
        )
    }
    handler.answer(named | {"converts": []})


def tree(handler: Handler, repo: str, revision: str, folder: str) -> None:
    """The files of a revision."""
    found = handler.find(repo, revision)
    if found is not None:
        files = found[0].commits[found[1]].values()
        handler.answer([file.as_json() for file in files if file.path.startswith(folder)])


def paths_info(handler: Handler, repo: str, revision: str) -> None:
    """Some files of a revision."""
    found = handler.find(repo, revision)
    if found is not None:
        body = handler.request_body.decode()
        is_json = "json" in (handler.headers.get("Content-Type") or "")
        wanted = json.loads(body)["paths"] if is_json else parse_qs(body).get("paths", [])
        files = found[0].commits[found[1]]
        handler.answer([files[path].as_json() for path in wanted if path in files])


def resolve(handler: Handler, repo: str, revision: str, path: str) -> None:
    """The content of one file, whole or from a byte on."""
    found = handler.find(repo, revision)
    if found is None:
        return
    kept, commit = found
    file = kept.commits[commit].get(path)
    if file is None:
        handler.refuse(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": commit})
        return
    headers = {
        "X-Repo-Commit": commit,
        "Accept-Ranges": "bytes",
        "ETag": f'"{file.etag}"',
        "Content-Type": "application/octet-stream",
    }
    if file.is_lfs:
        headers |= {"X-Linked-ETag": f'"{file.etag}"', "X-Linked-Size": f"{len(file.content)}"}
    is_sent = handler.command == "GET"
    content = handler.server.sends.get(path, file.content) if is_sent else file.content
    cuts = handler.server.cuts.get(path)
    cut = cuts.pop(0) if cuts and is_sent else None
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range") or "")
    if match is None:
        handler.answer(content, cut=cut, **headers)
        return
    start, end = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    handler.answer(content[start : end + 1], 206, cut=cut, **headers)


REPO, REVISION = r"(?P<repo>[\w.-]+/[\w.-]+)", r"(?P<revision>[^/]+)"
ASKED = ("GET", "HEAD", "POST")
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., None]]] = [
    (ASKED, r"/api/models", listing),
    (ASKED, rf"/api/models/{REPO}/tree/{REVISION}/?(?P<folder>.*)", tree),
    (ASKED, rf"/api/models/{REPO}/paths-info/{REVISION}", paths_info),
    (ASKED, rf"/api/models/{REPO}/refs", refs),
    (ASKED, rf"/api/models/{REPO}(?:/revision/{REVISION})?", info),
    (ASKED, rf"/{REPO}/resolve/{REVISION}/(?P<path>.+)", resolve),
]
