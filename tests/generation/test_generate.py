"""From primaries to a file: streaming, whole or not at all, the same bytes again."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from calozoo import api
from calozoo.cli.signals import STOP_SIGNALS, stop_message
from calozoo.generation.generate_file import check_output, generate_to_file
from calozoo.generation.parsing import make_source
from calozoo_core.errors import (
    ConditionsError,
    InputError,
    OutputExistsError,
    ShowerFileError,
)
from calozoo_core.generator import Conditions, Generator, ModelSpec
from calozoo_core.incident import Incident
from calozoo_core.io import ShowerFile, read_showers
from calozoo_core.showers import Showers

SPEC = ModelSpec(
    name="dots.small",
    summary="One point a shower, for tests of everything around a model.",
    factory="nowhere:Dots",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 100), theta_deg=(0, 60)),
    license="Apache-2.0",
)

COMMAND = [sys.executable, "-m", "calozoo", "generate", "--model", "toy"]


class Dots(Generator):
    """Puts the incident energy into one point, and counts how often it was asked."""

    def __init__(self, spec=SPEC, points=1):
        super().__init__(spec)
        self.points = points
        self.asked = []

    @classmethod
    def load(cls, spec, folder, *, device="cpu", precision=None):
        return cls(spec)

    def sample(self, incident: Incident, seed: int, first: int) -> Showers:
        self.asked.append((first, len(incident)))
        n = len(incident) * self.points
        return Showers(
            offsets=np.arange(len(incident) + 1) * self.points,
            x=np.random.default_rng(first).random(n) if self.points > 1 else np.zeros(n),
            y=np.zeros(n),
            layer=np.zeros(n),
            energy=np.repeat(incident.energy, self.points),
            incident=incident,
            representation="x25",
            detector="ild_siecal_regular",
        )


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_file_holds_the_showers_of_the_primaries_in_order(tmp_path):
    source = make_source("10,20,50", "cone:60", 10, seed=3)
    written = generate_to_file(Dots(), source, tmp_path / "s.h5", seed=3, batch_size=4)
    showers = read_showers(tmp_path / "s.h5")
    assert showers.incident.energy.tolist() == [10, 20, 50, 10, 20, 50, 10, 20, 50, 10]
    assert showers.visible_energy.tolist() == showers.incident.energy.tolist()
    assert (written.n_showers, written.n_points) == (10, 10)
    assert written.n_bytes == (tmp_path / "s.h5").stat().st_size


def test_the_file_says_who_made_it_and_with_which_seed(tmp_path):
    generate_to_file(Dots(), Incident(10, (0, 0, 1)), tmp_path / "s.h5", seed=2**64 - 1)
    with ShowerFile(tmp_path / "s.h5") as file:
        assert (file.generator, file.seed) == ("dots.small", str(2**64 - 1))


def test_each_batch_is_asked_for_by_its_place_in_the_sample(tmp_path):
    generator, seen = Dots(), []
    source = make_source("10", "0,0", 10)
    generate_to_file(generator, source, tmp_path / "s.h5", batch_size=4, on_batch=seen.append)
    assert generator.asked == [(0, 4), (4, 4), (8, 2)]
    assert seen == [4, 4, 2]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_batch_size_does_not_change_the_showers(tmp_path, batch_size):
    toy = api.load("toy")
    source = make_source("10:20", "cone:60", 20, seed=5)
    for name, size in (("a.h5", 20), ("b.h5", batch_size)):
        generate_to_file(toy, source, tmp_path / name, seed=5, batch_size=size)
    a, b = read_showers(tmp_path / "a.h5"), read_showers(tmp_path / "b.h5")
    assert np.array_equal(a.offsets, b.offsets)
    for name in ("x", "y", "layer", "energy"):
        assert np.array_equal(getattr(a, name), getattr(b, name))


def test_the_file_and_python_give_the_same_showers(tmp_path):
    toy = api.load("toy")
    generate_to_file(toy, make_source("20", "30,0", 5), tmp_path / "s.h5", seed=7)
    angle = np.radians(30)
    showers = toy.generate(energy=20, direction=(np.sin(angle), 0, np.cos(angle)), n=5, seed=7)
    assert np.array_equal(read_showers(tmp_path / "s.h5").energy, showers.energy)


def test_what_lies_outside_the_conditions_is_refused_before_the_first_shower(tmp_path):
    generator = Dots()
    for words in (("50:200", "0,0"), ("log:0.1:10", "0,0"), ("50", "cone:70"), ("50", "70,0")):
        with pytest.raises(ConditionsError, match=r"extrapolate=True"):
            generate_to_file(generator, make_source(*words, 1000), tmp_path / "s.h5")
    assert generator.asked == []
    assert list(tmp_path.iterdir()) == []


def test_the_last_row_of_a_file_is_checked_before_the_first_shower(tmp_path):
    (tmp_path / "e.txt").write_text("10\n" * 500 + "101\n")
    generator = Dots()
    with pytest.raises(ConditionsError, match="101 GeV"):
        generate_to_file(generator, make_source(f"@{tmp_path}/e.txt", "0,0"), tmp_path / "s.h5")
    assert generator.asked == []
    assert generate_to_file(
        generator, make_source(f"@{tmp_path}/e.txt", "0,0", 500), tmp_path / "s.h5"
    )


def test_the_bounds_of_the_conditions_are_inside(tmp_path):
    source = make_source("1:100", "cone:60", 3)
    assert generate_to_file(Dots(), source, tmp_path / "s.h5").n_showers == 3


def test_extrapolation_goes_beyond_energy_and_angle_but_not_to_another_particle(tmp_path):
    far = make_source("200", "70,0")
    assert generate_to_file(Dots(), far, tmp_path / "s.h5", extrapolate=True).n_showers == 1
    with pytest.raises(ConditionsError, match="not of pi-"):
        generate_to_file(
            Dots(), make_source("50", "0,0", particle="pi-"), tmp_path / "t.h5", extrapolate=True
        )


def test_an_empty_batch_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least one shower"):
        generate_to_file(Dots(), make_source("50", "0,0"), tmp_path / "s.h5", batch_size=0)


def test_a_file_that_is_there_stays_as_it_was(tmp_path):
    out = tmp_path / "s.h5"
    out.write_text("precious")
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        generate_to_file(Dots(), make_source("50", "0,0"), out)
    assert out.read_text() == "precious"
    generate_to_file(Dots(), make_source("50", "0,0"), out, overwrite=True)
    assert len(read_showers(out)) == 1


def test_a_model_that_fails_halfway_leaves_the_old_file(tmp_path):
    class Breaks(Dots):
        def sample(self, incident, seed, first):
            if first > 3:
                raise MemoryError
            return super().sample(incident, seed, first)

    out = tmp_path / "s.h5"
    out.write_text("precious")
    with pytest.raises(MemoryError):
        generate_to_file(Breaks(), make_source("50", "0,0", 10), out, overwrite=True, batch_size=2)
    assert out.read_text() == "precious"
    assert parts(tmp_path) == []


@pytest.mark.parametrize("name", ["s.root", "s", "s.h5.txt", "nowhere/s.h5", "x" * 300 + ".h5"])
def test_an_output_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(ShowerFileError):
        check_output(tmp_path / name)


def test_a_folder_is_no_output(tmp_path):
    for folder in (tmp_path, Path("/"), Path()):
        with pytest.raises(ShowerFileError, match="is a folder"):
            check_output(folder, overwrite=True)


def test_checking_the_output_leaves_nothing_behind(tmp_path):
    check_output(tmp_path / "s.h5")
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_showers(tmp_path):
    peaks = []
    for n in (2_000, 20_000):
        tracemalloc.start()
        try:
            source = make_source("10,20", "0,0", n)
            generate_to_file(Dots(points=50), source, tmp_path / f"{n}.h5", batch_size=500)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_the_same_command_gives_the_same_bytes_in_another_process(tmp_path):
    for folder, threads in (("a", "1"), ("b", "2")):
        (tmp_path / folder).mkdir()
        words = ["--energy", "10:100", "--dir", "cone:60", "-n", "30", "--threads", threads]
        done = subprocess.run(
            [*COMMAND, *words, "--out", "s.h5"],
            cwd=tmp_path / folder,
            check=True,
            capture_output=True,
            text=True,
        )
        note = "note: toy.ild-photon uses 1 thread, not 2; --jobs 2 shares its showers among 2"
        assert (note in done.stderr) == (threads == "2")
    assert sha256(tmp_path / "a/s.h5") == sha256(tmp_path / "b/s.h5")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_stopping_leaves_no_half_written_file_however_often_it_is_asked_for(tmp_path, number):
    out = tmp_path / "s.h5"
    out.write_text("precious")
    words = ["--energy", "100", "-n", "5000", "--out", str(out), "--overwrite"]
    with subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size > 100_000)
        for _ in range(10):
            process.send_signal(number)
            time.sleep(0.005)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    message = stop_message(KeyboardInterrupt(signal.Signals(number).name))
    assert [line for line in errors.splitlines() if line][1:] == [f"calozoo: {message}"]
    assert out.read_text() == "precious"
    assert parts(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits the size of files, as POSIX can")
@pytest.mark.parametrize("kilobytes", [1, 100, 190])
def test_a_full_disk_ends_in_one_sentence_and_loses_nothing(tmp_path, kilobytes):
    out = tmp_path / "s.h5"
    out.write_text("precious")
    words = ["--energy", "10", "-n", "30", "--out", str(out), "--overwrite", "--quiet"]
    script = f"ulimit -f {2 * kilobytes}; trap '' XFSZ; exec \"$@\""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("calozoo: ")
    assert done.stderr.count("\n") == 1
    assert out.read_text() == "precious"
    assert parts(tmp_path) == []


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
