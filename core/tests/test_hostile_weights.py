"""Weights that somebody made to do harm: one sentence each, and memory for what is really there."""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
from pathlib import Path

import pytest
from fuzz_worker import SHAPES, Config
from fuzzing import Worker

from calozoo_core.errors import WeightsError
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, read_config, read_tensors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")

MB = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module", params=["tensors", "config"])
def worker(request, folder):
    name = TENSORS_FILE if request.param == "tensors" else CONFIG_FILE
    running = Worker(request.param, folder / name)
    running.kind = request.param
    yield running
    running.close()


def whole(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file."""
    return struct.pack("<Q", len(header)) + header + data


def claims(**tensors) -> bytes:
    """A header with tensors, each of a shape and of the bytes from begin to end."""
    return json.dumps(
        {
            name: {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
            for name, (shape, begin, end) in tensors.items()
        }
    ).encode()


TEN_GB = 10**10
FILLERS = {
    "lists": b"[" + b"[]," * 699_000 + b"[]]",
    "tables": b"[" + b"{}," * 699_000 + b"{}]",
    "numbers": b"[" + b"1.5," * 520_000 + b"1]",
    "names": b"{" + b",".join(b'"%d":[]' % i for i in range(170_000)) + b"}",
    "nesting": b"[" * 2_000_000,
    "one long text": b'"' + b"\xf0\x9f\x98\x80" * 520_000 + b'"',
    "escapes": b'"' + b"\\ud83d\\ude00" * 170_000 + b'"',
}


@pytest.mark.parametrize("filler", FILLERS)
def test_text_as_large_as_it_may_be_takes_little_memory(worker, filler):
    text = FILLERS[filler]
    content = whole(text) if worker.kind == "tensors" else text[: 1 << 20]

    answer = worker.read(content)

    assert answer.outcome == "refused"
    assert answer.bytes < 120 * MB


TENSORS = {
    "beyond the end of the file": whole(claims(bias=((TEN_GB // 4,), 0, TEN_GB))),
    "more than there are addresses": whole(claims(bias=((2**62,), 0, 2**64))),
    "as a product": whole(claims(bias=((10**5, 10**5), 0, 4 * TEN_GB))),
    "the same bytes many times": whole(
        claims(**{f"t{i}": ((250,), 0, 1000) for i in range(10_000)}), bytes(1000)
    ),
    "none of their bytes": whole(
        claims(bias=((0, 2**40), 0, 0), weight=((3, 2), 0, 24)), bytes(24)
    ),
}


@pytest.mark.parametrize("claim", TENSORS)
@pytest.mark.parametrize("worker", ["tensors"], indirect=True)
def test_tensors_that_claim_gigabytes_take_none(worker, claim):
    answer = worker.read(TENSORS[claim])

    assert answer.outcome == "refused"
    assert answer.bytes < 50 * MB


@pytest.mark.parametrize("worker", ["tensors"], indirect=True)
def test_ten_gigabytes_that_are_really_there_are_not_read_for_a_small_model(worker):
    """As a file with a hole, which takes no disk either."""
    worker.path.write_bytes(whole(claims(bias=((TEN_GB // 4,), 0, TEN_GB))))
    os.truncate(worker.path, worker.path.stat().st_size + TEN_GB)

    answer = worker.read_there()

    assert answer.outcome == "refused"
    assert answer.bytes < 50 * MB


@pytest.mark.parametrize("worker", ["config"], indirect=True)
def test_a_configuration_of_gigabytes_is_not_read(worker):
    worker.path.write_bytes(b"{")
    os.truncate(worker.path, TEN_GB)

    answer = worker.read_there()

    assert answer.outcome == "refused"
    assert answer.bytes < 50 * MB


@pytest.mark.parametrize(
    "notes", [b"3", b'{"a": 1}', b'{"a": {"b": "c"}}', b'["a"]', b'{"format": "pickle"}']
)
def test_notes_in_a_header_are_data_that_nobody_reads(tmp_path, notes):
    bias = b'"bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    (tmp_path / TENSORS_FILE).write_bytes(
        whole(b'{"__metadata__":%b,%b}' % (notes, bias), bytes(4))
    )
    try:
        read = read_tensors(tmp_path, {"bias": (1,)})
    except WeightsError:
        return
    assert read["bias"].shape == (1,)


@pytest.mark.parametrize("name", [CONFIG_FILE, TENSORS_FILE])
def test_what_a_link_leads_to_is_not_told(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text('{"password": "swordfish", "width": "swordfish"}')
    (tmp_path / name).symlink_to(secret)

    with pytest.raises(WeightsError) as refused:
        read_config(tmp_path, Config) if name == CONFIG_FILE else read_tensors(tmp_path, SHAPES)

    assert "swordfish" not in str(refused.value)


class Touches:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_pickle_is_not_opened(tmp_path):
    trace = tmp_path / "trace"
    content = pickle.dumps(Touches(trace))
    pickle.loads(content)
    trace.unlink()  # it works
    for name in (CONFIG_FILE, TENSORS_FILE, "pytorch_model.bin", "model.pt"):
        (tmp_path / name).write_bytes(content)

    with pytest.raises(WeightsError):
        read_config(tmp_path, Config)
    with pytest.raises(WeightsError):
        read_tensors(tmp_path, SHAPES)

    assert not trace.exists()
