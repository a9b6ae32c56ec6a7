"""Golden values: results of the code that are stored, and with which later results must agree.

The tests in `tests/golden` compare showers, files, help texts, figures, hits and pages with what is
stored beside them. They do not say that a result is right, only that it is still the same. Where a
change of a result is wanted, rewrite what is stored and read the difference before you commit it:

    CALOZOO_WRITE_GOLDEN=1 pytest tests/golden
    git diff tests/golden

The files in `tests/golden/files` are examples of what users have on their disks, and `saved.json`
is what they hold. Both are written only where something is missing: what was saved once must stay
readable.

All names of calozoo that these tests need are imported here, so that a name that moves is changed
in one place.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from click import Group
from click.testing import CliRunner

from calozoo import Generator, Incident, ModelSpec, Showers, list_models, load
from calozoo.cli import cli
from calozoo_core.hits import Hits
from calozoo_core.io import (
    ShowerFile,
    ShowerWriter,
    calochallenge,
    ddml,
    read_hits,
    read_showers,
    root,
    write_showers,
)
from calozoo_core.metrics.comparison import compare, compare_features
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.placement import load_placement
from calozoo_core.voxels import CylinderVoxels
from calozoo_refine.report import RefinementReport

__all__ = [
    "FILES",
    "GOLDEN",
    "IS_WRITING",
    "CylinderVoxels",
    "Generator",
    "Group",
    "Hits",
    "Incident",
    "ModelSpec",
    "ObservableAccumulator",
    "RefinementReport",
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "calochallenge",
    "check_text",
    "check_values",
    "cli",
    "compare",
    "compare_features",
    "ddml",
    "digest",
    "list_models",
    "load",
    "load_placement",
    "output",
    "read_hits",
    "read_showers",
    "root",
    "stored",
    "uniform_showers",
    "write_showers",
]

GOLDEN = Path(__file__).parent / "golden"
FILES = GOLDEN / "files"
IS_WRITING = os.environ.get("CALOZOO_WRITE_GOLDEN") == "1"

REWRITE = "If this change is wanted: CALOZOO_WRITE_GOLDEN=1 pytest tests/golden"


def stored(file: str) -> dict:
    """All golden values of a file, by name; none where there is no such file."""
    path = GOLDEN / file
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def check_values(
    file: str, name: str, made, *, rel: float = 1e-5, near: float = 0.0, is_kept: bool = False
) -> None:
    """Fail if values differ from those stored, or store them.

    Arguments:
        file: Name of a JSON file in `tests/golden`.
        name: Under which they are stored there.
        made: Dictionaries, lists, texts and numbers. Texts and whole numbers must be equal.
        rel: Relative tolerance of other numbers.
        near: Absolute tolerance of other numbers.
        is_kept: Compare even where golden values are being rewritten.
    """
    made = json.loads(json.dumps(made))
    values = stored(file)
    if IS_WRITING and not (is_kept and name in values):
        values[name] = made
        write_values(file, values)
        return
    if name not in values:
        pytest.fail(f"{file} holds nothing for {name!r}. {REWRITE}", pytrace=False)
    found = list(differences(values[name], made, name, rel, near))
    if found:
        more = [f"and {len(found) - 20} more"] if len(found) > 20 else []
        head = f"{len(found)} values differ from those in {file}:"
        pytest.fail("\n".join([head, *found[:20], *more, REWRITE]), pytrace=False)


def write_values(file: str, values: dict) -> None:
    """Store all golden values of a file, each list of numbers on one line."""
    text = json.dumps(values, indent=1, sort_keys=True)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
    (GOLDEN / file).write_text(text + "\n", encoding="utf-8")


def differences(old, new, place: str, rel: float, near: float):
    """A line for each value that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in old:
                yield f"  {place} / {key}: not stored"
            elif key not in new:
                yield f"  {place} / {key}: missing"
            else:
                yield from differences(old[key], new[key], f"{place} / {key}", rel, near)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{place}[{i}]", rel, near)
    elif isinstance(old, float) and isinstance(new, float):
        if not math.isclose(old, new, rel_tol=rel, abs_tol=near):
            yield f"  {place}: stored {old:.9g}, now {new:.9g}"
    elif type(old) is not type(new) or old != new:
        yield f"  {place}: stored {old!r}, now {new!r}"


def check_text(file: str, made: str) -> None:
    """Fail with a diff if a text differs from the one stored, or store it."""
    path = GOLDEN / file
    if IS_WRITING:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8")
        return
    if not path.exists():
        pytest.fail(f"There is no {file}. {REWRITE}", pytrace=False)
    old = path.read_text(encoding="utf-8")
    if made != old:
        lines = difflib.unified_diff(
            old.splitlines(), made.splitlines(), f"{file} (stored)", "now", n=2, lineterm=""
        )
        pytest.fail("\n".join([*lines, REWRITE]), pytrace=False)


def digest(array) -> str:
    """Type, shape and hash of an array."""
    array = np.ascontiguousarray(array)
    content = hashlib.sha256(array.tobytes()).hexdigest()[:16]
    return f"{array.dtype.str} {'x'.join(map(str, array.shape))} {content}"


def output(*words: str) -> str:
    """What the command line prints, 80 columns wide."""
    run = CliRunner().invoke(
        cli, list(words), prog_name="calozoo", terminal_width=80, catch_exceptions=False
    )
    assert run.exit_code == 0, run.output
    return run.stdout


def uniform_showers(detector: str, n_layers: int, n: int = 4, **options) -> Showers:
    """Showers of points drawn uniformly, one of them without any."""
    rng = np.random.default_rng(n_layers)
    counts = rng.integers(20, 40, n)
    counts[1] = 0
    total = int(counts.sum())
    points = {
        "x": rng.uniform(-60, 60, total),
        "y": rng.uniform(-60, 60, total),
        "layer": rng.integers(0, n_layers, total),
        "energy": rng.uniform(0.01, 2, total),
    }
    time = rng.uniform(0, 20, total)
    momentum = rng.uniform([-0.5, -0.5, 1], [0.5, 0.5, 1], (n, 3))
    position = rng.uniform(-1000, 1000, (n, 3))
    options = {"particle": "gamma", "representation": "x25", "complete": False} | options
    complete = options.pop("complete")
    return Showers(
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        **points,
        **({"time": time} if complete else {}),
        incident=Incident(
            rng.uniform(1, 100, n),
            momentum,
            options.pop("particle"),
            position=position if complete else None,
        ),
        detector=detector,
        **options,
    )
