"""A Hugging Face Hub on loopback: the download side of its HTTP interface, and ways to go wrong.

Standard library only; everything is in memory. What it answers was compared with what the real
client asks for, and with olah, an independent mirror that can stand in front of it.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Hub", "Request"]

LFS_BYTES = 1024
"""Anything larger is kept by git-lfs, and so known by its sha256; the rest by git's own hash."""


class Request(NamedTuple):
    """What a client asked for."""

    method: str
    path: str
    range: str


@dataclass(frozen=True)
class File:
    """A file of a commit, with the names the Hub knows it by."""

    path: str
    content: bytes

    @property
    def is_lfs(self) -> bool:
        return len(self.content) > LFS_BYTES

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git itself holds in place of a file that git-lfs keeps."""
        head = "version https://git-lfs.github.com/spec/v1"
        return f"{head}\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else git_sha1(self.content)

    def as_json(self) -> dict[str, object]:
        size = len(self.content)
        entry: dict[str, object] = {"type": "file", "path": self.path, "size": size}
        if not self.is_lfs:
            return entry | {"oid": git_sha1(self.content)}
        lfs = {"oid": self.sha256, "size": size, "pointerSize": len(self.pointer)}
        return entry | {"oid": git_sha1(self.pointer), "lfs": lfs}

    def as_sibling(self, with_blob: bool) -> dict[str, object]:
        name: dict[str, object] = {"rfilename": self.path}
        if not with_blob:
            return name
        name |= {"size": len(self.content), "blobId": self.as_json()["oid"]}
        lfs = {"sha256": self.sha256, "size": len(self.content), "pointerSize": len(self.pointer)}
        return name | ({"lfs": lfs} if self.is_lfs else {})


@dataclass
class Repo:
    """Commits by hash, and the branches and tags that point to them."""

    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def find(self, revision: str) -> str | None:
        commit = self.refs.get(revision, revision)
        return commit if commit in self.commits else None


class Hub(ThreadingHTTPServer):
    """Serves what was published, on a port of its own, while its `with` block lasts.

    Attributes:
        requests: All that was asked for, in order.
        cuts: By file, the numbers of bytes after which the next answers break off.
        sends: By file, what is sent in place of the content that the listing promises.
        is_down: Answer 503 to everything.

    Example:
        >>> with Hub() as hub:
        ...     commit = hub.publish("calozoo/toy", {"config.json": b"{}"})
        ...     len(commit), hub.url.startswith("http://127.0.0.1:")
        (40, True)
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.cuts: dict[str, list[int]] = {}
        self.sends: dict[str, bytes] = {}
        self.is_down = False
        self.open_connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, repo: str, files: Mapping[str, bytes], *, tag: str | None = None) -> str:
        """Commit these files to the main branch; returns the commit's hash."""
        kept = self.repos.setdefault(repo, Repo())
        tree = {path: File(path, content) for path, content in files.items()}
        history = [repo, *kept.commits, *(f"{file.path}:{file.etag}" for file in tree.values())]
        commit = hashlib.sha1("\n".join(history).encode()).hexdigest()
        kept.commits[commit] = tree
        kept.refs["main"] = commit
        if tag is not None:
            kept.refs[tag] = commit
        return commit

    def fetched(self, name: str) -> list[Request]:
        """The requests for the content of files of this name."""
        return [r for r in self.requests if r.method == "GET" and r.path.endswith(f"/{name}")]

    def __enter__(self) -> Hub:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        for connection in list(self.open_connections):
            hang_up(connection)
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open from request to request as the Hub does."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def setup(self) -> None:
        super().setup()
        self.server.open_connections.add(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server.open_connections.discard(self.connection)

    def log_message(self, *_: object) -> None:
        """Stay quiet: the tests read `Hub.requests`."""

    def do_GET(self) -> None:
        self.read_request_body()
        path = urlsplit(self.path).path
        asked_range = self.headers.get("Range") or ""
        self.server.requests.append(Request(self.command, path, asked_range))
        if self.server.is_down:
            return self.refuse(503, "", "the Hub is having a rest")
        for pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                found = {key: unquote(part or "") for key, part in match.groupdict().items()}
                return answer(self, **found)
        return self.refuse(404, "", f"no route {path}")

    do_HEAD = do_GET  # noqa: N815
    do_POST = do_GET  # noqa: N815

    def read_request_body(self) -> None:
        self.request_body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def info(self, repo: str, revision: str) -> None:
        """What a repository and a revision of it are."""
        commit = self.find(repo, revision or "main")
        if commit is None:
            return
        files = self.server.repos[repo].commits[commit].values()
        with_blobs = "blobs" in parse_qs(urlsplit(self.path).query)
        about = {
            "_id": "0" * 24,
            "id": repo,
            "modelId": repo,
            "author": repo.partition("/")[0],
            "sha": commit,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [file.as_sibling(with_blobs) for file in files],
        }
        self.answer(json.dumps(about).encode())

    def tree(self, repo: str, revision: str, folder: str) -> None:
        """The files of a revision."""
        commit = self.find(repo, revision)
        if commit is not None:
            files = self.server.repos[repo].commits[commit].values()
            inside = [file.as_json() for file in files if file.path.startswith(folder)]
            self.answer(json.dumps(inside).encode())

    def paths_info(self, repo: str, revision: str) -> None:
        """Some files of a revision."""
        commit = self.find(repo, revision)
        if commit is not None:
            body = self.request_body.decode()
            is_json = "json" in (self.headers.get("Content-Type") or "")
            wanted = json.loads(body)["paths"] if is_json else parse_qs(body).get("paths", [])
            files = self.server.repos[repo].commits[commit]
            self.answer(json.dumps([files[p].as_json() for p in wanted if p in files]).encode())

    def resolve(self, repo: str, revision: str, path: str) -> None:
        """The content of one file, whole or from a byte on."""
        commit = self.find(repo, revision)
        if commit is None:
            return
        file = self.server.repos[repo].commits[commit].get(path)
        if file is None:
            self.refuse(404, "EntryNotFound", "Entry not found", **{"X-Repo-Commit": commit})
            return
        headers = {
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
            "ETag": f'"{file.etag}"',
            "Content-Type": "application/octet-stream",
        }
        if file.is_lfs:
            headers |= {"X-Linked-ETag": f'"{file.etag}"', "X-Linked-Size": f"{len(file.content)}"}
        content = (
            self.server.sends.get(path, file.content) if self.command == "GET" else file.content
        )
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match is None:
            self.answer(content, cut=self.next_cut(path), **headers)
            return
        start, end = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self.answer(content[start : end + 1], 206, cut=self.next_cut(path), **headers)

    def next_cut(self, path: str) -> int | None:
        cuts = self.server.cuts.get(path)
        return cuts.pop(0) if cuts and self.command == "GET" else None

    def find(self, repo: str, revision: str) -> str | None:
        """The commit meant; without one the request is refused here."""
        if repo not in self.server.repos:
            self.refuse(404, "RepoNotFound", "Repository not found")
            return None
        commit = self.server.repos[repo].find(revision)
        if commit is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        if code:
            headers["X-Error-Code"] = code
        headers["X-Error-Message"] = message
        self.answer(json.dumps({"error": message}).encode(), status, **headers)

    def answer(
        self, body: bytes, status: int = 200, *, cut: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
            hang_up(self.connection)


def git_sha1(content: bytes) -> str:
    """The name git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def hang_up(connection: socket.socket) -> None:
    """End a connection that the other side may still be reading from."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster


REPO, REVISION = r"(?P<repo>[\w.-]+/[\w.-]+)", r"(?P<revision>[^/]+)"
ROUTES: list[tuple[str, Callable[..., None]]] = [
    (rf"/api/models/{REPO}/tree/{REVISION}/?(?P<folder>.*)", Handler.tree),
    (rf"/api/models/{REPO}/paths-info/{REVISION}", Handler.paths_info),
    (rf"/api/models/{REPO}(?:/revision/{REVISION})?", Handler.info),
    (rf"/{REPO}/resolve/{REVISION}/(?P<path>.+)", Handler.resolve),
]
