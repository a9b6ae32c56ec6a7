"""Primaries and triggers of full simulations: what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calozoo_core.detector import load_detector
from calozoo_core.errors import InputError
from calozoo_core.full_simulation import FaceTrigger, Primary
from calozoo_core.placement import Trigger

TRIGGER = Trigger.of(load_detector("ild_siecal"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"energy_gev": (127, 1)}, "The energies in GeV .* cannot go from 127 to 1"),
        ({"energy_gev": (-3, 127)}, "cannot go from -3 to 127"),
        ({"energy_gev": (1, np.nan)}, "cannot go from 1 to nan"),
        ({"theta_deg": (60, 0)}, "The angles in degrees .* cannot go from 60 to 0"),
        ({"theta_deg": (0, 181)}, "cannot go from 0 to 181"),
        ({"trigger": replace(TRIGGER, particles=("foo",))}, "No particle is called 'foo'"),
        ({"trigger": replace(TRIGGER, least_energy_gev=-3.0)}, "0 GeV or more, not -3"),
        ({"trigger": replace(TRIGGER, least_energy_gev=np.nan)}, "0 GeV or more, not nan"),
    ],
)
def test_a_trigger_of_nothing_is_refused(changes, complaint):
    sound = FaceTrigger(TRIGGER, energy_gev=(1, 127), theta_deg=(0, 60))
    with pytest.raises(InputError, match=complaint):
        replace(sound, **changes)


@pytest.mark.parametrize(
    ("particle", "energy", "complaint"),
    [
        ("foo", 3.0, "No particle is called 'foo'"),
        ("gamma", -3.0, "above 0 GeV, not -3 GeV"),
        ("gamma", np.nan, "above 0 GeV, not nan GeV"),
        ("gamma", np.inf, "above 0 GeV, not inf GeV"),
    ],
)
def test_an_impossible_primary_is_refused(particle, energy, complaint):
    with pytest.raises(InputError, match=complaint):
        Primary(particle, energy, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
