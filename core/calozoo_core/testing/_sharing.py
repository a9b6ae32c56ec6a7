"""A loaded model among threads, in forked and spawned children, and beside what a caller set."""

from __future__ import annotations

import importlib.util
import locale
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
import pytest

from calozoo_core.errors import CalozooError
from calozoo_core.generator import Generator
from calozoo_core.testing._checks import ModelChecks
from calozoo_core.testing._requests import SEED, content, global_states, primaries_inside

__all__ = ["SharingChecks", "answer_in_child", "callers_states", "readings"]

N_THREADS, N_CALLS = 4, 5
CHILD_SECONDS: Final = 120
"""After which a child is taken to hang."""

LOCALES: Final = ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8")
"""Locales with a decimal comma; where none is installed, the check does without."""


class SharingChecks(ModelChecks):
    """The same showers from every thread and process, whatever the caller's global state is."""

    def test_threads_that_share_it_make_the_showers_of_one(self, generator: Generator) -> None:
        seeds = [SEED + i for i in range(N_THREADS)]
        expected = {seed: digest(generator, seed) for seed in seeds}
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # threads cut each other short everywhere
        try:
            with ThreadPoolExecutor(N_THREADS) as pool:
                made = list(pool.map(lambda seed: (seed, digest(generator, seed)), seeds * N_CALLS))
        finally:
            sys.setswitchinterval(interval)
        wrong = sum(expected[seed] != found for seed, found in made)
        assert not wrong, f"{wrong} of {len(made)} calls differ from the same call alone."

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_a_forked_child_makes_the_same_showers_or_refuses(self, generator: Generator) -> None:
        expected = digest(generator, SEED)
        with threads_at_work():
            answer = answer_in_child("fork", partial(digest, generator, SEED))
        assert answer == expected or is_sentence(answer), f"The child answers {answer!r}."
        assert digest(generator, SEED) == expected, "The fork changed the parent's showers."

    @pytest.mark.slow
    def test_a_spawned_child_makes_the_same_showers_or_refuses(self, generator: Generator) -> None:
        answer = answer_in_child("spawn", partial(digest, generator, SEED))
        is_same = answer == digest(generator, SEED)
        assert is_same or is_sentence(answer), f"The child answers {answer!r}."

    def test_what_the_caller_set_changes_no_shower_and_stays_set(
        self, load: Callable[[], Generator], generator: Generator
    ) -> None:
        expected = digest(generator, SEED)
        # All at once, which is quick; one by one only to say which it was.
        states = callers_states()
        wrong = list(wrong_under(states, load, generator, expected))
        if wrong:
            for name, state in states.items():
                wrong += wrong_under({name: state}, load, generator, expected)
            pytest.fail("; ".join(wrong))


@contextmanager
def threads_at_work() -> Iterator[None]:
    """Two threads of torch in this process, which have worked: they do not survive a fork."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with _set(torch.get_num_threads, torch.set_num_threads, 2):
        many = torch.ones(1 << 20)
        many.mul_(many)
        yield


def digest(generator: Generator, seed: int) -> str:
    """Three showers, as a hash."""
    showers = generator.generate(primaries_inside(generator.spec, 3), seed=seed)
    return sha256(content(showers)).hexdigest()


def wrong_under(
    states: dict[str, Callable[[], AbstractContextManager[object]]],
    load: Callable[[], Generator],
    generator: Generator,
    expected: str,
) -> Iterator[str]:
    """Faults of showers and of the caller's state, while states of the caller hold."""
    names = ", ".join(states)
    with ExitStack() as stack:
        for state in states.values():
            stack.enter_context(state())
        before, random = readings(), global_states()
        try:
            if digest(generator, SEED) != expected:
                yield f"it makes other showers under {names}"
            loaded = load()
            if digest(loaded, SEED) != expected:
                yield f"loaded under {names} it makes other showers"
            loaded.close()
        except Exception as error:
            yield f"under {names} it ends in {error!r}"
        if readings() != before:
            yield f"of {names} it does not put everything back"
        if global_states() != random:
            yield "it draws from global random numbers"


def answer_in_child(method: str, work: Callable[[], object]) -> object:
    """Return value of a function in a child process, or the error that it ends in, as a text.

    Arguments:
        method: "fork" or "spawn".
        work: The function; for "spawn" one that can be pickled.
    """
    context = multiprocessing.get_context(method)
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(there, work))  # type: ignore[attr-defined]
    child.start()
    there.close()
    try:
        if not here.poll(CHILD_SECONDS):
            return f"nothing within {CHILD_SECONDS} s"
        answer: object = here.recv()
        child.join(CHILD_SECONDS)
    except EOFError:
        return "nothing, and has ended"
    finally:
        child.kill()
        child.join()
        here.close()
    return answer


def _answer(there: Connection, work: Callable[[], object]) -> None:
    try:
        answer = work()
    except CalozooError as error:
        answer = f"CalozooError: {error}"
    except BaseException as error:
        answer = repr(error)
    there.send(answer)


def is_sentence(answer: object) -> bool:
    """The answer of a child that refuses."""
    text = str(answer)
    return text.startswith("CalozooError: ") and text.endswith(".") and "\n" not in text


@contextmanager
def _set(read: Callable[[], Any], write: Callable[[Any], Any], value: Any) -> Iterator[None]:
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


@contextmanager
def _errors_of_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def _decimal_commas() -> Iterator[None]:
    def write(name: str) -> None:
        locale.setlocale(locale.LC_ALL, name)

    with ExitStack() as stack:
        for name in LOCALES:
            with suppress(locale.Error):
                stack.enter_context(_set(lambda: locale.setlocale(locale.LC_ALL), write, name))
                break
        yield


def callers_states() -> dict[str, Callable[[], AbstractContextManager[object]]]:
    """States that other code of a process may have set, by name."""
    return _numpy_states() | _torch_states()


def _numpy_states() -> dict[str, Callable[[], AbstractContextManager[object]]]:
    return {
        "numpy.errstate(all='raise')": lambda: np.errstate(all="raise"),
        "numpy's print options": lambda: np.printoptions(precision=1, threshold=2),
        "warnings as errors": _errors_of_warnings,
        "a locale with a decimal comma": _decimal_commas,
    }


def _torch_states() -> dict[str, Callable[[], AbstractContextManager[object]]]:
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    is_strict = torch.are_deterministic_algorithms_enabled
    return {
        "torch's float64": lambda: _set(
            torch.get_default_dtype, torch.set_default_dtype, torch.float64
        ),
        "torch's device meta": lambda: torch.device("meta"),
        "torch's autocast": lambda: torch.autocast("cpu", torch.bfloat16),
        "torch's inference mode": torch.inference_mode,
        "torch's threads": lambda: _set(
            torch.get_num_threads, torch.set_num_threads, torch.get_num_threads() + 1
        ),
        "torch's deterministic algorithms": lambda: _set(
            is_strict, torch.use_deterministic_algorithms, True
        ),
        "torch's precision of products": lambda: _set(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"
        ),
    }


def readings() -> list[object]:
    """Global settings, to see whether they are as they were."""
    found: list[object] = [
        np.geterr(),
        np.get_printoptions(),
        locale.setlocale(locale.LC_ALL),
        list(warnings.filters),
    ]
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found += [
            torch.get_default_dtype(),
            torch.empty(0).device.type,
            torch.is_autocast_enabled("cpu"),
            torch.is_inference_mode_enabled(),
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
        ]
    return found
