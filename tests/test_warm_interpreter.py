"""Programs of the interpreter that forks see and say what those of Python itself do."""

from __future__ import annotations

import os
import subprocess

import pytest
from warm_interpreter import Interpreter

ABOUT = """
import os, sys
print(sys.argv, __name__, sys.stdin.read(), os.getcwd(), os.environ.get("OURS"))
print([entry for entry in sys.path if entry.endswith("ours")])
print("to stderr", file=sys.stderr)
sys.exit(3)
"""


@pytest.mark.parametrize("arguments", [["-c", ABOUT], ["-m", "calozoo", "generate", "--model"]])
@pytest.mark.parametrize("together", [True, False])
def test_a_program_is_what_it_is_for_python_itself(interpreter, tmp_path, arguments, together):
    ours = {"OURS": "1", "PYTHONPATH": str(tmp_path / "ours")}
    settings = {"cwd": tmp_path, "env": os.environ | ours, "together": together}
    forked, started = (
        python.run(arguments, **settings) for python in (interpreter, Interpreter(None))
    )
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stderr == started.stderr
    assert forked.returncode != 0


def test_programs_know_nothing_of_each_other(interpreter, tmp_path):
    def told(program: str) -> str:
        return interpreter.run(["-c", program], cwd=tmp_path, env=os.environ).stdout

    first = told("import os, calozoo; calozoo.left = 1; os.environ['LEFT'] = '1'; print('done')")
    then = told("import os, calozoo; print(hasattr(calozoo, 'left'), 'LEFT' in os.environ)")
    assert (first, then) == ("done\n", "False False\n")


@pytest.mark.parametrize("variable", ["PYTHONUTF8", "OMP_NUM_THREADS"])
def test_a_variable_that_is_read_at_the_start_is_read(interpreter, tmp_path, variable):
    program = f"import os, sys; print(os.environ[{variable!r}], len(sys.modules) < 100)"
    env = os.environ | {variable: "1", "OMP_DYNAMIC": "TRUE"}
    assert interpreter.run(["-c", program], cwd=tmp_path, env=env).stdout == "1 True\n"


def test_a_program_that_takes_too_long_is_ended_and_the_next_one_runs(interpreter, tmp_path):
    settings = {"cwd": tmp_path, "env": os.environ}
    with pytest.raises(subprocess.TimeoutExpired):
        interpreter.run(["-c", "import time; time.sleep(60)"], timeout=0.5, **settings)
    assert interpreter.run(["-c", "print(1)"], **settings).stdout == "1\n"
