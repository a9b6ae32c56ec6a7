"""Runtimes: the libraries that compute a network, numpy or torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

from calozoo_core.errors import InputError

__all__ = ["RUNTIMES", "Runtime", "choose_runtime", "has_bfloat16", "is_installed"]

Runtime = Literal["numpy", "torch"]

RUNTIMES: Final[tuple[Runtime, ...]] = get_args(Runtime)

_BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""Names of Linux for processors that multiply bfloat16 in hardware."""


def is_installed(runtime: Runtime) -> bool:
    """True if the library of a runtime is installed; this imports nothing."""
    return find_spec(runtime) is not None


def choose_runtime(
    what: str, runtimes: Sequence[Runtime], asked: str | None, argument: str | None = None
) -> Runtime:
    """Runtime of a model.

    Arguments:
        what: Name of the model, or what is asked of it, for the message.
        runtimes: Runtimes that the model has, the fastest first.
        asked: Runtime that was asked for; None for the fastest that is installed.
        argument: Python argument in `what`, which has an option of the command line.

    Raises:
        InputError: If the model does not have it, or it is not installed.
    """
    arguments = ("runtime", *([argument] if argument else []))
    known = [runtime for runtime in runtimes if runtime == asked]
    if asked is not None and not known:
        has = " or ".join(runtimes)
        msg = f"{what} runs in {has}, not in {asked}; leave out runtime."
        raise InputError(msg, argument=arguments)
    wanted = known or runtimes
    for runtime in wanted:
        if is_installed(runtime):
            return runtime
    msg = (
        f"{what} needs {wanted[0]}, which is not installed; "
        f"type `pip install 'calozoo-core[{wanted[0]}]'`."
    )
    raise InputError(msg, argument=arguments[1:])


@cache
def has_bfloat16() -> bool:
    """True if this processor multiplies bfloat16 in hardware; False where it cannot be told."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(
        not _BFLOAT16_FLAGS.isdisjoint(line.partition(":")[2].split())
        for line in text.splitlines()
        if line.startswith("flags")
    )
