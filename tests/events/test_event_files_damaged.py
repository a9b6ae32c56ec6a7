"""Damaged files of simulated events: one sentence each, from every command that reads them."""

from __future__ import annotations

import re
import shutil

import h5py
import numpy as np
import pytest
from events.event_samples import photons_on_the_face

from calozoo.cli import main
from calozoo.events.file_summary import summarise_events
from calozoo_core.errors import InputError, ShowerFileError
from calozoo_core.io import _event_reader, event_root
from calozoo_core.io.events import EventFile, write_events


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_events(folder / "events.h5", photons_on_the_face())
    words = ["--model", "toy", "--detector", "ild_siecal", "--out", str(folder / "hits.h5")]
    assert main(["simulate", str(folder / "events.h5"), *words, "--quiet"]) == 0
    return folder / "hits.h5"


@pytest.fixture(name="file")
def _file(sound, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(sound, tmp_path / "hits.h5")
    return tmp_path / "hits.h5"


def damage(path, name, value, row=-1):
    with h5py.File(path, "r+") as stored:
        stored[name][row] = value


DAMAGES = [
    ("contributions/primary", 99, "a contribution from primary 99 of event 6, which has"),
    ("contributions/primary", -1, "a contribution from primary -1 of event 6, which has"),
    ("contributions/energy", np.nan, "a contribution of nan MeV"),
    ("contributions/energy", -2, "a contribution of -2 MeV"),
    ("contributions/energy", 1e3, "MeV whose contributions add up to 1000"),
    ("hits/energy", 1e3, "a hit of 1000 MeV whose contributions add up to"),
    ("hits/x", 1e30, "a hit at x = 1e+30 mm"),
    ("hits/energy", np.nan, "a hit of nan MeV"),
    ("primaries/simulated_by", 9, "a primary with simulated_by = 9, which ends at 3"),
    ("taken/event", 77, "a particle left to the model from event 77, which is not there"),
    ("taken/event", -1, "a particle left to the model from event -1, which is not there"),
    ("taken/primary", 5, "a particle left to the model from primary 5 of event 6, which has"),
    ("taken/pdg", 1234, "a particle left to the model with the PDG number 1234"),
    ("taken/energy", np.nan, "a particle left to the model of nan GeV"),
    ("taken/position", (0, 1e30, 0), "a particle left to the model that is nowhere near"),
    ("taken/direction", (0, 2, 0), "whose direction is no unit vector"),
    ("taken/time", np.inf, "or at no time"),
]


@pytest.mark.parametrize(("name", "value", "complaint"), DAMAGES)
def test_a_value_that_cannot_be_is_refused(file, name, value, complaint):
    damage(file, name, value)
    expected = rf"hits\.h5 is not a sound file of events \(it holds .*{re.escape(complaint)}"
    with pytest.raises(ShowerFileError, match=expected):
        summarise_events(file)


@pytest.mark.parametrize(("name", "value", "complaint"), DAMAGES)
def test_a_damaged_file_is_not_exported(file, name, value, complaint):
    pytest.importorskip("uproot")
    damage(file, name, value)
    with EventFile(file) as opened, pytest.raises(ShowerFileError, match=re.escape(complaint)):
        event_root.write_edm4hep(file.with_name("o.root"), opened)
    assert [path.name for path in file.parent.iterdir()] == ["hits.h5"]


@pytest.mark.parametrize("name", ["primaries/simulated_by", "taken/time"])
def test_a_column_of_another_length_is_refused_at_once(file, name):
    with h5py.File(file, "r+") as stored:
        stored[name].resize(1, axis=0)
    with pytest.raises(ShowerFileError, match=r"does not fit|different lengths"):
        EventFile(file)


def test_particles_left_to_the_model_are_looked_at_block_by_block(file, monkeypatch):
    monkeypatch.setattr(_event_reader, "_TAKEN_BLOCK", 2)
    with EventFile(file) as opened:
        opened.check_taken()
        assert len(opened.taken().event) > 4
    damage(file, "taken/primary", 7, row=4)
    with EventFile(file) as opened, pytest.raises(ShowerFileError, match="from primary 7 of event"):
        opened.check_taken()


def test_an_impossible_primary_is_named_by_its_event_in_the_file(file):
    damage(file, "primaries/energy", -5)
    with EventFile(file) as opened, pytest.raises(InputError, match="of event 6 has a kinetic"):
        opened.events(slice(5, 7))
