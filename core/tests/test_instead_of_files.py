"""What lies where a file should: each is recognised, by all that read, and said in one sentence."""

from __future__ import annotations

import gzip

import pytest
from pydantic import BaseModel

from calozoo_core.errors import ShowerFileError, WeightsError
from calozoo_core.io import calochallenge, open_showers, read_hits, read_showers, root
from calozoo_core.io.events import read_events
from calozoo_core.weights import CONFIG_FILE, TENSORS_FILE, read_config, read_tensors

OTHERS = {
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n": "a pointer of Git LFS",
    "/annex/objects/SHA256E-s9--0.h5\n": "a pointer of git-annex",
    "\n<!DOCTYPE html>\n<title>404</title>\n": "a web page",
    "<html><body>Sign in</body></html>\n": "a web page",
}

READERS = {
    "showers": read_showers,
    "an opened file": open_showers,
    "hits": read_hits,
    "voxels": calochallenge.read,
    "events": read_events,
    "ROOT": root.read,
}


class Settings(BaseModel):
    """A configuration."""


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", OTHERS)
def test_a_reader_says_what_lies_there(text, reader, tmp_path):
    path = tmp_path / "s.h5"
    path.write_text(text)
    with pytest.raises(ShowerFileError, match=rf"s\.h5 is {OTHERS[text]}"):
        READERS[reader](path)


@pytest.mark.parametrize("text", OTHERS)
def test_weights_say_what_lies_there(text, tmp_path):
    (tmp_path / CONFIG_FILE).write_text(text)
    (tmp_path / TENSORS_FILE).write_text(text)
    with pytest.raises(WeightsError, match=rf"{CONFIG_FILE} is {OTHERS[text]}"):
        read_config(tmp_path, Settings)
    with pytest.raises(WeightsError, match=rf"{TENSORS_FILE} is {OTHERS[text]}"):
        read_tensors(tmp_path, {"w": [1]})


def test_a_packed_file_is_to_be_unpacked(tmp_path):
    path = tmp_path / "s.h5.gz"
    path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n" + bytes(100)))
    with pytest.raises(ShowerFileError, match="is packed with gzip; unpack it first"):
        read_showers(path)
