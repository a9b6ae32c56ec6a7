"""The server, and one connection to it: who asks, for what, and how an answer is written."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from hub_server import reading, writing
from hub_server.repos import Repo

__all__ = ["READER", "WRITER", "Handler", "Hub", "Request"]

WRITER, READER = "hf_writer", "hf_reader"
"""Tokens: of somebody who may write to some organisations, and of somebody who may read only."""


class Request(NamedTuple):
    """What a client asked for."""

    method: str
    path: str
    range: str


class Account(NamedTuple):
    """Whom a token stands for, and what that person may write to."""

    name: str
    owners: tuple[str, ...]


class Hub(ThreadingHTTPServer):
    """Serves what was published, on a port of its own, while its `with` block lasts.

    Attributes:
        requests: All that was asked for, in order.
        accounts: Who has which token.
        objects: The content of large files that were uploaded, by sha256.
        cuts: By file, the numbers of bytes after which the next answers break off.
        sends: By file, what is sent in place of the content that the listing promises.
        refusals: By path, the status that is answered to a request whose method is POST.
        is_down: Answer 503 to everything.

    Example:
        >>> with Hub() as hub:
        ...     commit = hub.publish("calozoo/toy", {"config.json": b"{}"})
        ...     len(commit), hub.url.startswith("http://127.0.0.1:")
        (40, True)
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.accounts = {
            WRITER: Account("physicist", ("physicist", "my-lab")),
            READER: Account("visitor", ()),
        }
        self.objects: dict[str, bytes] = {}
        self.cuts: dict[str, list[int]] = {}
        self.sends: dict[str, bytes] = {}
        self.refusals: dict[str, int] = {}
        self.is_down = False
        self.open_connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, repo: str, files: Mapping[str, bytes], *, tag: str | None = None) -> str:
        """Commit these files to the main branch, without a client; returns the commit's hash."""
        kept = self.repos.setdefault(repo, Repo(repo))
        commit = kept.commit(files)
        if tag is not None:
            kept.tags[tag] = commit
        return commit

    def fetched(self, name: str) -> list[Request]:
        """The requests for the content of files of this name."""
        return [r for r in self.requests if r.method == "GET" and r.path.endswith(f"/{name}")]

    def sent(self) -> list[Request]:
        """The requests that put something here."""
        changing = ("/create", "/commit/", "/tag/", "/lfs/")
        return [r for r in self.requests if any(word in r.path for word in changing)]

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
        self.request_body = self.read_request_body()
        path = urlsplit(self.path).path
        asked_range = self.headers.get("Range") or ""
        self.server.requests.append(Request(self.command, path, asked_range))
        if self.server.is_down:
            return self.refuse(503, "", "the Hub is having a rest")
        if self.command == "POST" and path in self.server.refusals:
            return self.refuse(self.server.refusals[path], "", "not now")
        if self.token and self.account is None:
            return self.refuse(401, "", "Invalid credentials in Authorization header")
        for methods, pattern, answer in (*reading.ROUTES, *writing.ROUTES):
            match = re.fullmatch(pattern, path)
            if match and self.command in methods:
                found = {key: unquote(part or "") for key, part in match.groupdict().items()}
                return answer(self, **found)
        return self.refuse(404, "", f"no route {path}")

    do_HEAD = do_GET  # noqa: N815
    do_POST = do_GET  # noqa: N815
    do_PUT = do_GET  # noqa: N815

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    @property
    def account(self) -> Account | None:
        """Who asks; None for somebody without a token."""
        return self.server.accounts.get(self.token)

    def read_request_body(self) -> bytes:
        if (self.headers.get("Transfer-Encoding") or "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def find(self, repo: str, revision: str) -> tuple[Repo, str] | None:
        """The repository and the commit meant; without them the request is refused here."""
        kept = self.server.repos.get(repo)
        owners = self.account.owners if self.account else ()
        if kept is None or (kept.is_private and kept.owner not in owners):
            self.refuse(404, "RepoNotFound", "Repository not found")
            return None
        commit = kept.find(revision)
        if commit is None:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return kept, commit

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        if code:
            headers["X-Error-Code"] = code
        headers["X-Error-Message"] = message
        self.answer({"error": message}, status, **headers)

    def answer(
        self, body: object, status: int = 200, *, cut: int | None = None, **headers: str
    ) -> None:
        """Answer with bytes, or with anything else as JSON.

        Arguments:
            body: The answer.
            status: Of HTTP.
            cut: After how many bytes to break off.
            headers: Of HTTP.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True
            hang_up(self.connection)


def hang_up(connection: socket.socket) -> None:
    """End a connection that the other side may still be reading from."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
