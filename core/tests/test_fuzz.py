"""Shower files and weights, damaged at random: a good object or one sentence, never anything else.

What was found once is kept in corpus/, which every run reads first; `pytest -m slow` looks further.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
from pathlib import Path

import h5py
import pytest
import torch
from damage_strategies import STRUCTURES, damaged, damages, edit_json, edits, marks_in, shower_file
from fuzz_worker import Config
from fuzzing import Worker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, write_weights

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")

CORPUS = Path(__file__).parent / "corpus"
SUFFIXES = {"showers": ".h5", "tensors": ".safetensors", "config": ".json"}
NAMES = {"showers": "showers.h5", "tensors": TENSORS_FILE, "config": CONFIG_FILE}

FILES = st.integers(0, 3)
EDITS = st.lists(edits(), min_size=1, max_size=3)

QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=int(os.environ.get("CALOZOO_FUZZ_EXAMPLES", "5000")))
LONG = settings(LONG, derandomize=False)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A process for each kind of file; they start when they are first asked."""
    folder = tmp_path_factory.mktemp("fuzz")
    running = {kind: Worker(kind, folder / NAMES[kind]) for kind in NAMES}
    yield running
    for worker in running.values():
        worker.close()


@pytest.fixture(scope="module")
def shower_files(tmp_path_factory):
    """Good files: as calozoo writes them, and in the oldest format, which has no checksums."""
    path = tmp_path_factory.mktemp("good") / "s.h5"
    packed = {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True}
    return [
        shower_file(path, "v110", **packed),
        shower_file(path, "earliest"),
        shower_file(path, "earliest", chunks=True, fletcher32=True),
        shower_file(path, "earliest", chunks=True, compression="gzip", shuffle=True),
    ]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Good weights, as bytes by kind."""
    folder = tmp_path_factory.mktemp("good")
    tensors = {
        "bias": torch.ones(3),
        "weight": torch.ones(3, 2),
        "order": torch.arange(4),
    }
    write_weights(folder, Config(width=3), tensors)
    return {kind: (folder / NAMES[kind]).read_bytes() for kind in ("tensors", "config")}


def check(workers, kind: str, content: bytes) -> None:
    answer = workers[kind].read(content)
    if not answer.is_fine:
        name = hashlib.sha256(content).hexdigest()[:12] + SUFFIXES[kind]
        found = workers[kind].path.with_name(name)
        found.write_bytes(content)
        pytest.fail(f"{answer}; keep {found} as {CORPUS / kind / name}")


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_what_was_found_once_stays_found(workers, path):
    check(workers, path.parent.name, path.read_bytes())


def damage_shower_file(data, workers, shower_files) -> None:
    content = shower_files[data.draw(FILES, label="file")]
    damage = data.draw(damages(len(content), marks_in(content, STRUCTURES)), label="damage")
    check(workers, "showers", damaged(content, damage))


def damage_weights(data, workers, weights, kind: str) -> None:
    content = weights[kind]
    marks = marks_in(content, (b'"', b"[", b":", b",", b"}"))
    check(workers, kind, damaged(content, data.draw(damages(len(content), marks))))


def edit_shower_file(data, workers, shower_files, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "edited.h5"
    path.write_bytes(shower_files[data.draw(FILES, label="file")])
    with h5py.File(path, "r+") as file:
        for edit in data.draw(EDITS):
            try:
                edit(file)
            except (ValueError, TypeError, OSError, RuntimeError, KeyError, OverflowError):
                continue  # the library does not write such a thing
    check(workers, "showers", path.read_bytes())


def edit_weights(data, workers, weights, kind: str) -> None:
    content = weights[kind]
    if kind == "config":
        text = json.dumps(edit_json(data, json.loads(content)))
        check(workers, kind, text.encode("utf-8", "surrogatepass"))
        return
    length = struct.unpack("<Q", content[:8])[0]
    header = json.dumps(edit_json(data, json.loads(content[8 : 8 + length]))).encode()
    check(workers, kind, struct.pack("<Q", len(header)) + header + content[8 + length :])


@QUICK
@given(data=st.data())
def test_damaged_shower_file_is_read_or_refused(data, workers, shower_files):
    damage_shower_file(data, workers, shower_files)


@QUICK
@given(data=st.data())
def test_shower_file_whose_parts_do_not_fit_is_read_or_refused(
    data, workers, shower_files, tmp_path_factory
):
    edit_shower_file(data, workers, shower_files, tmp_path_factory)


@pytest.mark.parametrize("kind", ["tensors", "config"])
@QUICK
@given(data=st.data())
def test_damaged_weights_are_read_or_refused(data, kind, workers, weights):
    damage_weights(data, workers, weights, kind)
    edit_weights(data, workers, weights, kind)


@pytest.mark.slow
@LONG
@given(data=st.data())
def test_many_more_damaged_shower_files_are_read_or_refused(
    data, workers, shower_files, tmp_path_factory
):
    damage_shower_file(data, workers, shower_files)
    edit_shower_file(data, workers, shower_files, tmp_path_factory)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tensors", "config"])
@LONG
@given(data=st.data())
def test_many_more_damaged_weights_are_read_or_refused(data, kind, workers, weights):
    damage_weights(data, workers, weights, kind)
    edit_weights(data, workers, weights, kind)
