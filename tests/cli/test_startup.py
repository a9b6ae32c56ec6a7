"""Commands that only talk about models do not import what runs them."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from conftest import clean_environment

HEAVY = ["torch", "h5py", "huggingface_hub", "numpy", "lightning", "scipy", "matplotlib", "tqdm"]

COMMANDS = {
    "--help": "main(['--help'])",
    "--version": "main(['--version'])",
    "list": "main(['list'])",
    "list --json": "main(['list', '--json'])",
    "info": "main(['info', 'toy'])",
    "info of a model with weights": "main(['info', 'caloclouds3'])",
    "plugins": "main(['plugins'])",
    "search": "main(['search', 'photon'])",
    "cache list": "main(['cache', 'list', '--json'])",
    "completion": "main(['completion', 'fish'])",
}


def run(code: str, folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_runs_no_model_imports_nothing_heavy(command, tmp_path):
    code = f"""
import sys
from calozoo.cli import main
{COMMANDS[command]}
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    assert run(code, tmp_path).stderr == "[]\n"


NOT_TO_GENERATE = ["torch", "torch._dynamo", "sympy", "lightning", "scipy", "huggingface_hub"]


@pytest.mark.parametrize(
    "model", ["caloclouds3", "caloinn", "caloinn.ild-photon", "convl2lflows", "3dgan"]
)
def test_generating_on_a_cpu_imports_no_torch(model, tmp_path):
    code = f"""
import sys
from calozoo.cli import main
main("generate --model {model} --energy 20 --quiet --offline --out s.h5".split())
print([name for name in {NOT_TO_GENERATE} if name in sys.modules], file=sys.stderr)
"""
    assert run(code, tmp_path).stderr == "[]\n"


@pytest.mark.parametrize("module", ["calozoo", "calozoo.models.names", "calozoo_core.generator"])
def test_an_import_that_runs_no_model_imports_nothing_heavy(module, tmp_path):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"

    assert run(code, tmp_path).stdout == "[]\n"


def test_list_starts_in_well_under_a_second_of_work(tmp_path):
    """In seconds of work rather than on the clock, so that a busy machine does not matter much."""

    def work(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code, tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert work("from calozoo.cli import main; main(['list'])") - work("pass") < 1.0
