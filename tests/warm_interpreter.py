"""An interpreter that has imported what most programs here need, and forks for each of them.

A short command spends most of its time on importing numpy, h5py and pydantic. Here that is done
once; each program still has a process of its own, with its own folder, variables and streams.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

__all__ = ["Interpreter", "warm_interpreter"]

MESSAGE = 1 << 20
"""Longest request, in bytes."""

IMPORTED_FIRST = (
    "calozoo.api",
    "calozoo.cli.generate",
    "calozoo.cli.models",
    "calozoo.cli.show",
    "calozoo.evaluation.evaluate",
    "calozoo.generation.generate_file",
    "calozoo_core.clumps.generator",
    "calozoo_core.io.hdf5",
    "calozoo_core.network_generator",
    "calozoo_core.observables",
    "calozoo_core.placement",
)
"""Modules that most programs import; none of them reads a variable when it is imported."""

READ_AT_START = ("PYTHON", "LC_", "LANG", "OMP_", "OPENBLAS_", "MKL_")
"""Beginnings of variables that are read before a program is."""


class Interpreter:
    """Runs Python programs as `subprocess.run` does, but without starting Python for each.

    Arguments:
        connection: To the process that forks; None where there is none, and Python is started.
    """

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection
        self._read_at_start = _read_at_start(os.environ)

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout: float | None = None,
        together: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end.

        Arguments:
            arguments: What stands behind `python`: `-m calozoo` or `-c TEXT`, and its own.
            cwd: Folder it runs in.
            env: All its variables.
            timeout: Seconds after which it is killed; None waits for it.
            together: Its stderr goes where its stdout does.

        Raises:
            subprocess.TimeoutExpired: If it took too long.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            streams = (out.fileno(), out.fileno() if together else err.fileno())
            if self._connection is None or not self._can_be_forked(arguments, env):
                code = _start(arguments, cwd, env, timeout, streams)
            else:
                code = self._fork(arguments, cwd, env, timeout, streams)
            texts = [_content(stream.fileno()) for stream in (out, err)]
        return subprocess.CompletedProcess([sys.executable, *arguments], code, *texts)

    def _can_be_forked(self, arguments: Sequence[str], env: Mapping[str, str]) -> bool:
        """True if what is read when Python starts is what the process that forks has read."""
        is_ours = arguments[0] == "-c" or tuple(arguments[:2]) == ("-m", "calozoo")
        return is_ours and _read_at_start(env) == self._read_at_start

    def _fork(
        self,
        arguments: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        timeout: float | None,
        streams: tuple[int, int],
    ) -> int:
        assert self._connection is not None
        request = json.dumps([list(arguments), str(cwd), dict(env)]).encode()
        socket.send_fds(self._connection, [request], streams)
        pid = int(self._connection.recv(64))
        self._connection.settimeout(timeout)
        try:
            return int(self._connection.recv(64))
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            self._connection.settimeout(None)
            self._connection.recv(64)
            raise subprocess.TimeoutExpired(list(arguments), timeout or 0) from error
        finally:
            self._connection.settimeout(None)


@contextmanager
def warm_interpreter() -> Iterator[Interpreter]:
    """An interpreter for many programs; where processes cannot be forked safely, Python itself."""
    if sys.platform != "linux":
        yield Interpreter(None)
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = f"from warm_interpreter import serve; serve({theirs.fileno()})"
    path = os.pathsep.join([str(Path(__file__).parent), *_added_path(os.environ)])
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    ):
        theirs.close()
        with ours:
            yield Interpreter(ours)


def serve(number: int) -> None:
    """Fork for each request of a connection, until its other side is closed.

    Arguments:
        number: File descriptor of the connection.
    """
    for name in IMPORTED_FIRST:
        __import__(name)
    del sys.path[1 : 1 + len(_added_path(os.environ))]  # each program brings its own
    # Each program would walk through all of it when it ends, and so copy its pages: 0.1 s.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=number) as connection:
        while True:
            request, streams, _, _ = socket.recv_fds(connection, MESSAGE, 2)
            if not request:
                return
            pid = os.fork()
            if pid == 0:
                break
            for stream in set(streams):
                os.close(stream)
            connection.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    _become(*json.loads(request), streams=streams)


def _become(
    arguments: list[str], folder: str, variables: Mapping[str, str], *, streams: Sequence[int]
) -> None:
    """Be the program of a request."""
    for own, given in zip((1, 2), streams, strict=True):
        os.dup2(given, own)
    for given in set(streams):
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[1:1] = _added_path(variables)
    option, program, *own_arguments = arguments
    sys.argv = [option, *own_arguments]
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), main.__dict__)


def _added_path(variables: Mapping[str, str]) -> list[str]:
    return list(filter(None, variables.get("PYTHONPATH", "").split(os.pathsep)))


def _read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables that are read before a program is, but for the path, which each brings along."""
    names = {name for name in variables if name.startswith(READ_AT_START)} - {"PYTHONPATH"}
    return {name: variables[name] for name in names}


def _start(
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,
    streams: tuple[int, int],
) -> int:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=streams[0],
        stderr=streams[1],
        timeout=timeout,
        check=False,
    ).returncode


def _content(stream: int) -> str:
    """All that was written to a file, with its line ends as `text=True` has them."""
    os.lseek(stream, 0, os.SEEK_SET)
    with open(stream, encoding="utf-8", closefd=False) as text:
        return text.read()
