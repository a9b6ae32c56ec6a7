"""Weights: what is written is read, and whatever else comes is refused in one sentence."""

from __future__ import annotations

import json
import os
import struct

import pytest
import torch
from pydantic import BaseModel, ConfigDict, Field

from calozoo_core.errors import WeightsError
from calozoo_core.weights import (
    CONFIG_FILE,
    TENSORS_FILE,
    read_config,
    read_tensors,
    sha256,
    write_weights,
)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = Field(ge=1, le=1024)
    scale: float = 1.0


SHAPES = {"bias": (3,), "weight": (3, 2), "order": (4,)}
TYPES = {"order": "int64"}
ZEROS = {"bias": torch.zeros(3), "weight": torch.zeros(3, 2), "order": torch.arange(4)}


@pytest.fixture
def folder(tmp_path):
    write_weights(tmp_path / "w", Config(width=3), ZEROS)
    return tmp_path / "w"


def write_file(folder, header, data=b"", length=None):
    """A safetensors file with any header, true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    prefix = struct.pack("<Q", len(text) if length is None else length)
    (folder / TENSORS_FILE).write_bytes(prefix + text + data)


def entry(begin, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def refusal(folder, shapes=SHAPES, dtypes=TYPES):
    with pytest.raises(WeightsError) as caught:
        read_tensors(folder, shapes, dtypes)
    message = str(caught.value)
    assert message.startswith(str(folder / TENSORS_FILE))
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 250
    return message


def config_refusal(folder, content):
    (folder / CONFIG_FILE).write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        read_config(folder, Config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < len(str(folder)) + 250
    return message


def test_what_is_written_is_read(tmp_path):
    tensors = {
        "bias": torch.randn(3),
        "weight": torch.randn(2, 3).T,
        "order": torch.randperm(4),
    }
    write_weights(tmp_path, Config(width=7, scale=0.5), tensors)
    assert read_config(tmp_path, Config) == Config(width=7, scale=0.5)
    read = read_tensors(tmp_path, SHAPES, TYPES)
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [CONFIG_FILE, TENSORS_FILE]


def test_tensors_that_share_memory_can_be_written(tmp_path):
    shared = torch.randn(3)
    write_weights(tmp_path, Config(width=1), {"a": shared, "b": shared})
    read = read_tensors(tmp_path, {"a": (3,), "b": (3,)})
    assert torch.equal(read["a"], read["b"])


def test_the_same_weights_have_the_same_hash(tmp_path):
    for name in "ab":
        write_weights(tmp_path / name, Config(width=3), ZEROS)
    assert sha256(tmp_path / "a" / TENSORS_FILE) == sha256(tmp_path / "b" / TENSORS_FILE)


def test_weights_behind_links_are_read_as_from_a_cache(folder, tmp_path):
    (tmp_path / "snapshot").mkdir()
    for name in (CONFIG_FILE, TENSORS_FILE):
        (tmp_path / "snapshot" / name).symlink_to(folder / name)
    assert read_config(tmp_path / "snapshot", Config).width == 3
    assert read_tensors(tmp_path / "snapshot", SHAPES, TYPES).keys() == SHAPES.keys()


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights(tmp_path / "file" / "w", Config(width=3), ZEROS)
    (tmp_path / "w" / CONFIG_FILE).mkdir(parents=True)
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights(tmp_path / "w", Config(width=3), ZEROS)
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_cut_short_anywhere_is_refused(folder):
    whole = (folder / TENSORS_FILE).read_bytes()
    for length in range(len(whole)):
        (folder / TENSORS_FILE).write_bytes(whole[:length])
        refusal(folder)
    (folder / TENSORS_FILE).write_bytes(whole + b"\0")
    refusal(folder)


def test_a_flipped_byte_of_the_header_never_gets_past_as_another_model(folder):
    whole = (folder / TENSORS_FILE).read_bytes()
    for place in range(8 + struct.unpack("<Q", whole[:8])[0]):
        damaged = bytearray(whole)
        damaged[place] ^= 0x15
        (folder / TENSORS_FILE).write_bytes(damaged)
        try:
            read = read_tensors(folder, SHAPES, TYPES)
        except WeightsError:
            continue
        assert {name: tuple(tensor.shape) for name, tensor in read.items()} == SHAPES


def test_missing_files_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"There is no file .*model\.safetensors; give a folder"):
        read_tensors(tmp_path, SHAPES, TYPES)
    with pytest.raises(WeightsError, match=r"There is no file .*config\.json; give a folder"):
        read_config(tmp_path, Config)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_a_pipe_in_place_of_a_file_does_not_wait(tmp_path):
    for name in (CONFIG_FILE, TENSORS_FILE):
        os.mkfifo(tmp_path / name)
    assert "is not a file" in refusal(tmp_path)
    with pytest.raises(WeightsError, match="is not a file"):
        read_config(tmp_path, Config)


@pytest.mark.parametrize(
    ("shapes", "dtypes", "words"),
    [
        (SHAPES | {"gain": (3,)}, TYPES, "lacks the tensor 'gain'"),
        (SHAPES | {"weight": (2, 3)}, TYPES, r"has 'weight' in shape [3, 2], and"),
        (SHAPES, {}, "has 'order' as int64, and the model needs float32"),
        ({"bias": (3,), "weight": (3, 2)}, {}, "has a tensor 'order' that"),
    ],
)
def test_tensors_of_another_model_are_refused(folder, shapes, dtypes, words):
    assert words in refusal(folder, shapes, dtypes)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_not_finite_is_refused(folder, value):
    write_weights(folder, Config(width=3), ZEROS | {"bias": torch.tensor([0, value, 0])})
    assert "holds a value in 'bias' that is not a finite number" in refusal(folder)


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": entry(0, 4), "b": entry(0, 4)}, 4, "overlap, leave gaps"),
        ({"a": entry(0, 4), "b": entry(2, 6)}, 6, "overlap, leave gaps"),
        ({"a": entry(0, 4), "b": entry(8, 12)}, 12, "overlap, leave gaps"),
        ({"a": entry(4, 8)}, 8, "overlap, leave gaps"),
        ({"a": entry(0, 4)}, 8, "overlap, leave gaps"),
        ({"a": entry(-4, 0)}, 4, "a size that is not one"),
        ({"a": entry(4, 0)}, 4, "another number of bytes"),
        ({"a": entry(0, 4, shape=(2,))}, 4, "another number of bytes"),
        ({"a": entry(0, 4, dtype="F64")}, 4, "another number of bytes"),
        ({"a": entry(0, 4, shape=(-1, -1))}, 4, "a size that is not one"),
        ({"a": entry(0, 4, shape=(1.0,))}, 4, "a size that is not one"),
        ({"a": entry(0, 4, shape=(True,))}, 4, "a size that is not one"),
        ({"a": entry(0, 4, shape=(2**62, 0))}, 4, "another number of bytes"),
        ({"a": entry(0, 2**62, shape=(2**60,))}, 4, "overlap, leave gaps or were cut short"),
        ({"a": entry(0, 2**70, shape=(2**68,))}, 4, "a size that is not one"),
        ({"a": entry(0, 4, dtype="C64")}, 4, "a type that no model uses"),
        ({"a": entry(0, 4, dtype=["F32"])}, 4, "a type that no model uses"),
        ({"a": entry(0, 4) | {"more": 1}}, 4, "in another way"),
        ({"a": [0, 4]}, 4, "in another way"),
        ({"x" * 10**6: 3}, 4, "in another way"),
        ({"a\nb\x1b[2J": 3}, 4, "in another way"),
        ([1, 2], 4, "not a table of tensors"),
        (b'{"a": {}, "a": {}}', 0, "not proper JSON"),
        (b'{"a": NaN}', 0, "not proper JSON"),
        (b'{"a": 1e999}', 0, "not proper JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", 0, "not proper JSON"),
        (b"[" * 500_000, 0, "not proper JSON"),
        (b'{"a": ' * 100_000, 0, "not proper JSON"),
        (b'{"\xff": 1}', 0, "not proper JSON"),
        ('{"a": 1}'.encode("utf-16"), 0, "not proper JSON"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, header, data, words):
    write_file(tmp_path, header, bytes(data))
    assert words in refusal(tmp_path, {"a": (1,)}, {})


@pytest.mark.parametrize("length", [0, 1, 3 << 20, 2**40, 2**64 - 1])
def test_a_header_of_absurd_length_is_not_read(tmp_path, length):
    write_file(tmp_path, {"a": entry(0, 4)}, bytes(4), length=length)
    assert "not a safetensors file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "proper JSON"),
        (b"{", "proper JSON"),
        (b'{"width": 3, "width": 4}', "a key comes twice"),
        (b'{"width": 3, "scale": NaN}', "not a finite number"),
        (b'{"width": 3, "scale": 1e999}', "not a finite number"),
        (b"[" * 200_000, "proper JSON"),
        (b"\xff\xfe", "proper JSON"),
        (b'{"width": 0}', "at 'width'"),
        (b'{"width": 1000000000000}', "at 'width'"),
        (b'{"width": "3"}', "at 'width'"),
        (b'{"width": 3, "scale": "nan"}', "at 'scale'"),
        (b'{"width": 3, "widht": 3}', "at 'widht'"),
        (b'{"width": 3, "' + b"x" * 500_000 + b'": 1}', "Extra inputs"),
        (b"3", "at the top"),
        (b" " * ((1 << 20) + 1), "is larger than"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content, words):
    assert words in config_refusal(tmp_path, content)


def test_others_may_read_the_weights_if_they_may_read_new_files(tmp_path):
    other = tmp_path / "other"
    other.touch()
    write_weights(tmp_path / "model", Config(width=3), {"a": torch.zeros(2)})
    modes = {path.stat().st_mode for path in [other, *(tmp_path / "model").iterdir()]}
    assert len(modes) == 1
