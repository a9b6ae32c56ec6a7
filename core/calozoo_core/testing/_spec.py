"""What the spec says of a model, and what comes with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from calozoo_core.generator import PLUGIN_API, Generator
from calozoo_core.testing._base import ModelChecks
from calozoo_core.testing._card import check_card, find_card
from calozoo_core.testing._requests import resolve

__all__ = ["SpecChecks"]

HEAVY = ("torch", "lightning", "h5py", "huggingface_hub", "matplotlib")


class SpecChecks(ModelChecks):
    """Versions, licence, papers, card, and code that can be found at no cost."""

    @pytest.fixture
    def card(self, generator: Generator) -> Path:
        """The model's card."""
        return find_card(generator.spec)

    def test_spec_is_written_for_this_contract(self, generator: Generator) -> None:
        found = generator.spec.plugin_api
        assert found == PLUGIN_API, f"The spec is for plugin_api {found}; this is {PLUGIN_API}."

    def test_spec_says_where_the_model_is_described(self, generator: Generator) -> None:
        papers = generator.spec.papers
        assert papers, "The spec names no papers; say where the model is described."
        for paper in papers:
            assert paper.startswith("https://"), f"The paper {paper!r} is not an https address."

    def test_licence_is_written_as_spdx_writes_it(self, generator: Generator) -> None:
        licenses = pytest.importorskip("packaging.licenses", reason="packaging is older than 24.2")
        given = generator.spec.license
        try:
            written = licenses.canonicalize_license_expression(given)
        except licenses.InvalidLicenseExpression:
            written = "such as Apache-2.0 or MIT"
        assert written == given, f"The licence {given!r} is none of SPDX's; write {written}."

    def test_card_names_the_model_its_licence_and_its_papers(
        self, generator: Generator, card: Path
    ) -> None:
        check_card(card, generator.spec)

    def test_spec_names_code_that_exists(self, generator: Generator) -> None:
        spec = generator.spec
        assert isinstance(generator, resolve(spec.factory)), f"{spec.factory} makes another class."
        for path in filter(None, (spec.trainer, spec.converter)):
            # Not imported: a trainer may need what only those who train have.
            module = path.partition(":")[0]
            assert importlib.util.find_spec(module), f"There is no module {module}."

    def test_entry_module_imports_nothing_heavy(self, generator: Generator) -> None:
        package = generator.spec.factory.partition(":")[0].partition(".")[0]
        code = f"import sys, {package}; print(*(m for m in {HEAVY} if m in sys.modules))"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, f"`import {package}` fails: {run.stderr}"
        assert not run.stdout.strip(), f"`import {package}` imports {run.stdout.strip()}."
