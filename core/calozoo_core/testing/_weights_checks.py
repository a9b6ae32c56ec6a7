"""Checks of the contract suite of weights: round trips, spoiled files, other runtimes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator
from calozoo_core.runtime import is_installed
from calozoo_core.testing._checks import ModelChecks
from calozoo_core.testing._model_files import HARMS, differing_files
from calozoo_core.testing._requests import (
    bundled_folder,
    check_equal,
    content,
    layer_sums,
    sample,
)

__all__ = ["WeightsChecks"]

LAYER_ROUNDING = 2e-3
"""Part of a shower's energy that rounding may move to other layers."""


def reloaded(generator: Generator, folder: Path | None, **options: Any) -> Generator:
    """The model from a folder, fed by the same model if another one feeds it."""
    source = generator.load_options.get("source")
    fed: dict[str, Any] = {"source": source} if isinstance(source, Generator) else {}
    return type(generator).load(generator.spec, folder, **fed, **options)


_WITHOUT_TORCH = """
import pkgutil, sys
from pathlib import Path

class Missing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from calozoo_core.generator import ModelSpec

spec = ModelSpec.model_validate_json({spec!r})
model = pkgutil.resolve_name(spec.factory).load(spec, Path({folder!r}), runtime="numpy")
low, high = spec.conditions.energy_gev
showers = model.generate(energy=[low, high], particle=spec.conditions.particles[0], seed=1)
assert showers.n_points.min() > 0
heavy = {{"lightning", "sympy", "scipy"}} & sys.modules.keys()
assert not heavy, f"it imports {{heavy}}"
"""


class WeightsChecks(ModelChecks):
    """Round trips through a folder and through a GPU, and files that somebody spoiled."""

    @pytest.fixture
    def gpu(self) -> str:
        """A device other than the processor."""
        torch = pytest.importorskip("torch", reason="there is no torch here, and so no GPU")
        if not torch.cuda.is_available():
            pytest.skip("there is no GPU here")
        return "cuda"

    def test_saved_and_loaded_it_is_the_same_to_the_last_byte(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        first = self._saved(generator, tmp_path / "first")
        again = reloaded(generator, first)
        second = self._saved(again, tmp_path / "second")
        assert not differing_files(first, second), f"{differing_files(first, second)} changed."
        assert content(sample(again)) == content(sample(generator)), "Its showers changed."

    def test_weights_of_the_package_are_saved_as_they_are(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        folder = bundled_folder(generator.spec)
        if folder is None:
            pytest.skip("it has no weights")
        saved = self._saved(reloaded(generator, folder), tmp_path / "saved")
        assert not differing_files(folder, saved), f"{differing_files(folder, saved)} changed."

    def test_a_gpu_makes_the_showers_of_the_processor_and_keeps_the_weights(
        self, generator: Generator, gpu: str, tmp_path: Path
    ) -> None:
        has_weights = generator.spec.weights is not None
        here = self._saved(generator, tmp_path / "here") if has_weights else None
        try:
            there = reloaded(generator, here, device=gpu)
        except InputError:
            pytest.skip("it runs on the processor only")
        check_equal(sample(generator), sample(there), generator)
        if here is not None:
            back = self._saved(there, tmp_path / "back")
            assert not differing_files(here, back), f"{differing_files(here, back)} changed."

    @pytest.mark.parametrize("harm", HARMS)
    def test_spoiled_weights_are_refused(
        self, generator: Generator, harm: str, tmp_path: Path
    ) -> None:
        folder = self._saved(generator, tmp_path / "sound")
        for place, must_be_refused in HARMS[harm](folder, tmp_path / "spoiled"):
            try:
                reloaded(generator, tmp_path / "spoiled")
            except WeightsError:
                continue
            except Exception as error:
                msg = f"With {harm} at {place} it ends in {error!r}; raise a WeightsError."
                raise AssertionError(msg) from error
            assert not must_be_refused, f"It takes weights with {harm} at {place}."

    def test_every_runtime_makes_the_same_showers(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        runtimes = getattr(generator, "runtimes", ())
        others = [name for name in runtimes if name != getattr(generator, "runtime", name)]
        others = [name for name in others if is_installed(name)]
        if not others:
            pytest.skip("it has no other runtime that is installed")
        folder = self._saved(generator, tmp_path)
        showers = sample(generator)
        for name in others:
            there = sample(reloaded(generator, folder, runtime=name))
            check_equal(showers, there, generator)
            # By layer and not point by point: rounding may move a point across a border.
            sums, others_sums = layer_sums(showers), layer_sums(there)
            moved = np.abs(sums - others_sums).sum(axis=1) / sums.sum(axis=1)
            assert np.all(moved < LAYER_ROUNDING), f"Layers differ by {moved.max():.1g} in {name}."

    def test_it_generates_without_torch_if_it_has_a_runtime_in_numpy(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        if "numpy" not in getattr(generator, "runtimes", ()):
            pytest.skip("it has no runtime in numpy")
        code = _WITHOUT_TORCH.format(
            spec=generator.spec.model_dump_json(), folder=str(self._saved(generator, tmp_path))
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"It fails where torch is not installed: {run.stderr}"

    @staticmethod
    def _saved(generator: Generator, folder: Path) -> Path:
        if generator.spec.weights is None:
            pytest.skip("it has no weights")
        generator.save(folder)
        return folder
