"""The papers' own figures: read from data, tied to observables that exist."""

from __future__ import annotations

import pytest

from calozoo.evaluation.literature import published_figures
from calozoo.physics.results import physics_label
from calozoo_core.metrics.classifier import CLASSIFIER
from calozoo_core.metrics.comparison import compare
from calozoo_core.metrics.sample_distances import FEATURE_METRICS
from calozoo_core.observables import ObservableAccumulator

MODELS = (
    "caloclouds3",
    "caloclouds2",
    "caloinn.calochallenge2-electron",
    "convl2lflows",
    "optimum.x1",
    "optimum.x9",
    "optimum.steps",
)


@pytest.mark.parametrize("model", MODELS)
def test_a_published_figure_is_one_that_is_measured_here(model):
    empty = ObservableAccumulator("ild_siecal_regular")
    measured = {(figure.name, figure.metric) for figure in compare(empty, empty)}
    measured |= {("cells.features", metric) for metric in FEATURE_METRICS}
    measured |= {("voxels.features", metric) for metric in FEATURE_METRICS}
    measured |= {(CLASSIFIER, "auc"), ("voxels.classifier", "auc")}
    printed = {(figure.name, figure.metric) for figure in published_figures(model)}
    assert printed
    of_events = {(name, metric) for name, metric in printed if physics_label(name) is not None}
    assert printed - of_events <= measured


def test_values_are_as_printed():
    def one(model, name, paper):
        (figure,) = (f for f in published_figures(model, name, "js") if f.paper == paper)
        return figure.value, figure.error

    benchmark = "Full physics benchmark"
    assert one("caloclouds3", "cells.radial_energy_100", benchmark) == pytest.approx(
        (1.11e-4, 0.02e-4)
    )
    assert one("optimum.x1", "cells.phi_4", benchmark) == pytest.approx((299.91e-4, 7.08e-4))
    assert one("caloclouds2", "cells.occupancy", "CaloClouds3") == pytest.approx((1.42e-2, 0.14e-2))
    (angle,) = published_figures("caloclouds3", "cells.angle_100")
    assert (angle.value, angle.table) == (1.49e-2, "Table 4")


def test_a_tag_has_the_figures_of_its_architecture():
    assert published_figures("caloclouds3.ild-photon") == published_figures("caloclouds3")
    assert published_figures("optimum.x1") != published_figures("optimum.x9")
    assert published_figures("toy.ild-photon") == ()


def test_rows_without_a_unit_say_so():
    for name in ("cells.resolution", "cells.linearity"):
        assert all("unit" in figure.note for figure in published_figures("caloclouds3", name))
