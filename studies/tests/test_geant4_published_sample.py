"""The comparison with the published sample compares what it says, and comes out well."""

from __future__ import annotations

import numpy as np
import pytest

from calozoo_core.errors import InputError
from calozoo_core.incident import Incident
from calozoo_core.io import write_showers
from calozoo_core.markdown import write_block
from calozoo_core.showers import Showers
from studies.geant4 import published_sample
from studies.geant4.published_sample import (
    PUBLISHED,
    ShowerSums,
    compare_layers,
    compare_totals,
)


def _like_published(n: int = 50) -> ShowerSums:
    """Showers that are the published mean, scaled by their energies."""
    energy = np.linspace(10, 100, n)
    scale = (energy / energy.mean())[:, None, None]
    layers = np.stack([PUBLISHED.layer_energy_mev, PUBLISHED.layer_points])
    rings = layers.sum(1)[:, None] * np.stack(
        [PUBLISHED.energy_fractions, PUBLISHED.point_fractions]
    )
    return ShowerSums(energy, scale * layers, scale * rings)


def test_published_showers_agree_with_themselves():
    found = compare_totals(_like_published())
    for relative in (False, True):
        found += [c for kind in compare_layers(_like_published(), relative=relative) for c in kind]
    assert len(found) == 12 + 4 * 30
    assert [c.ratio for c in found] == pytest.approx([1.0] * len(found))
    assert [c.error for c in found] == pytest.approx([0.0] * len(found), abs=1e-12)


def test_error_is_the_spread_that_the_energies_do_not_explain():
    sums = _like_published(4000)
    noise = np.random.default_rng(1).normal(1, 0.2, (4000, 1, 1))
    noisy = ShowerSums(sums.incident_gev, sums.layers * noise, sums.rings * noise)
    visible = compare_totals(noisy)[0]
    assert visible.error == pytest.approx(0.2 / np.sqrt(4000) * np.sqrt(1 + 27 / 121), rel=0.1)
    assert abs(visible.ratio - 1) < 4 * visible.error


def test_a_file_is_compared_and_the_tables_go_between_the_marks_of_a_page(tmp_path, capsys):
    rng = np.random.default_rng(2)
    incident = Incident([20.0, 60.0, 95.0], (0, 0, 1))
    size = 3 * 900
    showers = Showers(
        offsets=np.arange(0, size + 1, 900),
        x=rng.normal(0, 10, size),
        y=rng.normal(0, 10, size),
        layer=rng.integers(0, 30, size),
        energy=rng.uniform(0.05, 1, size),
        incident=incident,
        representation="x25",
        detector="ild_siecal_regular",
    )
    write_showers(tmp_path / "s.h5", showers, generator="test", seed=0)
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- begin published -->\nold\n<!-- end published -->\nbehind\n")
    published_sample.main(["--file", str(tmp_path / "s.h5"), "--write", str(page)])
    text = capsys.readouterr().out.strip()
    assert text.count("\n| 29 | ") == 1
    assert "| simulated, 10-100 GeV | 3 | " in text
    assert "| of these, 10-90 GeV | 2 | " in text
    assert page.read_text() == (
        f"# Page\n\n<!-- begin published -->\n{text}\n<!-- end published -->\nbehind\n"
    )


def test_a_page_without_the_marks_is_left_as_it_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n")
    with pytest.raises(InputError, match=r"needs the lines <!-- begin published --> .*once\.$"):
        write_block(page, "published", "text")
    assert page.read_text() == "# Page\n"
    with pytest.raises(InputError, match="cannot be read: no such file"):
        write_block(tmp_path / "none.md", "published", "text")


@pytest.mark.slow
def test_showers_agree_with_the_published_sample(geant4_data):
    sums = published_sample.shower_sums(published_sample._simulated(60, workers=1))
    totals = {comparison.name: comparison for comparison in compare_totals(sums)}
    for name in ("visible energy [MeV]", "points"):
        assert totals[name].ratio == pytest.approx(1, abs=0.02 + 3 * totals[name].error)
    for name, comparison in totals.items():
        assert comparison.ratio == pytest.approx(1, abs=0.05 + 3 * comparison.error), name
    for layers in compare_layers(sums, relative=True):
        pulls = np.array([(c.ratio - 1) / np.hypot(c.error, 0.03) for c in layers])
        assert np.abs(pulls).max() < 4
        assert np.sqrt(np.mean(pulls**2)) < 1.6
