"""Tables of incident particles, as people have them."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from calozoo.generation.parsing import make_source
from calozoo_core.errors import InputError

TWO = ([10.0, 20.0], [[0.0, 0.0, 1.0], [0.5, 0.0, 0.75**0.5]])
"""Energies and directions that every table below has; the second is at 30 degrees."""

BLANKS = "10 0 0 1\n20 0.5 0 0.8660254037844386\n"
TABLES = {
    "blanks": BLANKS,
    "tabs": BLANKS.replace(" ", "\t"),
    "commas": BLANKS.replace(" ", ","),
    "commas and blanks": BLANKS.replace(" ", ", "),
    "semicolons": BLANKS.replace(" ", ";"),
    "a separator at the end": BLANKS.replace(" ", ",").replace("\n", ",\n"),
    "Windows": BLANKS.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + BLANKS,
    "comments": f"# made by hand\n\n{BLANKS}# the end\n".replace("1\n", "1 # straight\n"),
    "header": "energy,x,y,z\n" + BLANKS.replace(" ", ","),
    "header in another order": "y;e;z;x\n0;10;1;0\n0;20;0.8660254037844386;0.5\n",
    "angles": "energy theta phi\n10 0 0\n20 30 0\n",
    "units": "E [MeV],theta (rad),phi [deg]\n10000,0,0\n20000,0.5235987755982988,0\n",
    "units in names": "energy_mev\ttheta_deg\tphi_deg\n1e4\t0\t0\n2e4\t30\t0\n",
    "savetxt with a header": f"# energy x y z\n{BLANKS}",
    "momenta": "energy px py pz\n10 0 0 10\n20 10 0 17.320508075688775\n",
}


def source_of(*words, n=None):
    ((_, incident),) = make_source(*words, n).batches(10)
    return incident


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_energies_and_directions_stand_in_one_table(tmp_path, text):
    path = tmp_path / "table.txt"
    path.write_text(text, newline="")
    for words in ([f"@{path}"], [f"@{path}", f"@{path}"]):
        incident = source_of(*words)
        np.testing.assert_allclose(incident.energy, TWO[0], rtol=1e-6)
        np.testing.assert_allclose(incident.direction, TWO[1], atol=1e-6)


def test_numpy_files_are_tables(tmp_path):
    energy, direction = map(np.array, TWO)
    np.save(tmp_path / "e.npy", energy.astype(">f4"))
    np.save(tmp_path / "d.npy", direction)
    np.save(tmp_path / "both.npy", np.column_stack([energy, direction]))
    kinds = [("energy", "f8"), ("theta", "f4"), ("phi", "i4")]
    np.save(tmp_path / "named.npy", np.array([(10, 0, 0), (20, 30, 0)], dtype=kinds))
    for words in (("e.npy", "d.npy"), ("both.npy",), ("named.npy",)):
        incident = source_of(*(f"@{tmp_path / word}" for word in words))
        np.testing.assert_allclose(incident.energy, TWO[0], rtol=1e-6)
        np.testing.assert_allclose(incident.direction, TWO[1], atol=1e-6)


def test_stdin_is_read_once_for_both(monkeypatch):
    for direction in ([], ["@-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BLANKS.encode())))
        np.testing.assert_allclose(source_of("@-", *direction).direction, TWO[1], atol=1e-6)


def test_directions_alone_come_as_angles_or_vectors(tmp_path):
    (tmp_path / "angles.csv").write_text("30,90\n")
    (tmp_path / "named.csv").write_text("phi,theta\n90,30\n")
    (tmp_path / "vectors.txt").write_text("0 0.5 0.8660254037844386\n")
    for name in ("angles.csv", "named.csv", "vectors.txt"):
        direction = source_of("50", f"@{tmp_path / name}").direction
        np.testing.assert_allclose(direction, [[0, 0.5, 0.75**0.5]], atol=1e-6)


def test_an_option_for_the_direction_comes_before_the_table(tmp_path):
    (tmp_path / "t.txt").write_text(BLANKS)
    assert np.all(source_of(f"@{tmp_path / 't.txt'}", "0,0").direction == [0, 0, 1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"1,5;2,5\n", "commas and semicolons in row 1"),
        (b"10,0,0,1\n20,0,1\n", "3 columns in row 2"),
        (b"10,,0,1\n", "column is empty in row 1"),
        (b"energy,pdg\n10,22\n", "'pdg' .* means nothing"),
        (b"energy [apples]\n10\n", "means nothing"),
        (b"energy,e\n10,10\n", "two columns for energy"),
        (b"x,y,z\n0,0,1\n", "none for an energy"),
        (b"1,2,3\n", "3 columns, unnamed, and none for an energy"),
        (b"10\nten\n", "'ten' in row 2"),
        (b"10\nnan\n", "'nan' in row 2"),
        (b"10\n-5\n", "-5 in row 2"),
        (b"# nothing\n", "no rows"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04", "zip archive"),
        ("10\n".encode("utf-16"), "UTF-8"),
        (b"\xff\x00\x80", "not text"),
        (b"\x93NUMPY\x01\x00", "no whole array"),
    ],
)
def test_what_is_no_table_of_energies_is_refused_by_row(tmp_path, text, words):
    (tmp_path / "t.txt").write_bytes(text)
    with pytest.raises(InputError, match=words) as caught:
        make_source(f"@{tmp_path / 't.txt'}")
    assert "t.txt" in str(caught.value)


@pytest.mark.parametrize("array", [["ten"], [1j], [[[1.0]]], [np.inf], [], [None]])
def test_arrays_that_are_no_tables_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", np.array(array))
    with pytest.raises(InputError, match=r"a\.npy"):
        make_source(f"@{tmp_path / 'a.npy'}")
