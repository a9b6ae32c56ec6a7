"""Generation: steps, shapes, weights there and back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calozoo_calodiffusion import SPEC
from calozoo_calodiffusion.model import CaloDiffusion
from calozoo_calodiffusion.trained import TrainedCaloDiffusion
from calozoo_core.errors import InputError, WeightsError


def test_the_steps_change_the_showers_and_are_written_down(tiny_folder: Path) -> None:
    two, default = (CaloDiffusion.load(SPEC, tiny_folder, steps=steps) for steps in (2, None))
    assert (two.provenance["steps"], default.provenance["steps"]) == (2, 8)
    ours, theirs = (model.generate(energy=30, n=3, seed=1) for model in (two, default))
    # The energies of layers are another network's, whatever the steps: only rings differ.
    assert not np.array_equal(ours.energy, theirs.energy)


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, "8", True])
def test_a_number_of_steps_that_makes_no_sense_is_refused(tiny_folder: Path, steps: object) -> None:
    with pytest.raises(InputError, match="takes 1 to 1000 evaluations of its network, not"):
        CaloDiffusion.load(SPEC, tiny_folder, steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": "cuda"}, "runs on the CPU only"), ({"precision": "bfloat16"}, "in float32 only")],
)
def test_other_devices_and_precisions_are_refused(
    tiny_folder: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        CaloDiffusion.load(SPEC, tiny_folder, **options)  # type: ignore[arg-type]


def test_a_model_without_weights_says_how_to_get_them() -> None:
    with pytest.raises(WeightsError, match=r"calozoo pull calodiffusion\.ild-photon-clumps"):
        CaloDiffusion.load(SPEC, None)


def test_a_model_is_the_same_after_it_was_a_file(tiny: CaloDiffusion, tmp_path: Path) -> None:
    tiny.save(tmp_path / "saved")
    back = CaloDiffusion.load(SPEC, tmp_path / "saved")
    ours, theirs = (model.generate(energy=30, n=3, seed=2) for model in (tiny, back))
    np.testing.assert_array_equal(ours.energy, theirs.energy)


def test_the_parameters_are_those_of_the_networks(
    tiny: CaloDiffusion, trained: TrainedCaloDiffusion
) -> None:
    networks = trained.named_networks().values()
    assert tiny.parameters == sum(p.numel() for net in networks for p in net.parameters())


def test_a_core_with_other_rings_is_refused(tiny_folder: Path) -> None:
    path = tiny_folder / "config.json"
    config = json.loads(path.read_text())
    config["core_edges_mm"][-1] = 9.0
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"rings that end at 1\.5, 3, 4\.5, 6, 9 mm"):
        CaloDiffusion.load(SPEC, tiny_folder)


def test_generation_does_not_import_torch(tiny_folder: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from pathlib import Path; from calozoo_calodiffusion import SPEC\n"
        "from calozoo_calodiffusion.model import CaloDiffusion\n"
        f"model = CaloDiffusion.load(SPEC, Path({str(tiny_folder)!r}))\n"
        "print(len(model.generate(energy=20, n=2)), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2 False\n", 0), done.stderr
