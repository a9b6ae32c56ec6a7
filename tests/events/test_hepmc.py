"""HepMC files: what a sound one holds, and that a damaged one is refused in one sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from calozoo.cli import main
from calozoo.events.hepmc import read_hepmc
from calozoo_core.errors import InputError, ShowerFileError

pyhepmc = pytest.importorskip("pyhepmc")

END = b"HepMC::Asciiv3-END_EVENT_LISTING"
ARGUMENTS = ["--model", "toy", "--detector", "ild_siecal", "--out", "o.h5", "--quiet", "--json"]


def text_of_events(kind=None, n=3):
    """Text of events with two photons from the decay of a pion."""
    path, units = Path("written.hepmc"), pyhepmc.Units
    with pyhepmc.open(path, "w", format=kind) as file:
        for number in range(n):
            event = pyhepmc.GenEvent(units.GEV, units.MM)
            event.event_number = number
            vertex = pyhepmc.GenVertex((0.1, 0.2, 0.3, 1.0))
            vertex.add_particle_in(pyhepmc.GenParticle((0, 9, 0, 9.001), 111, 2))
            for p in (7, 2):
                vertex.add_particle_out(pyhepmc.GenParticle((0, p, 0, p), 22, 1))
            event.add_vertex(vertex)
            file.write(event)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="text")
def _text():
    return text_of_events()


def read(content, name="e.hepmc"):
    Path(name).write_bytes(content)
    return list(read_hepmc(Path(name)))


@pytest.mark.parametrize("kind", ["HepMC3", "HepMC2"])
@pytest.mark.parametrize("change", ["none", "gzip", "crlf", "twice"])
def test_sound_files_are_read_whatever_their_name_and_line_ends(kind, change):
    text = text_of_events(kind)
    changed = {
        "none": text,
        "gzip": gzip.compress(text),
        "crlf": text.replace(b"\n", b"\r\n"),
        "twice": text + text,
    }
    events = read(changed[change])
    assert [sorted(event.energy.tolist()) for event in events] == [[2, 7]] * len(events)
    assert len(events) == (6 if change == "twice" else 3)


def test_vertices_that_the_file_only_implies_do_not_count_as_missing():
    electron = pyhepmc.GenParticle((0, 9, 0, 9), 11, 4)
    pion = pyhepmc.GenParticle((0, 9, 0, 9), 111, 2)
    photon = pyhepmc.GenParticle((0, 5, 0, 5), 22, 1)
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    for incoming, outgoing in ((electron, pion), (pion, photon)):
        vertex = pyhepmc.GenVertex()
        vertex.add_particle_in(incoming)
        vertex.add_particle_out(outgoing)
        event.add_vertex(vertex)
    with pyhepmc.open("e.hepmc", "w") as file:
        file.write(event)
    assert b"\nV " not in Path("e.hepmc").read_bytes()
    (event,) = read_hepmc(Path("e.hepmc"))
    assert event.energy.tolist() == [5]
    assert event.mother_pdg.tolist() == [111]


def test_an_event_without_particles_does_not_end_the_file(text):
    events = read(text.replace(b"E 1 1 3", b"E 9 0 0\nU GEV MM\nE 1 1 3"))
    assert [event.n_primaries for event in events] == [2, 0, 2, 2]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"E 1 1 3", b"E 1 1 4", r"Event 1 .*\(it has 3 particles, not the 4 that it says\)"),
        (b"E 1 1 3", b"E 1 1 900000000000", "Event 1 .*it has 3 particles"),
        (b"E 1 1 3", b"E 1 2 3", "Event 1 .*it has 1 vertices, not the 2"),
        (b"P 3 -1 22", b"P x -1 22", "Event 0 .*it has the line 'P x -1 22"),
        (b"P 3 -1 22", b"P 3 -1 2x2", "Event 0 .*it has the line 'P 3 -1 2x2"),
        (b"P 3 -1 22 ", b"P 3 -1 22\n", "Event 0 .*it has the line 'P 3 -1 22'"),
        (b"P 3 -1", b"P 3 -7", "Event 0 .*it has no particle or vertex -7"),
        (b"P 3 -1", b"P 5 -1", "Event 0 .*not numbered from 1 on"),
        (b"V -1 0 [1]", b"V -1 0 [", r"Event 0 .*it has the line 'V -1 0 \["),
        (b"U GEV MM", b"U TEV MM", "Event 0 .*it has the line 'U TEV MM'"),
    ],
)
def test_an_event_that_does_not_hold_what_it_says_is_named(text, old, new, complaint):
    assert old in text
    with pytest.raises(ShowerFileError, match=complaint):
        read(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"1 2 0\nP", b"1 3 0\nP", "Event 0 .*it has 3 particles, not the 4 that it says"),
        (b"0 0 1 10000", b"0 0 2 10000", "Event 0 .*it has 1 vertices, not the 2"),
        (b"P 10003 22", b"P 10003 x", "Event 0 .*it has the line 'P 10003 x"),
        (b"IO_GenEvent-END", b"IO_GenEvent-", "is cut in or after event 2"),
    ],
)
def test_damaged_events_of_hepmc2_are_named(old, new, complaint):
    text = text_of_events("HepMC2")
    assert old in text
    with pytest.raises(ShowerFileError, match=complaint):
        read(text.replace(old, new))


def test_a_file_that_is_cut_anywhere_is_refused(text):
    for end in range(1, text.index(END) + len(END) - 1, 7):
        with pytest.raises(ShowerFileError):
            read(text[:end])
    with pytest.raises(ShowerFileError, match=r"cut in or after event 1: its last line, HepMC::A"):
        read(text[: text.rindex(b"E 2 ")])
    packed = gzip.compress(text)
    with pytest.raises(ShowerFileError, match=r"e\.hepmc is cut or damaged in event \d"):
        read(packed[:-20])
    with pytest.raises(ShowerFileError, match="is cut or damaged in event 0"):
        read(packed[:60] + b"damage" + packed[66:])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"e\.hepmc has no events\.$"),
        (b"no events", "no file of HepMC3 or HepMC2 in ASCII: among its first lines is 'no even"),
        (b"\0\xff" * 50, "no file of HepMC3 or HepMC2 in ASCII: among its first lines is"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"HepMC::Version 3\nHepMC::Other", "among its first lines is 'HepMC::Other'"),
    ],
)
def test_what_is_no_hepmc_file_is_called_what_it_is(content, complaint):
    with pytest.raises(ShowerFileError, match=complaint):
        read(content)


def test_text_behind_the_events_is_refused(text):
    with pytest.raises(ShowerFileError, match="it goes on behind event 2 with 'more'"):
        read(text + b"more\n")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("2.0000000000000000e+00", "nan", "has a momentum that is not finite"),
        ("2.0000000000000000e+00", "1e-200", "has a momentum of 1e-200 GeV"),
        ("2.0000000000000000e+00", "0", "has a momentum of 0 GeV"),
        ("1.0000000000000001e-01", "1e300", "has no finite vertex"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_impossible_particle_is_named_with_its_event(text, old, new, complaint):
    before, last = text.split(b"E 2 ")
    assert old.encode() in last
    changed = before + b"E 2 " + last.replace(old.encode(), new.encode())
    with pytest.raises(InputError, match=rf"^Primary [01] of event 2 {complaint}"):
        read(changed)


def test_slow_massive_particles_keep_their_kinetic_energy(text):
    line = b"P 3 -1 2112 0 1e-9 0 0.93956542052 0.93956542052 1"
    old = next(line for line in text.splitlines() if line.startswith(b"P 3 -1"))
    assert read(text.replace(old, line))[0].energy[1] == pytest.approx(0.5e-18 / 0.93956542052)


def test_a_damaged_file_leaves_one_sentence_and_nothing_else(text, capfd):
    for content in (text[: len(text) * 2 // 3], text.replace(b"E 1 1 3", b"E 1 1 4")):
        Path("e.hepmc").write_bytes(content)
        with pytest.raises(SystemExit) as end:
            main(["simulate", "e.hepmc", *ARGUMENTS])
        out, err = capfd.readouterr()
        assert (end.value.code, out, err.count("\n")) == (1, "", 1), err
        assert not list(Path().glob("o.h5*"))


def test_messages_of_hepmc_are_as_before_after_a_file_was_read(text):
    pyhepmc.Setup.debug_level = 3
    try:
        read(text)
        assert pyhepmc.Setup.debug_level == 3
        assert pyhepmc.Setup.print_errors
    finally:
        pyhepmc.Setup.debug_level = 5


def test_vertices_and_times_are_in_mm_and_ns(text):
    event = read(text)[2]
    assert np.allclose(event.vertex, [0.1, 0.2, 0.3])
    assert np.allclose(event.time, 1 / 299.792458)
