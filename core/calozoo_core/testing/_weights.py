"""The files of a model: nothing is lost when they are saved, and spoiled ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from calozoo_core.errors import InputError, WeightsError
from calozoo_core.generator import Generator
from calozoo_core.testing._base import ModelChecks
from calozoo_core.testing._corrupted_weights import HARMS, differing_files
from calozoo_core.testing._requests import (
    bundled_folder,
    check_equal,
    content,
    load_bundled,
    sample,
)

__all__ = ["WeightsChecks"]


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
        again = type(generator).load(generator.spec, first)
        second = self._saved(again, tmp_path / "second")
        assert not differing_files(first, second), f"{differing_files(first, second)} changed."
        assert content(sample(again)) == content(sample(generator)), "Its showers changed."

    def test_weights_of_the_package_are_saved_as_they_are(
        self, generator: Generator, tmp_path: Path
    ) -> None:
        folder = bundled_folder(generator.spec)
        if folder is None:
            pytest.skip("it has no weights")
        saved = self._saved(load_bundled(generator.spec), tmp_path / "saved")
        assert not differing_files(folder, saved), f"{differing_files(folder, saved)} changed."

    def test_a_gpu_makes_the_showers_of_the_processor_and_keeps_the_weights(
        self, generator: Generator, gpu: str, tmp_path: Path
    ) -> None:
        has_weights = generator.spec.weights is not None
        here = self._saved(generator, tmp_path / "here") if has_weights else None
        try:
            there = type(generator).load(generator.spec, here, device=gpu)
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
                type(generator).load(generator.spec, tmp_path / "spoiled")
            except WeightsError:
                continue
            except Exception as error:
                msg = f"With {harm} at {place} it ends in {error!r}; raise a WeightsError."
                raise AssertionError(msg) from error
            assert not must_be_refused, f"It takes weights with {harm} at {place}."

    @staticmethod
    def _saved(generator: Generator, folder: Path) -> Path:
        if generator.spec.weights is None:
            pytest.skip("it has no weights")
        generator.save(folder)
        return folder
