"""Simulation of events: independent of how it is cut, and true to its parts."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from events.event_samples import ILD, photons_on_the_face

import calozoo
from calozoo.cli import main
from calozoo.events.numbering import shower_numbers
from calozoo.events.request import EventRequest
from calozoo.events.simulate import simulate_to_file
from calozoo.events.sources import find_source
from calozoo_core.detector import load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.events import Events
from calozoo_core.full_simulation import FullSimulation
from calozoo_core.incident import Incident
from calozoo_core.io.events import BOTH, FULL, MODEL, EventFile, read_event_hits, write_events

ARGUMENTS = ["--model", "toy", "--detector", "ild_siecal", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a file of events."""
    monkeypatch.chdir(tmp_path)
    write_events("events.h5", photons_on_the_face())
    return tmp_path


def simulate(out, *options):
    assert main(["simulate", "events.h5", "--out", out, *ARGUMENTS, *options]) == 0


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refusal(capfd, *arguments):
    """The sentence in which a command refuses, and its exit code."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    said = capfd.readouterr().err
    assert said.startswith("calozoo: ")
    assert said.count("\n") == 1
    return said.removeprefix("calozoo: ").strip(), stop.value.code


def test_the_file_does_not_depend_on_chunks_and_batches(folder):
    for name, options in {
        "a.h5": [],
        "b.h5": ["--chunk", "1"],
        "c.h5": ["--chunk", "3", "--batch-size", "2"],
    }.items():
        simulate(name, *options)
    assert len({digest(name) for name in ("a.h5", "b.h5", "c.h5")}) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.h5", "b.h5", "c.h5", "events.h5"]


def test_another_seed_gives_other_hits():
    simulate("a.h5")
    simulate("b.h5", "--seed", "1")
    assert read_event_hits("a.h5") != read_event_hits("b.h5")


def test_a_model_event_has_the_hits_of_the_same_photons_generated_alone():
    simulate("a.h5")
    events, found = photons_on_the_face(), read_event_hits("a.h5")
    toy = calozoo.load("toy")
    for row in range(events.n_primaries):
        event, ordinal = int(events.event[row]), int(events.ordinal[row])
        position, direction = events.vertex[row : row + 1], events.direction[row : row + 1]
        incident = Incident(
            events.energy[row : row + 1], ILD.local_direction(position, direction), "gamma"
        )
        number = shower_numbers(np.array([event]), np.array([ordinal]), np.array([0]))
        alone = ILD.place(toy.sample_numbers(incident, 0, number), position, threshold_mev=0.1)
        within = found[event : event + 1].of_primary(ordinal, threshold_mev=0.1)
        assert np.array_equal(np.sort(within.cell), np.sort(alone.cell))
        assert np.sort(within.energy) == pytest.approx(np.sort(alone.energy))


def test_energy_of_a_hit_is_the_sum_of_what_its_primaries_left():
    simulate("a.h5")
    found = read_event_hits("a.h5")
    sums = np.add.reduceat(found.energy.astype(np.float64), found.offsets[:-1])
    assert sums == pytest.approx(found.hits.energy, rel=1e-6)
    assert found.hits.energy.min() >= np.float32(0.1)
    assert np.any(np.diff(found.offsets) > 1)


def test_cells_are_cut_after_they_are_summed():
    simulate("all.h5", "--threshold", "0")
    simulate("cut.h5", "--threshold", "0.5")
    everything, cut = read_event_hits("all.h5").hits, read_event_hits("cut.h5").hits
    kept = everything.energy >= np.float32(0.5)
    assert np.array_equal(everything.cell[kept], cut.cell)
    assert np.array_equal(everything.energy[kept], cut.energy)


def test_the_file_says_who_simulated_each_primary_and_how():
    simulate("a.h5", "--seed", "3")
    with EventFile("a.h5") as file:
        assert set(file.simulated_by()) == {MODEL}
        assert (file.model, file.detector, file.threshold_mev) == (
            "toy.ild-photon",
            "ild_siecal",
            0.1,
        )
        assert file.text("seed") == "3"
        assert file.text("events_sha256") == digest("events.h5")
        assert np.array_equal(file.taken().position, photons_on_the_face().vertex)
        assert file.events() == photons_on_the_face()


def test_output_is_itself_a_file_of_events():
    simulate("a.h5")
    assert main(["simulate", "a.h5", "--out", "again.h5", *ARGUMENTS]) == 0
    assert read_event_hits("again.h5") == read_event_hits("a.h5")


def test_a_stopped_run_goes_on_and_gives_the_same_file(monkeypatch, folder, capfd):
    simulate("whole.h5", "--chunk", "2")
    from calozoo.cli.output import BatchProgress

    seen = []

    def stop_at_second(self, n):
        seen.append(n)
        if len([one for one in seen if one]) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchProgress, "advance", stop_at_second)
        said, code = refusal(
            capfd, "simulate", "events.h5", "--out", "a.h5", "--chunk", "2", *ARGUMENTS
        )
    assert code == 130
    assert "the same command goes on there" in said
    assert len(list((folder / "a.h5.parts").glob("*.npz"))) == 2
    other, code = refusal(
        capfd, "simulate", "events.h5", "--out", "a.h5", "--seed", "9", "--chunk", "2", *ARGUMENTS
    )
    assert "a.h5.parts holds parts of another simulation" in other
    assert code == 1
    capfd.readouterr()
    simulate("a.h5", "--chunk", "2", "--json")
    assert json.loads(capfd.readouterr().out)["kept"] == 4
    assert digest("a.h5") == digest("whole.h5")
    assert not (folder / "a.h5.parts").exists()


def test_a_signal_in_the_middle_of_a_chunk_keeps_the_chunks_before(monkeypatch, folder, capfd):
    simulate("whole.h5", "--chunk", "3")
    from calozoo.cli.output import BatchProgress

    seen = []

    def stop_in_the_second_chunk(self, n):
        if sum(seen) and not n:
            raise KeyboardInterrupt
        seen.append(n)

    with monkeypatch.context() as patch:
        patch.setattr(BatchProgress, "advance", stop_in_the_second_chunk)
        refusal(capfd, "simulate", "events.h5", "--out", "a.h5", "--chunk", "3", *ARGUMENTS)
    assert sum(seen) == 3
    simulate("a.h5", "--chunk", "3", "--json")
    assert json.loads(capfd.readouterr().out)["kept"] == 3
    assert digest("a.h5") == digest("whole.h5")


class EndlessSimulation(FullSimulation):
    """Full simulation that takes for ever, until it is closed."""

    def __init__(self):
        self.closed = threading.Event()

    def run(self, primaries, seeds, names):
        self.closed.wait()
        msg = "it was closed"
        raise CalozooError(msg)
        yield

    def close(self):
        self.closed.set()


def test_a_signal_does_not_wait_for_the_full_simulation_of_a_chunk(folder):
    spec, detector = calozoo.api.find_model("geant4"), load_detector("ild_siecal")
    request = EventRequest(find_source(Path("events.h5"), None), spec, detector, 1, 0.1, None)

    def stop(n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(
            request, folder / "a.h5", simulation=EndlessSimulation, model=None, on_events=stop
        )
    assert not (folder / "a.h5.parts").exists()


def test_a_part_that_is_not_what_its_record_says_is_made_again(monkeypatch, folder, capfd):
    from calozoo.cli.output import BatchProgress

    simulate("whole.h5", "--chunk", "3")

    def stop(self, n):
        if n:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchProgress, "advance", stop)
        refusal(capfd, "simulate", "events.h5", "--out", "a.h5", "--chunk", "3", *ARGUMENTS)
    (record,) = (folder / "a.h5.parts").glob("*.sha256")
    record.write_text("0" * 64)
    simulate("a.h5", "--chunk", "3", "--json")
    assert json.loads(capfd.readouterr().out)["kept"] == 0
    assert digest("a.h5") == digest("whole.h5")


def test_a_damaged_part_is_made_again(monkeypatch, folder, capfd):
    from calozoo.cli.output import BatchProgress

    simulate("whole.h5", "--chunk", "3")

    def stop(self, n):
        if n:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchProgress, "advance", stop)
        refusal(capfd, "simulate", "events.h5", "--out", "a.h5", "--chunk", "3", *ARGUMENTS)
    (part,) = (folder / "a.h5.parts").glob("*.npz")
    part.write_bytes(part.read_bytes()[:100])
    simulate("a.h5", "--chunk", "3")
    assert digest("a.h5") == digest("whole.h5")


@pytest.mark.parametrize(
    ("arguments", "complaint", "code"),
    [
        (["nowhere.h5"], "There is no file of events nowhere.h5.", 1),
        (["text.txt"], "text.txt holds no events: give a native file of events", 1),
        (["bad.hepmc"], "bad.hepmc is no file of HepMC3 or HepMC2 in ASCII", 1),
        ([], "Give a file of EVENTS or a gun, such as --gun gamma:50, and not both.", 2),
        (["events.h5", "-n", "99"], "events.h5 has 7 events, not 99.", 2),
        (["events.h5", "--from-ip"], "--from-ip, --vertex and", 2),
        (["--gun", "gamma:50"], "A gun needs a place: add --from-ip", 2),
        (["--gun", "gamma", "--from-ip"], "Cannot read the gun 'gamma'", 2),
        (["--gun", "gluon:50", "--from-ip"], "No particle is called 'gluon'", 2),
        (["--gun", "pi0:50", "--from-ip"], "event 0 is a pi0 that was not decayed", 2),
        (["--gun", "gamma:9", "--vertex", "0,1900,0", "--dir", "90,90"], "starts behind the", 2),
        (["--gun", "gamma:9", "--vertex", "0,x,0", "--dir", "90,90"], "Cannot read the", 2),
        (["events.h5", "--chunk", "0"], "--chunk must be 1 event or more, not 0.", 2),
        (["events.h5", "--threshold", "-1"], "must be 0 MeV or more", 2),
        (["events.h5", "--least-energy", "0"], "must be above 0 GeV", 2),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    folder, capfd, arguments, complaint, code
):
    (folder / "text.txt").write_text("no events")
    (folder / "bad.hepmc").write_text("no events either")
    before = sorted(path.name for path in folder.iterdir())
    said, status = refusal(capfd, "simulate", *arguments, "--out", "o.h5", *ARGUMENTS)
    assert complaint in said
    assert status == code
    assert sorted(path.name for path in folder.iterdir()) == before


def test_without_geant4s_data_events_that_need_it_end_in_one_sentence(folder, capfd, monkeypatch):
    for name in ("CALOZOO_G4DATA", "GEANT4_DATA_DIR", "G4LEDATA", "G4ENSDFSTATEDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder / "nobody"))
    said, code = refusal(
        capfd, "simulate", "--gun", "gamma:9", "--from-ip", "--out", "o.h5", *ARGUMENTS
    )
    assert "Geant4's data set G4EMLOW8.8 was not found" in said
    assert code == 1
    assert sorted(path.name for path in folder.iterdir()) == ["events.h5"]


def test_hadrons_that_geant4_cannot_do_are_named_once(capfd, monkeypatch, folder):
    events = photons_on_the_face(2)
    n = events.n_primaries
    pdg = np.where(np.arange(n) == 0, 211, np.where(np.arange(n) == 1, 2112, 22))
    write_events(
        "h.h5", Events.of(events.offsets, pdg, events.energy, events.momentum, events.vertex)
    )
    for name in ("CALOZOO_G4DATA", "GEANT4_DATA_DIR", "G4LEDATA", "G4ENSDFSTATEDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder / "nobody"))
    with pytest.raises(SystemExit):
        main(["simulate", "h.h5", "--out", "o.h5", "--model", "toy", "--detector", "ild_siecal"])
    said = capfd.readouterr().err
    assert said.count("has no hadrons") == 1
    assert "(only ionises: pi+; leaves nothing: neutron)" in said


@pytest.fixture(name="hepmc")
def _hepmc(folder):
    pyhepmc = pytest.importorskip("pyhepmc")
    units = pyhepmc.Units
    with pyhepmc.open("e.hepmc", "w") as file:
        for number in range(2):
            event = pyhepmc.GenEvent(units.MEV, units.CM)
            event.event_number = number
            mother = pyhepmc.GenParticle((0, 9000, 0, 9001), 111, 2)
            photons = [pyhepmc.GenParticle((0, p, 0, p), 22, 1) for p in (7000, 2000)]
            ghost = pyhepmc.GenParticle((1, 1, 1, 2), 12, 1)
            vertex = pyhepmc.GenVertex((0.1, 0.2, 0.3, 1.0))
            vertex.add_particle_in(mother)
            for particle in (*photons, ghost):
                vertex.add_particle_out(particle)
            event.add_vertex(vertex)
            file.write(event)
    return folder / "e.hepmc"


def test_hepmc_is_read_in_its_units_with_mothers_and_without_neutrinos(hepmc):
    from calozoo.events.sources import find_source

    (events,) = find_source(hepmc).chunks(10)
    assert len(events) == 2
    assert events.energy.tolist() == pytest.approx([7, 2, 7, 2])
    assert events.vertex[0].tolist() == pytest.approx([1, 2, 3])
    assert events.time[0] == pytest.approx(10 / 299.792458)
    assert set(events.mother_pdg.tolist()) == {111}
    assert len(list(find_source(hepmc, 1).chunks(10))) == 1


def test_who_simulated_a_primary_tells_the_model_from_the_rest():
    from calozoo.events.deposits import Deposits
    from calozoo.events.hit_building import simulated_events
    from calozoo_core.full_simulation import PrimaryDeposits, TakenParticle

    events = Events.of([0, 3], [22, 22, 11], [9.0] * 3, [[0, 9.0, 0]] * 3)
    place, along = (0.0, 1804.7, 0.0), (0.0, 1.0, 0.0)
    deposits = Deposits.of(
        [
            PrimaryDeposits(taken=(TakenParticle("gamma", 9.0, place, along),)),
            PrimaryDeposits(),
            PrimaryDeposits(taken=(TakenParticle("gamma", 6.0, place, along),)),
        ]
    )
    assert simulated_events(events, deposits, ILD, 0.1).simulated_by.tolist() == [MODEL, FULL, BOTH]
