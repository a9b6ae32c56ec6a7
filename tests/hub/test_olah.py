"""Weights pulled through olah: a Hub that was not written for these tests, with the real client."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calozoo.models.discovery import Registration
from calozoo.models.index import IndexEntry
from calozoo.models.weights import pull
from calozoo_core.errors import HubError
from calozoo_core.generator import Conditions, ModelSpec

OLAH = shutil.which("olah-cli", path=str(Path(sys.executable).parent)) or shutil.which("olah-cli")
GIT = shutil.which("git")
REPO = "calozoo/olah-test"
FILES = {
    "config.json": b'{"seed": 1}',
    "model.safetensors": bytes(range(256)) * 40,
    "README.md": b"# A card\n",
}

pytestmark = [
    pytest.mark.olah,
    pytest.mark.skipif(OLAH is None, reason="olah-cli is not there; `pip install olah`"),
]


@contextmanager
def olah(folder: Path, *arguments: str, config: str = "") -> Iterator[str]:
    """An olah of its own; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder / "olah"
    home.mkdir()
    basic = f'host = "127.0.0.1"\nport = {port}\nrepos-path = "{home / "repos"}"\n'
    (home / "olah.toml").write_text(f"[basic]\n{basic}{config}")
    where = ["--config", "olah.toml", "--log-path", "logs", "--port", str(port)]
    with (home / "output.txt").open("wb") as output:
        running = subprocess.Popen(
            [str(OLAH), *where, *arguments], cwd=home, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(port, running, home / "output.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        import huggingface_hub

        huggingface_hub.close_session()
        running.terminate()
        running.wait(20)


def wait_for(port: int, running: subprocess.Popen[bytes], output: Path) -> None:
    """Until olah listens; olah that ends instead fails the test with what it said."""
    for _ in range(600):
        if running.poll() is not None:
            pytest.fail(f"olah ended before it listened: {output.read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("olah did not listen within a minute")


def model(commit: str | None) -> tuple[Registration, IndexEntry]:
    """A model whose weights are in REPO, pinned to a commit or not."""
    spec = ModelSpec(
        name="olah.test",
        summary="A test.",
        factory="nowhere:Nothing",
        representation="x9",
        detector="ild_siecal_regular",
        conditions=Conditions(energy_gev=(1, 10)),
        weights="calozoo_core:nothing",
        license="MIT",
    )
    digests = {name: hashlib.sha256(FILES[name]).hexdigest() for name in list(FILES)[:2]}
    entry = IndexEntry(
        name="olah.test",
        summary="A test.",
        distribution="zoo-olah",
        repo=REPO,
        revision=commit,
        sha256=digests,
    )
    return Registration(spec, "zoo-olah", "1.0"), entry


def test_weights_come_through_a_mirror_in_front_of_the_hub(hub, tmp_path):
    commit = hub.publish(REPO, FILES)
    netloc = hub.url.removeprefix("http://")
    front = f'hf-scheme = "http"\nhf-netloc = "{netloc}"\nhf-lfs-netloc = "{netloc}"\n'

    with olah(tmp_path, config=front) as address:
        pulled = pull(*model(commit), endpoint=address, cache_dir=tmp_path / "cache")

    assert {f.name: (pulled.folder / f.name).read_bytes() for f in pulled.files} == FILES
    assert hub.fetched("model.safetensors")


@pytest.mark.skipif(GIT is None, reason="git is not there; install it")
def test_weights_come_from_a_git_repository_that_olah_serves(tmp_path):
    commit = git_repository(tmp_path / "mirrors" / "models" / REPO)
    mirror = f'mirrors-path = ["{tmp_path / "mirrors"}"]\n[accessibility]\noffline = true\n'

    with olah(tmp_path, config=mirror) as address:
        options = {"endpoint": address, "cache_dir": tmp_path / "cache"}
        tagged = pull(*model(None), revision="v1.0", **options)
        pinned = pull(*model(commit), **options)
        with pytest.raises(HubError, match=r"^the Hub has no re"):
            pull(*model(None), revision="v9", **options)

    assert tagged.source == f"from the Hub ({REPO}@{commit[:12]})"
    assert pinned.source == f"in the Hugging Face cache ({REPO}@{commit[:12]})"
    for pulled in (tagged, pinned):
        assert {f.name: (pulled.folder / f.name).read_bytes() for f in pulled.files} == FILES


def git_repository(folder: Path) -> str:
    """A repository with one commit of FILES, tagged v1.0; returns the commit's hash."""
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = [str(GIT), *who, *arguments]
        return subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "weights")
    git("tag", "v1.0")
    return git("rev-parse", "HEAD")
