"""Files of arrays: what is written is read again, in the same bytes; damage is one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.errors import CalozooError
from calozoo_core.io.array_file import read_array_file, write_array_file
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import TENSORS_FILE, write_weights

ARRAYS = {
    "n": np.array([[1, 2], [3, 255]], np.uint8),
    "is_there": np.array([True, False]),
    "energy_gev": np.array([1.5, np.nan], np.float32),
    "offset": np.zeros((0, 4)),
}


def test_arrays_and_their_description_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "a.safetensors"
    write_array_file(file, ARRAYS, "two of them, in µm")
    arrays, description = read_array_file(file)
    assert description == "two of them, in µm"
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array, equal_nan=array.dtype.kind == "f")


def test_the_same_arrays_give_the_same_bytes_in_any_order(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write_array_file(one, ARRAYS, "the same")
    write_array_file(other, dict(reversed(ARRAYS.items())), "the same")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda content: content[:-3] + b"abc", "is damaged: its content does not have the hash"),
        (lambda content: content.replace(b"fine", b"good"), "is damaged: its content does not"),
        (lambda content: content[:-3], "overlap, leave gaps or were cut short"),
        (lambda content: b"PK" + content, "is not a safetensors file, or was cut short"),
        (lambda content: b"", "is not a safetensors file, or was cut short"),
        (lambda content: b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (lambda content: content.replace(b'"calozoo"', b'"another"'), "no file of arrays"),
    ],
)
def test_a_damaged_or_other_file_is_one_sentence(tmp_path, spoil, complaint):
    file = tmp_path / "a.safetensors"
    write_array_file(file, ARRAYS, "fine")
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(CalozooError, match=complaint) as caught:
        read_array_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_are_no_file_of_arrays(tmp_path):
    write_weights(tmp_path, StrictModel(), ARRAYS)
    with pytest.raises(CalozooError, match="no file of arrays that calozoo wrote"):
        read_array_file(tmp_path / TENSORS_FILE)
