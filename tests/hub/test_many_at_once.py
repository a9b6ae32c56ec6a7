"""A cache that many processes fill at once, or that a pull was killed over, ends up whole."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import clean_environment

REPO = "my-lab/photons"
N_PROCESSES, SEED = 64, 7
N_KILLS = int(os.environ.get("CALOZOO_KILLS", "50"))

FILES = {
    "config.json": b'{"architecture": "cc"}',
    "model.safetensors": random.Random(SEED).randbytes(300_000),
    "README.md": b"---\nlicense: mit\n---\n# A card\n",
}
WHOLE = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def pull_many(folder: Path, *arguments: str | int | Path) -> list[dict[str, str]]:
    """What every process of `pull_many.py` brought."""
    script = Path(__file__).with_name("pull_many.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=600 + 4 * N_KILLS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def blobs(cache: Path) -> list[str]:
    """What is kept of the repository, by the digests of what it is."""
    folder = cache / f"models--{REPO.replace('/', '--')}" / "blobs"
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())


def test_many_processes_pull_into_one_cache_and_fetch_one_copy(hub, tmp_path):
    hub.publish(REPO, FILES, tag="v1.0")
    cache = tmp_path / "cache"

    pulled = pull_many(tmp_path, "together", N_PROCESSES, hub.url, cache)

    assert pulled == [WHOLE] * N_PROCESSES
    assert blobs(cache) == sorted(WHOLE.values())
    assert len(hub.fetched("model.safetensors")) == 1


@pytest.mark.slow
def test_a_pull_that_was_killed_anywhere_leaves_a_cache_that_the_next_one_completes(hub, tmp_path):
    hub.publish(REPO, FILES, tag="v1.0")

    pulled = pull_many(tmp_path, "killed", SEED, N_KILLS, hub.url, tmp_path / "caches")

    assert pulled == [WHOLE] * N_KILLS
    caches = [tmp_path / "caches" / str(i) for i in range(N_KILLS)]
    assert all(set(WHOLE.values()) <= set(blobs(cache)) for cache in caches)
    leftovers = [cache for cache in caches if len(blobs(cache)) > len(WHOLE)]
    assert leftovers, "no kill fell into a download"
