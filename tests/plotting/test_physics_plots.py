"""Pictures of the physics benchmark."""

from __future__ import annotations

import pytest

from calozoo.physics.kept_truth import KeptTruth
from calozoo.physics.measurement_arrays import restored_pairs
from calozoo.physics.pair_sample import PairSample

NAMES = [f"{name}.ild-photon-clumps" for name in ("caloclouds3", "convl2lflows", "calodiffusion")]


@pytest.mark.parametrize("energies", [(20,), (5, 20, 100)])
def test_legend_and_note_of_pairs_lie_in_the_picture(energies):
    pytest.importorskip("matplotlib")
    from calozoo.plotting.physics import _draw_pairs

    kept = KeptTruth.read("pairs-20GeV-30mm")
    separation = PairSample(20, kept.description.n_events, 30).separations()
    truth, again = (restored_pairs(seed, 20.0, separation) for seed in kept.seeds)
    measured = {"geant4.ild-siecal": (truth,)} | dict.fromkeys(3 * NAMES, (again,))
    measured |= {f"{name}-again": (again,) for name in NAMES}

    figure = _draw_pairs(dict.fromkeys(energies, measured))

    figure.canvas.draw()
    for artist in (*figure.legends, *figure.texts, figure._suptitle):
        box = artist.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
        assert box.y1 <= figure.bbox.y1
