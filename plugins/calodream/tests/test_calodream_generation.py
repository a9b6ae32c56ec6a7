"""Generation: steps, shapes, weights there and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calozoo_calodream import SPEC
from calozoo_calodream.model import CaloDream
from calozoo_calodream.trained import TrainedCaloDream
from calozoo_core.errors import InputError, WeightsError


def test_the_steps_change_the_showers_and_are_written_down(tiny_folder: Path) -> None:
    two, default = (CaloDream.load(SPEC, tiny_folder, steps=steps) for steps in (2, None))
    assert (two.provenance["steps"], default.provenance["steps"]) == (2, 8)
    ours, theirs = (model.generate(energy=30, n=3, seed=1) for model in (two, default))
    ours_mev, theirs_mev = (np.add.reduceat(s.energy, s.offsets[:-1]) for s in (ours, theirs))
    assert (ours_mev != theirs_mev).all()
    np.testing.assert_allclose(ours_mev, theirs_mev, rtol=0.5)


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, "8", True])
def test_a_number_of_steps_that_makes_no_sense_is_refused(tiny_folder: Path, steps: object) -> None:
    with pytest.raises(InputError, match="takes 1 to 1000 evaluations of its network, not"):
        CaloDream.load(SPEC, tiny_folder, steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": "cuda"}, "runs on the CPU only"), ({"precision": "bfloat16"}, "in float32 only")],
)
def test_other_devices_and_precisions_are_refused(
    tiny_folder: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        CaloDream.load(SPEC, tiny_folder, **options)  # type: ignore[arg-type]


def test_a_model_without_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match=r"calozoo pull calodream\.ild-photon-clumps"):
        CaloDream.load(SPEC, None)


def test_a_model_is_the_same_after_it_was_a_file(tiny: CaloDream, tmp_path: Path) -> None:
    tiny.save(tmp_path / "saved")
    back = CaloDream.load(SPEC, tmp_path / "saved")
    ours, theirs = (model.generate(energy=30, n=3, seed=2) for model in (tiny, back))
    np.testing.assert_array_equal(ours.energy, theirs.energy)


def test_the_parameters_are_those_of_the_networks(
    tiny: CaloDream, trained: TrainedCaloDream
) -> None:
    networks = trained.named_networks().values()
    assert tiny.parameters == sum(p.numel() for net in networks for p in net.parameters())


def test_a_core_with_other_rings_is_refused(tiny_folder: Path) -> None:
    path = tiny_folder / "config.json"
    config = json.loads(path.read_text())
    config["core_edges_mm"][-1] = 9.0
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"rings that end at 1\.5, 3, 4\.5, 6, 9 mm"):
        CaloDream.load(SPEC, tiny_folder)


def test_generation_does_not_import_torch(tiny_folder: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from pathlib import Path; from calozoo_calodream import SPEC\n"
        "from calozoo_calodream.model import CaloDream\n"
        f"model = CaloDream.load(SPEC, Path({str(tiny_folder)!r}))\n"
        "print(len(model.generate(energy=20, n=2)), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2 False\n", 0), done.stderr
