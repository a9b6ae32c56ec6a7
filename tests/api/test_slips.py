"""Ordinary slips end in one sentence of ours, and nothing that is asked for is ignored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import calozoo
from calozoo_core.errors import CalozooError, ConditionsError, InputError, ModelNameError
from calozoo_core.incident import Incident

SLIPS = {
    "a number as the model": lambda: calozoo.load(3),
    "a path as the model": lambda: calozoo.load(Path("toy")),
    "nothing as the model": lambda: calozoo.pull(None),
    "a class as the model": lambda: calozoo.find_model(dict),
    "a number as what is pretrained": lambda: calozoo.from_pretrained(3),
    "a precision that is none": lambda: calozoo.load("toy", precision="bf16"),
    "a precision of another model": lambda: calozoo.load("toy", precision="bfloat16"),
    "a device that is none": lambda: calozoo.load("caloinn", device="tpu"),
    "an option of another model": lambda: calozoo.load("toy", workers=3),
    "weights and a revision": lambda: calozoo.load("toy@v1", weights="folder"),
    "weights that are not there": lambda: calozoo.load("caloinn", weights="nowhere"),
    "no energy": lambda: calozoo.generate("toy"),
    "an energy by place": lambda: calozoo.generate("toy", 50),
    "threads that are none": lambda: calozoo.generate("toy", energy=50, threads=0),
    "a tuple of particles": lambda: Incident([10, 20], (0, 0, 1), ("gamma", "e-")),
    "a position of texts": lambda: Incident(10, (0, 0, 1), position="here"),
    "an energy of complex numbers": lambda: Incident(1j, (0, 0, 1)),
    "an energy that is true": lambda: Incident(True, (0, 0, 1)),
    "a seed that is true": lambda: calozoo.generate("toy", energy=10, seed=True),
    "a number of showers that is true": lambda: calozoo.generate("toy", energy=10, n=True),
    "a text as a flag": lambda: calozoo.generate("toy", energy=10, extrapolate="no"),
    "an empty particle": lambda: calozoo.generate("toy", energy=10, particle=""),
    "energies in ragged rows": lambda: Incident([[1], [1, 2]], (0, 0, 1)),
    "a file that is none": lambda: calozoo.open_showers("nowhere.h5"),
    "a number as a detector": lambda: calozoo.load_placement(3),
    "a detector that is none": lambda: calozoo.load_detector("nowhere"),
}


@pytest.fixture(scope="module")
def toy():
    return calozoo.load("toy")


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_ends_in_one_sentence(slip):
    with pytest.raises(CalozooError) as caught:
        SLIPS[slip]()
    assert str(caught.value).endswith((".", ")"))
    assert "--" not in str(caught.value)


def test_a_typo_in_a_name_is_guessed():
    with pytest.raises(ModelNameError, match="Did you mean 'caloclouds3'"):
        calozoo.generate("calocluds3", energy=50)


def test_a_tensor_with_a_gradient_is_taken(toy):
    torch = pytest.importorskip("torch")
    energy = torch.tensor([10.0, 20.0], requires_grad=True)
    assert toy.generate(energy=energy) == toy.generate(energy=[10, 20])
    assert toy.generate(energy=energy[0], n=2) == toy.generate(energy=10, n=2)


def test_a_tensor_of_a_type_that_numpy_lacks_is_taken(toy):
    torch = pytest.importorskip("torch")
    energy = torch.tensor([10.0, 20.0], dtype=torch.bfloat16)
    assert toy.generate(energy=energy) == toy.generate(energy=[10, 20])


def test_a_file_is_not_replaced_for_a_text_that_counts_as_true(toy, tmp_path):
    path = tmp_path / "s.h5"
    calozoo.write_showers(path, toy.generate(energy=10), generator="toy", overwrite=True)
    before = path.read_bytes()
    with pytest.raises(InputError, match="overwrite must be True or False, not 'no'"):
        calozoo.write_showers(path, toy.generate(energy=20), generator="toy", overwrite="no")
    assert path.read_bytes() == before


@pytest.mark.parametrize("n", [3, np.int64(3), np.array(3)])
def test_whole_numbers_of_any_kind_are_taken(toy, n):
    assert toy.generate(energy=10, n=n, seed=np.uint8(4)) == toy.generate(energy=10, n=3, seed=4)


def test_the_particle_is_honoured_or_refused(toy):
    assert toy.generate(energy=10, particle="gamma") == toy.generate(energy=10)
    for extrapolate in (False, True):
        with pytest.raises(ConditionsError, match=r"makes showers of gamma, not of pi\+"):
            toy.generate(energy=10, particle="pi+", extrapolate=extrapolate)


@pytest.mark.parametrize("beside", ["direction", "position", "energy", "n", "particle"])
def test_nothing_beside_an_incident_is_ignored(toy, beside):
    value = {"direction": (0, 0, 1), "position": (0, 0, 0), "particle": "gamma"}.get(beside, 2)
    with pytest.raises(InputError, match="not both"):
        toy.generate(Incident(10, (0, 0, 1)), **{beside: value})


def test_ranges_name_the_python_argument(toy):
    with pytest.raises(ConditionsError, match=r"Add extrapolate=True") as caught:
        toy.generate(energy=1000)
    assert caught.value.arguments == ("extrapolate=True",)
    assert len(toy.generate(energy=1000, extrapolate=True)) == 1
