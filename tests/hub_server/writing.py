"""What can be put on the Hub: repositories, files by git-lfs or in the commit itself, tags."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub_server.reading import REPO, REVISION
from hub_server.repos import LFS_BYTES, Repo

if TYPE_CHECKING:
    from hub_server.server import Handler

__all__ = ["ROUTES"]

LICENSES = ("apache-2.0", "cc-by-4.0", "mit", "other")


def may_write(handler: Handler, repo: str) -> bool:
    """Whether whoever asks may write to a repository; if not, the request is refused here."""
    account = handler.account
    if account is None:
        handler.refuse(401, "", "Unauthorized")
    elif repo.partition("/")[0] not in account.owners:
        handler.refuse(403, "", "Forbidden: you don't have the rights to write here")
    else:
        return True
    return False


def whoami(handler: Handler) -> None:
    """Whose token this is."""
    if handler.account is None:
        handler.refuse(401, "", "Unauthorized")
        return
    auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
    handler.answer({"type": "user", "name": handler.account.name, "orgs": [], "auth": auth})


def create(handler: Handler) -> None:
    """Make a repository, with a first commit as the Hub makes one."""
    asked = json.loads(handler.request_body)
    account = handler.account
    repo = f"{asked.get('organization') or (account and account.name)}/{asked['name']}"
    if not may_write(handler, repo):
        return
    url = f"{handler.server.url}/{repo}"
    if repo in handler.server.repos:
        error = "You already created this model repo"
        handler.answer({"error": error, "url": url}, 409, **{"X-Error-Message": error})
        return
    made = Repo(repo, is_private=asked.get("visibility") == "private")
    made.commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
    handler.server.repos[repo] = made
    handler.answer({"url": url, "name": repo, "id": "0" * 24})


def validate_card(handler: Handler) -> None:
    """Refuse a card whose licence the Hub does not know."""
    content = json.loads(handler.request_body)["content"]
    named = re.search(r"^license: *\"?([^\"\n]*)", content, re.MULTILINE)
    if named is None or named[1] in LICENSES:
        handler.answer({"errors": [], "warnings": []})
        return
    message = f'"license" must be one of {", ".join(LICENSES)}'
    handler.answer({"errors": [{"message": message}], "warnings": []}, 400)


def preupload(handler: Handler, repo: str, revision: str) -> None:
    """How each file is to be sent, and what is there in its place already."""
    found = handler.find(repo, revision)
    if found is None or not may_write(handler, repo):
        return
    there = found[0].commits[found[1]]
    modes = []
    for file in json.loads(handler.request_body)["files"]:
        mode = "lfs" if file["size"] > LFS_BYTES else "regular"
        known = {"oid": there[file["path"]].etag} if file["path"] in there else {}
        modes.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False} | known)
    handler.answer({"files": modes, "commitOid": found[1]})


def lfs_batch(handler: Handler, repo: str) -> None:
    """Where to send large files; those that are here already need not be sent."""
    if not may_write(handler, repo):
        return
    wanted = []
    for thing in json.loads(handler.request_body)["objects"]:
        oid = thing["oid"]
        entry = {"oid": oid, "size": thing["size"], "authenticated": True}
        if oid not in handler.server.objects:
            href = f"{handler.server.url}/_lfs/{oid}"
            entry["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
        wanted.append(entry)
    handler.answer({"transfer": "basic", "objects": wanted})


def lfs_put(handler: Handler, oid: str) -> None:
    """Take a large file; what it is called is what it hashes to."""
    if hashlib.sha256(handler.request_body).hexdigest() != oid:
        handler.refuse(400, "", "sha256 mismatch")
        return
    handler.server.objects[oid] = handler.request_body
    handler.answer(b"")


def lfs_verify(handler: Handler, oid: str) -> None:
    """Whether a large file has arrived."""
    size = json.loads(handler.request_body)["size"]
    if len(handler.server.objects.get(oid, b"")) != size:
        handler.refuse(404, "", "missing object")
        return
    handler.answer({})


def commit(handler: Handler, repo: str, revision: str) -> None:
    """Put the files of a commit beside those that are there."""
    found = handler.find(repo, revision)
    if found is None or not may_write(handler, repo):
        return
    kept, parent = found
    files = {path: file.content for path, file in kept.commits[parent].items()}
    _, *changes = (json.loads(line) for line in handler.request_body.splitlines() if line.strip())
    for change in changes:
        value = change["value"]
        if change["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif change["key"] == "lfsFile" and value["oid"] in handler.server.objects:
            files[value["path"]] = handler.server.objects[value["oid"]]
        else:
            handler.refuse(400, "", f"cannot do {change['key']} of {value['path']}")
            return
    made = kept.commit(files)
    url = f"{handler.server.url}/{repo}/commit/{made}"
    handler.answer({"success": True, "commitOid": made, "commitUrl": url, "hookOutput": ""})


def tag(handler: Handler, repo: str, revision: str) -> None:
    """Give a commit a name, once."""
    found = handler.find(repo, revision)
    if found is None or not may_write(handler, repo):
        return
    name = json.loads(handler.request_body)["tag"]
    if name in found[0].tags:
        handler.refuse(409, "", "Tag reference exists already")
        return
    found[0].tags[name] = found[1]
    handler.answer(b"OK")


OID = r"(?P<oid>[0-9a-f]{64})"
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., None]]] = [
    (("GET",), r"/api/whoami-v2", whoami),
    (("POST",), r"/api/repos/create", create),
    (("POST",), r"/api/validate-yaml", validate_card),
    (("POST",), rf"/api/models/{REPO}/preupload/{REVISION}", preupload),
    (("POST",), rf"/api/models/{REPO}/commit/{REVISION}", commit),
    (("POST",), rf"/api/models/{REPO}/tag/{REVISION}", tag),
    (("POST",), rf"/{REPO}\.git/info/lfs/objects/batch", lfs_batch),
    (("PUT",), rf"/_lfs/{OID}", lfs_put),
    (("POST",), rf"/_lfs/{OID}/verify", lfs_verify),
]
