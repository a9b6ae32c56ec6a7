"""Table of models of the CaloChallenge's electrons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import calozoo
from calozoo_core.io import calochallenge
from calozoo_core.voxels import DATASETS
from studies.calochallenge.electrons import main

MODEL = "caloinn.calochallenge2-electron"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Showers in the challenge's layout."""
    showers = calozoo.load(MODEL).generate(energy=np.geomspace(1, 20, 60), seed=5)
    path = tmp_path_factory.mktemp("challenge") / "g4.hdf5"
    calochallenge.write(path, [showers], DATASETS["dataset2"])
    return path


def test_figures_and_times_of_each_model_come_out(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    marks = "<!-- begin calochallenge-electrons -->\n<!-- end calochallenge-electrons -->\n"
    page.write_text(marks)
    main([str(reference), MODEL, "--write", str(page)])
    printed = capsys.readouterr().out
    rows = {row.split(" | ")[0].strip("| "): row for row in printed.splitlines()}
    assert "±" in rows["empty voxels, mean [1e-3]"]
    assert float(rows["a shower alone [ms]"].split(" | ")[1]) > 0
    assert printed.strip() in page.read_text()


def test_what_is_no_file_of_the_challenge_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="There is no shower file"):
        main([str(tmp_path / "none.hdf5"), MODEL])
