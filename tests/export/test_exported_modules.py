"""What a model exports makes the showers that it generates, of the same random numbers."""

from __future__ import annotations

import pytest
import torch

import calozoo
from calozoo.export.comparison import (
    check_against_generator,
    check_form,
    difference_from_generator,
    references,
)
from calozoo.export.model_file import TARGETS, export_model
from calozoo.models.names import find_factory, list_models
from calozoo_core.errors import InputError, PluginError

SERVED = [(spec.name, one) for spec in list_models() for one in find_factory(spec).interfaces]
every_interface = pytest.mark.parametrize(("name", "interface"), SERVED)


def test_some_models_can_be_exported():
    assert ("caloclouds3.ild-photon", "ddml-points") in SERVED


@every_interface
def test_the_module_of_tensors_makes_the_generators_showers(name, interface):
    generator = calozoo.load(name)
    module = generator.exported(interface)
    assert module.interface == interface
    differences = []
    for case in references(generator, module):
        output = case.of_module(module)
        check_form(output, module, name)
        differences.append(difference_from_generator(output, case, module))
    assert differences == [None, None, None]


@every_interface
def test_showers_of_its_own_noise_differ_and_have_the_form(name, interface):
    module = calozoo.load(name).exported(interface)
    with torch.inference_mode():
        first, second = (module(*module.example()).numpy() for _ in range(2))
    for shower in (first, second):
        check_form(shower, module, name)
    assert (first != second).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "interface"), [one for one in SERVED if not one[0].startswith("caloclouds3")]
)
def test_a_file_of_each_interface_makes_the_generators_showers(name, interface, tmp_path):
    target = next(to for to, target in TARGETS.items() if interface in (target.interfaces or ()))
    record = export_model(name, tmp_path / "model.pt", target, interface=interface).record
    assert (record.model, record.interface) == (name, interface)


def test_an_interface_that_a_model_does_not_serve_is_refused():
    for name in ("caloclouds3.ild-photon", "toy"):
        with pytest.raises(InputError, match=r"not 'no-interface'"):
            calozoo.load(name).exported("no-interface")


def test_one_shower_in_three_may_be_another_draw():
    check_against_generator([None, "a cell", None], "model")
    with pytest.raises(PluginError, match="exports another shower than it generates: a cell"):
        check_against_generator(["a cell", "a cell", None], "model")
