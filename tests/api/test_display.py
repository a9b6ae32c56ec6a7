"""What is shown of objects in a terminal, in a notebook and in a plot."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from made_up_batches import make_hits, make_showers

from calozoo_core.detector import list_detectors, load_detector
from calozoo_core.errors import CalozooError
from calozoo_core.io import open_showers, write_showers
from calozoo_core.observables import ObservableAccumulator
from calozoo_core.showers import Showers

LONGEST = 200


@pytest.fixture
def histogram():
    """Energies of points, weighted, of showers in ten blocks."""
    accumulator = ObservableAccumulator("ild_siecal_regular")
    for part in range(10):
        accumulator.add(make_showers(50, part))
    return accumulator.histogram("points.layer_energy")


def shown():
    showers = make_showers(100, 1, position=True)
    yield from (showers, showers[0], showers.incident, showers[:0], showers.incident[:0])
    yield make_hits(100)
    yield from map(load_detector, list_detectors())


@pytest.mark.parametrize("thing", list(shown()), ids=lambda thing: type(thing).__name__)
def test_what_is_shown_is_one_short_line(thing):
    assert len(repr(thing)) < LONGEST
    assert len(repr(thing).splitlines()) == 1
    assert repr(thing).startswith("<")


def test_a_file_and_a_histogram_are_shown_in_one_line(tmp_path, histogram):
    write_showers(tmp_path / "s.h5", make_showers(5), generator="made.up")
    with open_showers(tmp_path / "s.h5") as file:
        assert repr(file).startswith("<ShowerFile s.h5: 5 gamma showers of made.up, ")
        assert len(repr(file)) < LONGEST
    assert repr(histogram).startswith("<Histogram points.layer_energy: 30 bins of ")


@pytest.mark.parametrize("n", [0, 1, 40])
def test_notebooks_get_a_small_picture(n):
    showers = make_showers(n, 3)
    for thing in (showers, make_hits(n), *list(showers)[:3]):
        html = thing._repr_html_()
        tree = ElementTree.fromstring(html)
        assert tree.find(".//{http://www.w3.org/2000/svg}svg") is not None
        assert len(html) < 20_000


def test_a_detector_by_any_name_is_no_html():
    showers = make_showers(1)
    fields = {name: getattr(showers, name) for name in showers.__dataclass_fields__}
    assert "<script" not in Showers(**fields | {"detector": "<script>"})._repr_html_()


def test_showers_and_one_shower_are_plotted_on_their_own_or_given_axes():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    showers = make_showers(30, 2)
    try:
        for thing in (showers, showers[1], showers[:1], showers[:0]):
            axes = thing.plot()
            assert axes.get_xlabel()
            _, given = plt.subplots()
            assert thing.plot(given) is given
    finally:
        plt.close("all")


def test_without_matplotlib_awkward_or_hist_a_sentence_says_what_to_install(monkeypatch, histogram):
    showers = make_showers(3)
    for module in ("matplotlib", "matplotlib.pyplot", "awkward", "hist"):
        monkeypatch.setitem(sys.modules, module, None)
    for need in (showers.plot, showers.to_awkward, histogram.to_hist):
        with pytest.raises(CalozooError, match=r"type `pip install 'calozoo-core\["):
            need()


def test_a_histogram_is_one_that_uhi_knows(histogram):
    plottable = pytest.importorskip("uhi.typing.plottable")

    (axis,) = histogram.axes
    assert isinstance(histogram, plottable.PlottableHistogram)
    assert np.array_equal(histogram.values(), histogram.contents)
    assert np.allclose(np.sqrt(histogram.variances()), histogram.error * 500)
    assert np.all(histogram.counts() <= 500 * 6)
    assert (len(axis), axis[0], axis[-1]) == (30, (0, 1), (29, 30))
    assert axis == histogram.axes[0]
    assert [axis[i][1] for i in range(29)] == [axis[i][0] for i in range(1, 30)]


def test_mplhep_draws_a_histogram(histogram):
    mplhep = pytest.importorskip("mplhep")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    try:
        figure, axes = plt.subplots()
        mplhep.histplot(histogram, ax=axes)
        figure.canvas.draw()
        assert axes.has_data()
    finally:
        plt.close("all")


def test_hist_takes_a_histogram_with_its_flow_and_errors(histogram):
    pytest.importorskip("hist")
    made = histogram.to_hist()

    assert np.allclose(made.values(), histogram.values())
    assert np.allclose(made.variances(), histogram.variances())
    assert np.allclose(made.values(flow=True), histogram.blocks.sum(axis=0))
    assert made.axes[0].label == histogram.observable.label
