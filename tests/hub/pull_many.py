"""Pulls in many processes, each a fork of this one, which has imported what a pull needs.

    python pull_many.py together N ENDPOINT CACHE
    python pull_many.py killed SEED N ENDPOINT CACHE

`together` pulls in N processes at once. `killed` pulls N times into caches of their own and kills
each pull, without a warning, at a call of a function that the seed decides; then it pulls again
into the same cache. Both print a JSON array with what each process brought.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from calozoo.models.weights import pull_repository

REPO = "my-lab/photons"
CHUNK = 1 << 14
"""Files arrive in pieces of this size, so that a kill falls between two of them too."""


def pulled(endpoint: str, cache: Path) -> dict[str, str]:
    """Pull the tagged weights, and say what their files hash to."""
    found = pull_repository(REPO, "v1.0", endpoint=endpoint, cache_dir=cache)
    assert found.folder is not None
    return {
        file.name: hashlib.sha256((found.folder / file.name).read_bytes()).hexdigest()
        for file in found.files
    }


def fork(work: Callable[[], object]) -> tuple[int, int]:
    """Do something in another process; gives its number, and where to read what came of it."""
    source, sink = os.pipe()
    child = os.fork()
    if child:
        os.close(sink)
        return child, source
    try:
        answer = work()
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    os.write(sink, json.dumps(answer).encode())
    os._exit(0)


def answer_of(child: int, source: int) -> object:
    """What came of it; None if the process was killed."""
    with os.fdopen(source, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else json.loads(text)


class Calls:
    """Counts the calls of functions, Python's and C's, in all threads of a process.

    Arguments:
        last: The one before which the process is killed; None if it is not.
    """

    def __init__(self, last: int | None = None) -> None:
        self.n, self.last = 0, last

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.n += 1
            if self.n == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def during(self, work: Callable[[], object]) -> object:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            return work()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def together(n: int, endpoint: str, cache: Path) -> list[object]:
    children = [fork(lambda: pulled(endpoint, cache)) for _ in range(n)]
    return [answer_of(*child) for child in children]


def killed(seed: int, n: int, endpoint: str, caches: Path) -> list[object]:
    def until(calls: Calls, cache: Path) -> object:
        calls.during(lambda: pulled(endpoint, cache))
        return calls.n

    n_calls = answer_of(*fork(partial(until, Calls(), caches / "counted")))
    rng = random.Random(seed)
    answers: list[object] = []
    while len(answers) < n:
        last, cache = rng.randrange(1, n_calls), caches / str(len(answers))
        if answer_of(*fork(partial(until, Calls(last), cache))) is None:
            answers.append(answer_of(*fork(partial(pulled, endpoint, cache))))
        else:
            shutil.rmtree(cache)  # threads take turns as they like, so a pull may end before
    return answers


def main(kind: str, *arguments: str) -> None:
    import huggingface_hub

    for name in ("HfApi", "snapshot_download"):  # imported now, and not once a process
        getattr(huggingface_hub, name)
    huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    *numbers, endpoint, cache = arguments
    work = {"together": together, "killed": killed}[kind]
    json.dump(work(*map(int, numbers), endpoint, Path(cache)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
