"""A loaded model as a Python object: its repr, its copies, and what slips of a caller end in."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from calozoo_core.errors import CalozooError, InputError
from calozoo_core.generator import Generator
from calozoo_core.testing._checks import ModelChecks
from calozoo_core.testing._requests import content, primaries_inside, sample

__all__ = ["ObjectChecks"]

LONGEST_REPR: Final = 200

SLIPS: Final[dict[str, tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "an energy without its name": ((50,), {}),
    "a list of primaries": (([50, 60],), {}),
    "no energy": ((), {}),
    "an energy as a text": ((), {"energy": "50"}),
    "a negative energy": ((), {"energy": -50}),
    "an energy that is not a number": ((), {"energy": [np.nan]}),
    "a masked energy": ((), {"energy": np.ma.array([10.0, 20.0], mask=[False, True])}),
    "a float number of showers": ((), {"n": 1e3}),
    "a number of showers as a text": ((), {"n": "3"}),
    "no showers": ((), {"n": 0}),
    "a negative number of showers": ((), {"n": -1}),
    "another number of energies": ((), {"energy": [50, 60], "n": 3}),
    "a seed that is a float": ((), {"seed": 1.5}),
    "a negative seed": ((), {"seed": -1}),
    "a batch size that is a float": ((), {"batch_size": 2.5}),
    "a batch size of zero": ((), {"batch_size": 0}),
    "a direction of two numbers": ((), {"direction": (0, 1)}),
    "a direction backwards": ((), {"direction": (0, 0, -1)}),
    "several particles": ((), {"particle": ["gamma", "e-"]}),
    "a position of two numbers": ((), {"position": (0, 1)}),
}


class ObjectChecks(ModelChecks):
    """Checks of a model as an object: in a notebook, between processes, with mistyped arguments."""

    def test_its_repr_is_one_short_line(self, generator: Generator) -> None:
        for text in (repr(generator), repr(generator.spec)):
            assert generator.spec.name in text, f"{text} does not name the model."
            assert len(text) <= LONGEST_REPR, f"The repr has {len(text)} characters."
            assert len(text.splitlines()) == 1, "The repr has several lines."

    def test_copies_make_the_same_showers(self, generator: Generator) -> None:
        expected = content(sample(generator))
        for twin in (pickle.loads(pickle.dumps(generator)), copy.deepcopy(generator)):
            assert type(twin) is type(generator)
            assert repr(twin) == repr(generator)
            assert content(sample(twin)) == expected, "The copy makes other showers."
            twin.close()

    def test_it_stays_itself_on_the_device_it_is_on(self, generator: Generator) -> None:
        assert generator.to(generator.device) is generator
        with pytest.raises(InputError) as caught:
            generator.to("nonsense")
        _check_message(caught.value, "another device")

    def test_what_is_saved_for_others_names_the_model(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        if type(generator).save is Generator.save:
            with pytest.raises(InputError, match="no weights"):
                generator.save_pretrained(tmp_path)
            return
        generator.save_pretrained(str(tmp_path / "saved"))
        assert f"  model: {generator.spec.name}\n" in (tmp_path / "saved/README.md").read_text()

    @pytest.mark.parametrize("slip", SLIPS)
    def test_a_slip_ends_in_a_sentence(self, generator: Generator, slip: str) -> None:
        positional, named = SLIPS[slip]
        usual = {"energy": generator.spec.conditions.energy_gev[1]}
        if positional or slip == "no energy":
            usual = {}
        try:
            generator.generate(*positional, **(usual | named))
        except CalozooError as error:
            _check_message(error, slip)
        except Exception as error:
            msg = f"With {slip} it ends in {error!r}; raise an InputError."
            raise AssertionError(msg) from error
        else:
            pytest.fail(f"It takes {slip}.")

    @pytest.mark.parametrize(
        "beside", [{"direction": (0, 0, 1)}, {"energy": 50}, {"n": 2}, {"particle": "gamma"}]
    )
    def test_what_stands_beside_an_incident_is_refused(
        self, generator: Generator, beside: dict[str, Any]
    ) -> None:
        with pytest.raises(InputError, match="not both"):
            generator.generate(primaries_inside(generator.spec, 2), **beside)


def _check_message(error: CalozooError, slip: str) -> None:
    text = str(error)
    assert text.endswith("."), f"With {slip} the message {text!r} does not end with a full stop."
    assert "--" not in text, f"With {slip} the message {text!r} has an option of the command line."
