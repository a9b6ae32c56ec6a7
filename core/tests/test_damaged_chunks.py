"""Packed chunks: the HDF5 library believes that they unpack to the size of a chunk."""

from __future__ import annotations

import zlib

import h5py
import numpy as np
import pytest
from damaged import read, refusal
from shower_strategies import same_showers

resource = pytest.importorskip("resource", reason="memory is measured as Unix does")

FILTERS = {
    "deflate": {"compression": "gzip"},
    "deflate and checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "checksum": {"fletcher32": True},
}


def pack(path, name, options, content, mask=0):
    """Replace a column of a file by a single chunk with this content, packed or not."""
    with h5py.File(path, "r+") as file:
        n, dtype = len(file[name]), file[name].dtype
        del file[name]
        kind = {"chunks": (1 << 20,), "maxshape": (None,)}
        data = file.create_dataset(name, (n,), dtype, **kind, **options)
        data.id.write_direct_chunk((0,), content, filter_mask=mask)


@pytest.mark.parametrize("name", ["points/x", "points/offsets", "hits/cell", "incident/energy"])
@pytest.mark.parametrize(
    ("filters", "content", "mask"),
    [
        ("deflate", zlib.compress(bytes(16)), 0),
        ("deflate", zlib.compress(bytes((1 << 20) * 8 + 8)), 0),
        ("deflate", zlib.compress(bytes(1 << 22))[:-1], 0),
        ("deflate", b"no deflate", 0),
        ("deflate", bytes(16), 1),
        ("deflate and checksum", bytes(16), 7),
        ("checksum", bytes(3), 0),
        ("checksum", bytes(16), 1),
    ],
)
def test_a_chunk_that_unpacks_to_another_size_is_refused(path, name, filters, content, mask):
    # Under most of these the library reads memory that is not the chunk's, and crashes.
    pack(path, name, FILTERS[filters], content, mask)
    assert f"a chunk of its {name} does not have the size of one" in refusal(path)


def test_a_chunk_that_unpacks_to_far_more_takes_no_memory(path):
    bomb = zlib.compress(bytes(1 << 28), level=1)
    pack(path, "points/x", FILTERS["deflate"], bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "does not have the size of one" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("filters", FILTERS)
def test_a_chunk_that_was_not_packed_since_that_would_not_pay_is_read(path, filters, sound):
    content = np.zeros(1 << 20, np.float32)
    content[:300] = sound.x
    pack(path, "points/x", FILTERS[filters], content.tobytes(), mask=7)
    assert same_showers(read(path)[0], sound)
