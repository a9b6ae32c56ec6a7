"""Tests of `python -m studies.clumps.make_library`, on showers of the toy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import calozoo
from calozoo_core.clumps import HaloLibrary
from calozoo_core.io import write_showers
from studies.clumps.make_library import main


@pytest.fixture(scope="module", name="files")
def _files(tmp_path_factory):
    """Training showers, and showers of steps, which have times."""
    folder = tmp_path_factory.mktemp("showers")
    showers = calozoo.load("toy").generate(energy=np.linspace(5, 50, 12), seed=2)
    steps = showers[8:]
    times = np.zeros(len(steps.x), np.float32)
    files = {
        "train.h5": showers[:8],
        "steps.h5": replace(steps, representation="steps", time=times),
        "coarse.h5": replace(steps, representation="x9"),
    }
    for name, content in files.items():
        write_showers(folder / name, content, generator="toy")
    return folder


def test_all_showers_of_steps_come_to_those_drawn(files, tmp_path):
    steps = str(files / "steps.h5")
    main([str(tmp_path), str(files / "train.h5"), "--showers", "5", "--steps", steps])
    config = HaloLibrary.read(tmp_path).config
    assert config.n_showers == 9
    assert [(source.file, len(source.rows)) for source in config.sources] == [
        ("train.h5", 5),
        ("steps.h5", 4),
    ]


def test_showers_coarser_than_training_showers_are_refused(files, tmp_path):
    coarse = str(files / "coarse.h5")
    with pytest.raises(SystemExit, match="x9"):
        main([str(tmp_path), str(files / "train.h5"), "--showers", "5", "--steps", coarse])
    assert not any(tmp_path.iterdir())
