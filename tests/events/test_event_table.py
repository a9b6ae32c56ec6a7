"""Tables of primaries: what they hold, and what they refuse."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from events.event_samples import photons_on_the_face

from calozoo_core.errors import InputError, OutputExistsError, ShowerFileError
from calozoo_core.events import Events
from calozoo_core.io.events import EventFile, is_event_file, read_events, write_events


def _one(**changes):
    columns = {"pdg": [22], "energy": [5.0], "momentum": [[0, 5.0, 0]]} | changes
    return Events.of([0, 1], **columns)


def test_events_are_read_as_they_were_written(tmp_path):
    events = photons_on_the_face()
    write_events(tmp_path / "e.h5", events)
    assert read_events(tmp_path / "e.h5") == events
    assert is_event_file(tmp_path / "e.h5")
    with EventFile(tmp_path / "e.h5") as file:
        assert len(file) == len(events)
        assert file.events(slice(2, 4)) == events[2:4]


def test_a_slice_with_a_step_leaves_events_out():
    events = photons_on_the_face()
    assert events[::3] == Events.concatenate([events[i : i + 1] for i in range(0, len(events), 3)])


def test_runs_of_events_put_together_are_the_whole():
    events = photons_on_the_face()
    assert Events.concatenate([events[:3], events[3:]]) == events
    assert events.ordinal.tolist() == [
        i for n in np.diff(events.offsets).tolist() for i in range(n)
    ]


def test_events_are_selected_by_slices_numbers_in_lists_and_masks():
    events = photons_on_the_face()
    assert events[[4, 1]] == Events.concatenate([events[4:5], events[1:2]])
    assert events[np.arange(7) > 4] == events[5:]
    complaint = r"^Events are selected by a slice, such as \[0:1\], .* or a mask, not by int 0\.$"
    with pytest.raises(InputError, match=complaint):
        events[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pdg": [23]}, r"Primary 0 of event 0 is no long-lived particle \(PDG number 23\)"),
        ({"energy": [0.0]}, "kinetic energy of 0 GeV"),
        ({"energy": [np.inf]}, "kinetic energy of inf GeV"),
        ({"energy": [np.nan]}, "kinetic energy of nan GeV"),
        ({"energy": [1e300]}, r"kinetic energy of 1e\+300 GeV, .* at most 1e\+100"),
        ({"momentum": [[0, 0, 0]]}, "a momentum of 0 GeV, which gives no direction"),
        ({"momentum": [[0, 1e-200, 0]]}, "a momentum of 1e-200 GeV, which gives no direction"),
        ({"momentum": [[0, 1e200, 0]]}, r"a momentum of 1e\+200 GeV, which gives no direction"),
        ({"momentum": [[0, np.nan, 0]]}, "a momentum that is not finite"),
        ({"vertex": [0, np.inf, 0]}, "no finite vertex"),
    ],
)
def test_an_impossible_primary_is_named(changes, complaint):
    with pytest.raises(InputError, match=complaint):
        _one(**changes)


def test_a_file_is_not_replaced_unasked_and_no_half_is_left(tmp_path):
    events = photons_on_the_face()
    write_events(tmp_path / "e.h5", events)
    with pytest.raises(OutputExistsError):
        write_events(tmp_path / "e.h5", events)
    assert [path.name for path in tmp_path.iterdir()] == ["e.h5"]


@pytest.mark.parametrize("damage", ["offsets", "lengths", "type", "format"])
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "e.h5"
    write_events(path, photons_on_the_face())
    with h5py.File(path, "r+") as file:
        if damage == "offsets":
            file["primaries/offsets"][1] = 99
        elif damage == "lengths":
            file["primaries/pdg"].resize(3, axis=0)
        elif damage == "type":
            del file["primaries/energy"]
            file["primaries/energy"] = np.zeros(3, "f4")
        else:
            file.attrs["format"] = "other"
    with pytest.raises(ShowerFileError, match=r"e\.h5 is"):
        read_events(path)
