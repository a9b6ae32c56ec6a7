"""Process of a data-parallel training: `python -m calozoo_core.training.member`.

It reads its request as a line of JSON from standard input, joins the others, and trains. Its last
line on standard output says in JSON why it ended, unless all went well. When standard input ends,
the process that started it is gone, and it stops as at a signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType
from typing import Any, Final, TextIO

import torch
from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from calozoo_core.errors import CalozooError, InputError
from calozoo_core.training.together import STOPPED

__all__ = ["main"]

MEETING: Final = timedelta(minutes=10)
"""Time for all processes to come."""

PATIENCE: Final = timedelta(days=7)
"""Time that one may wait for another, which may be making a long preparation alone."""


def main(stdin: TextIO, replies: TextIO) -> int:
    """Train as one of several processes.

    Arguments:
        stdin: The request, and nothing after it.
        replies: Where the reason goes if it ends otherwise than well.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    request = json.loads(stdin.readline())
    threading.Thread(target=_follow, args=(stdin,), daemon=True).start()
    try:
        _join()
        train = resolve_name(request["trainer"])
        train(Path(request["data"]), Path(request["out"]), **request["options"])
    except KeyboardInterrupt as interrupt:
        return _say(replies, STOPPED, stopped=str(interrupt))
    except InputError as error:
        return _say(replies, error.exit_code, refused=str(error))
    except CalozooError as error:
        return _say(replies, error.exit_code, failed=str(error))
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        reason = "Another process of the training is gone; the same command goes on."
        return _say(replies, 1, lost=reason)
    return 0


def _say(replies: TextIO, code: int, **answer: str) -> int:
    print(json.dumps(answer), file=replies, flush=True)
    return code


def _join() -> None:
    """Join the processes that the environment names, by the names that torch gives these.

    Raises:
        CalozooError: If not all of them come.
    """
    environment = os.environ
    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    try:
        store = TCPStore(address, port, size, rank == 0, MEETING)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        msg = f"The {size} processes of the training did not meet at {address}:{port}: {reason}"
        raise CalozooError(msg) from error


def _follow(stdin: TextIO) -> None:
    """Stop when the process that started this one is gone."""
    stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(number: int, _: FrameType | None) -> Any:
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # what a library prints is no answer
        code = main(sys.stdin, sys.__stdout__ or sys.stdout)
    sys.stderr.flush()
    os._exit(code)  # groups and threads of those that were stopped would wait for each other
