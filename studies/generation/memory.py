"""Peak memory of a generation, and what takes it: `python -m studies.generation.memory`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from calozoo.benchmark.memory import peak_mb
from calozoo_core.errors import CalozooError
from calozoo_core.markdown import table, write_block

__all__ = ["main", "report", "shares"]

MODELS = (
    "toy.ild-photon",
    "caloclouds3.ild-photon",
    *(
        f"{name}.ild-photon-clumps"
        for name in (
            *("caloclouds3", "caloinn", "convl2lflows", "3dgan"),
            *("calodream", "caloscore", "calodiffusion", "caloqvae"),
        )
    ),
)
SHARED = "calodream.ild-photon-clumps"
"""Model whose memory is divided into shares."""

ENERGY_GEV = 50
COUNTS = (1, 100)


def peaks(models: Sequence[str]) -> dict[str, list[float]]:
    """Peak memory of `calozoo generate`, in MB, for each of `COUNTS`, by model.

    Raises:
        CalozooError: If a generation fails.
    """
    return {model: [_generation_mb(model, n) for n in COUNTS] for model in models}


def shares(model: str) -> dict[str, float]:
    """Memory that each step of a generation adds, in MB, by step.

    Arguments:
        model: Name of a model on clumps.

    Raises:
        CalozooError: If a step fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", _STEPS, model],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["there was no message"])[-1]
        msg = f"The memory of {model} cannot be measured: {last}"
        raise CalozooError(msg)
    resident: list[tuple[str, float]] = json.loads(done.stdout)
    before = [0.0, *(mb for _, mb in resident)]
    return {step: mb - last for (step, mb), last in zip(resident, before, strict=False)}


def report(peak: dict[str, list[float]], share: dict[str, float], model: str) -> str:
    """Both tables in Markdown.

    Arguments:
        peak: From `peaks`.
        share: From `shares`.
        model: The model of the shares.
    """
    header = ("model", *(f"{n} shower{'s' * (n > 1)} [MB]" for n in COUNTS))
    rows = [(f"`{name}`", *(f"{mb:.0f}" for mb in of)) for name, of in peak.items()]
    parts = [(step, f"{mb:.1f}") for step, mb in share.items()]
    return f"{table(header, rows)}\n\n{table((f'`{model}`', 'adds [MB]'), parts)}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, print both tables, and write them into a page."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.generation.memory", description=__doc__
    )
    parser.add_argument("models", nargs="*", help="default: toy, and all of photons on clumps")
    parser.add_argument("--write", type=Path, help="put the tables into this page, too")
    options = parser.parse_args(arguments)
    try:
        text = report(peaks(options.models or MODELS), shares(SHARED), SHARED)
        sys.stdout.write(f"{text}\n")
        if options.write is not None:
            write_block(options.write, "memory", text)
    except CalozooError as error:
        sys.exit(str(error))


def _generation_mb(model: str, n: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "calozoo", "generate", "--quiet", "--offline"]
        command += ["--threads", "1", "--model", model, "--energy", str(ENERGY_GEV), "-n", str(n)]
        return peak_mb([*command, "--out", str(Path(folder) / "showers.h5")])


# Steps of a generation in the order in which they come, in a process of their own.
_STEPS = f"""
import json, sys
from importlib.resources import files
rows = []
def stored(kind):
    file = files("calozoo_core.clumps") / kind / spec.detector / "model.safetensors"
    return f"{{file.stat().st_size / 1e6:.0f}} MB in its file"
def step(name):
    with open("/proc/self/status") as status:
        kib = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    rows.append((name, kib * 1024 / 1e6))
step("Python")
import numpy, numpy.random
step("numpy")
import pydantic
step("pydantic")
import h5py
step("h5py")
import calozoo.cli.generate, calozoo.generation.generate_file, calozoo.production.request
from calozoo import api
spec = api.find_model(sys.argv[1])
step("calozoo and its models' descriptions")
from calozoo_core.clumps import load_library, load_table
load_library(spec.detector)
step(f"library of halos ({{stored('libraries')}})")
table = load_table(spec.detector)
step(f"table of clumps ({{stored('tables')}})")
table.lookup
step("its order by class and energy")
generator = api.load(sys.argv[1], offline=True)
step("networks")
showers = generator.generate(energy={ENERGY_GEV}, n=1)
step("one shower")
showers = generator.generate(energy={ENERGY_GEV}, n=64)
step("a batch of 64")
print(json.dumps(rows))
"""


if __name__ == "__main__":
    main()
