"""Defaults of numpy and torch while a model computes, and what the caller finds afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from calozoo_core.global_state import callers_threads, default_state
from calozoo_core.testing._sharing import callers_states, readings


def in_fresh_interpreter(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("name", callers_states())
def test_a_state_of_the_caller_is_put_back_also_after_an_error(name):
    with callers_states()[name]():
        before = readings()

        def fail() -> None:
            with default_state():
                assert torch.get_num_threads() == 1
                assert not torch.is_inference_mode_enabled()
                assert torch.is_grad_enabled()
                assert not torch.is_autocast_enabled("cpu")
                assert (torch.ones(2) / 3).dtype == torch.float32
                assert torch.ones(2).sum().item() == 2
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert readings() == before


def test_states_within_one_another_are_those_of_the_outermost():
    with np.errstate(all="raise"), default_state():
        with default_state():
            pass
        assert np.float32(1e-30) * np.float32(1e-30) == 0
        assert torch.get_num_threads() == 1


def test_the_last_thread_that_leaves_puts_back_what_the_process_had():
    threads, before = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(3)
    inside, go = threading.Event(), threading.Event()
    of_other = []

    def other() -> None:
        with default_state():
            inside.set()
            go.wait(30)
            of_other.append(torch.get_default_dtype())
        of_other.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    try:
        with default_state():
            thread.start()
            assert inside.wait(30)
        assert torch.get_default_dtype() == torch.float32  # still needed by the other thread
        assert torch.get_num_threads() == 3
        go.set()
        thread.join()
        assert of_other == [torch.float32, 3]
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_num_threads() == 3
    finally:
        go.set()
        torch.set_default_dtype(before)
        torch.set_num_threads(threads)


def test_threads_of_the_caller_are_known_inside_and_never_more_than_the_cores(monkeypatch):
    monkeypatch.setattr("calozoo_core.global_state.available_cores", lambda: 4)
    threads = torch.get_num_threads()
    try:
        for given, usable in ((1, 1), (3, 3), (6, 4)):
            torch.set_num_threads(given)
            with default_state():
                assert callers_threads() == usable
            assert callers_threads() == usable
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_inside_and_one_forked_while_another_thread_is_inside_start_afresh():
    code = """
import os, threading, torch
from calozoo_core.global_state import default_state

def child(check):
    pid = os.fork()
    if not pid:
        try:
            check()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0

torch.set_default_dtype(torch.float64)

def outside():
    assert torch.get_default_dtype() == torch.float64
    with default_state():
        assert torch.get_default_dtype() == torch.float32
    assert torch.get_default_dtype() == torch.float64

inside, go = threading.Event(), threading.Event()
def other():
    with default_state():
        inside.set()
        go.wait(30)
thread = threading.Thread(target=other)
thread.start()
inside.wait(30)
child(outside)
go.set()
thread.join()
with default_state():
    child(lambda: torch.get_default_dtype() == torch.float32 or os._exit(1))
outside()
print("fine")
"""
    assert in_fresh_interpreter(code) == "fine"


def test_torch_is_not_imported_for_it():
    code = (
        "import sys, os; os.environ['OMP_NUM_THREADS'] = '5'\n"
        "from calozoo_core import global_state\n"
        "global_state.available_cores = lambda: 8\n"
        "with global_state.default_state():\n"
        "    print('torch' in sys.modules, global_state.callers_threads())"
    )
    assert in_fresh_interpreter(code) == "False 5"
