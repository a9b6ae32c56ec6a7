"""Global state of numpy and torch, at its defaults while a model is loaded or samples.

Other packages of a process change the type, the device and the precision that torch computes with
unless it is told otherwise, and how numpy treats an underflow. Showers must not depend on that, and
whoever changed it must find it unchanged.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

from calozoo_core.cores import available_cores, usable_threads

__all__ = ["callers_threads", "default_state"]


@contextmanager
def default_state() -> Iterator[None]:
    """Run a block, or a function, with the defaults of numpy and torch, and torch on one thread.

    - numpy: the treatment of floating-point errors.
    - torch, in this thread: device, autocast, gradients, inference mode, number of threads.
    - torch, in the process: type of floats, precision of products, oneDNN. While a block runs in
      any thread these are at their defaults for all threads; torch has one of each.

    Sums depend on the number of threads that share them, and threads of OpenMP do not survive a
    fork, so torch gets one. `callers_threads` says how many there are for whole showers.

    Example:
        >>> import numpy as np
        >>> with np.errstate(all="raise"), default_state():
        ...     float(np.float32(1e-30) * np.float32(1e-30))
        0.0
    """
    if _thread.depth:  # inside another block
        yield
        return
    import numpy as np

    with ExitStack() as stack:
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        if "torch" in sys.modules:
            stack.enter_context(_torch_defaults())
        else:
            _thread.threads = None  # counted when somebody asks, since that reads files
        _thread.depth += 1
        stack.callback(_leave)
        yield


def callers_threads() -> int:
    """Number of threads for whole showers: those the caller gave to torch, at most one a core."""
    threads = _thread.threads if _thread.depth else None
    if threads is None:
        threads = usable_threads()
    return min(threads, available_cores()) if threads > 1 else 1


class _Thread(threading.local):
    """State of one thread: how many blocks it is in, and the threads that torch had before."""

    depth = 0
    threads: int | None = None


_thread: Final = _Thread()


def _leave() -> None:
    _thread.depth -= 1


@contextmanager
def _torch_defaults() -> Iterator[None]:
    import torch

    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(mode=False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_process.at_defaults())
        yield


class _Setting(NamedTuple):
    """Setting that torch has once for the process."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    defaults: tuple[Any, ...]


class _ProcessSettings:
    """Settings of torch for the whole process, at their defaults while any thread is in a block.

    The first thread that enters sets them, and the last one that leaves puts back what was there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._threads = 1
        self._kept: list[tuple[_Setting, Any]] = []

    @contextmanager
    def at_defaults(self) -> Iterator[None]:
        import torch

        with self._lock:
            own = torch.get_num_threads()
            if self._users == 0:
                self._threads = own
            elif own == 1:  # a thread that is new to torch starts with the number set last
                own = self._threads
            self._users += 1
            self._set_defaults()
            torch.set_num_threads(1)
        _thread.threads = own
        try:
            yield
        finally:
            with self._lock:
                torch.set_num_threads(own)
                self._users -= 1
                if self._users == 0:
                    self._restore()

    def renew(self) -> None:
        """Start afresh in a forked child, which has none of the parent's other threads."""
        self._lock = threading.Lock()
        self._users = min(_thread.depth, 1)
        if self._users == 0:
            self._restore()

    def _set_defaults(self) -> None:
        for setting in _settings():
            value = setting.read()
            if value not in setting.defaults:
                setting.write(setting.defaults[0])
                self._kept.append((setting, value))

    def _restore(self) -> None:
        while self._kept:
            setting, value = self._kept.pop()
            setting.write(value)


def _settings() -> list[_Setting]:
    import torch

    mkldnn = torch.backends.mkldnn

    def enable(value: bool) -> None:
        mkldnn.enabled = value  # type: ignore[assignment]

    return [
        _Setting(torch.get_default_dtype, torch.set_default_dtype, (torch.float32,)),
        _Setting(lambda: mkldnn.enabled, enable, (True,)),
        *_precisions(),
    ]


def _precisions() -> list[_Setting]:
    """Precision of products of float32 numbers; torch 2.9 has one a library and an operation."""
    import torch

    backends = torch.backends
    if not hasattr(backends.mkldnn, "matmul"):
        read, write = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        return [_Setting(read, write, ("highest",))]

    def setting(operation: Any) -> _Setting:
        def write(value: str) -> None:
            operation.fp32_precision = value

        return _Setting(lambda: operation.fp32_precision, write, ("ieee", "none"))

    mkldnn: Any = backends.mkldnn
    operations = (mkldnn.matmul, mkldnn.conv, backends.cuda.matmul)
    return [setting(operation) for operation in operations]


_process: Final = _ProcessSettings()

if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_process.renew)
