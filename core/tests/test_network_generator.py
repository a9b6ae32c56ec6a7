"""Trained models as files, and generators made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from calozoo_core.detector import load_detector  # noqa: E402
from calozoo_core.errors import InputError, WeightsError  # noqa: E402
from calozoo_core.frames import axis_offsets  # noqa: E402
from calozoo_core.generator import Conditions, ModelSpec  # noqa: E402
from calozoo_core.incident import Incident  # noqa: E402
from calozoo_core.network_generator import NetworkGenerator  # noqa: E402
from calozoo_core.strict_model import StrictModel  # noqa: E402
from calozoo_core.weights.trained_model import TrainedModel  # noqa: E402

SPEC = ModelSpec(
    name="line.test",
    summary="Points on a line.",
    factory="nowhere:Line",
    representation="x25",
    detector="ild_siecal_regular",
    conditions=Conditions(energy_gev=(1, 100), theta_deg=(0, 60)),
    license="Apache-2.0",
)


class Tables(NamedTuple):
    shift: np.ndarray
    index: np.ndarray


class LineConfig(StrictModel):
    width: int = 3
    has_second: bool = False


@dataclass(frozen=True, eq=False)
class TrainedLine(TrainedModel):
    schema = LineConfig

    config: LineConfig
    first: nn.Module
    second: nn.Module | None
    tables: Tables

    @classmethod
    def untrained(cls, config):
        tables = Tables(np.zeros(config.width, np.float32), np.zeros(2, np.uint8))
        second = nn.BatchNorm1d(config.width) if config.has_second else None
        return cls(config, nn.Linear(config.width, 1), second, tables)


class Line(NetworkGenerator[LineConfig]):
    schema = LineConfig

    @classmethod
    def layout(cls, config):
        return TrainedLine.layout(config)

    def sample(self, incident, seed, first):
        n = len(incident)
        layer = np.tile(np.array([0, 29], np.uint8), n)
        zeros, ones = np.zeros(2 * n, np.float32), np.ones(2 * n, np.float32)
        offsets = np.arange(n + 1) * 2
        return self.showers_from_upright(incident, offsets, zeros, zeros, layer, ones)


class FastLine(Line):
    runtimes = ("numpy", "torch")
    runs_on_gpu = True
    has_bfloat16 = True
    shares_batches = True
    part_size = 2

    def sample(self, incident, seed, first):
        return self.sample_in_parts(super().sample, incident, seed, first)


@pytest.fixture(params=[False, True])
def trained(request):
    model = TrainedLine.untrained(LineConfig(has_second=request.param))
    return replace(model, tables=Tables(np.ones(3, np.float32), np.array([3, 200], np.uint8)))


def test_a_model_is_the_same_after_it_was_a_file(trained, tmp_path):
    trained.write(tmp_path)
    back = TrainedLine.read(tmp_path)
    assert back.config == trained.config
    assert (back.second is None) == (trained.second is None)
    expected = trained.named_arrays()
    assert list(back.named_arrays()) == list(expected)
    for name, array in back.named_arrays().items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == expected[name].dtype
    assert not back.first.training
    assert not any(p.requires_grad for p in back.first.parameters())


def test_the_names_of_tensors_begin_with_their_field(trained):
    names = {name.partition(".")[0] for name in trained.named_arrays()}
    assert names == {"first", "tables"} | ({"second"} if trained.second else set())


def test_tensors_that_do_not_fit_the_configuration_are_refused(trained, tmp_path):
    other = replace(trained, tables=Tables(np.ones(4, np.float32), trained.tables.index))
    other.write(tmp_path)
    with pytest.raises(WeightsError, match=r"tables\.shift"):
        TrainedLine.read(tmp_path)


def test_a_generator_loads_what_it_saved(trained, tmp_path):
    Line(SPEC, trained.to_arrays()).save(tmp_path)
    generator = Line.load(SPEC, tmp_path, precision="float32")
    np.testing.assert_array_equal(
        generator.trained.table(Tables, "tables").shift, trained.tables.shift
    )
    assert (generator.device, generator.precision) == ("cpu", "float32")


def test_a_generator_without_weights_says_how_to_get_them():
    with pytest.raises(WeightsError, match=r"`calozoo pull line\.test`"):
        Line.load(SPEC, None)


def test_a_device_or_precision_that_the_model_lacks_is_refused(tmp_path):
    with pytest.raises(InputError, match="runs on the CPU only"):
        Line.load(SPEC, tmp_path, device="cuda")
    with pytest.raises(InputError, match="float32 only"):
        Line.load(SPEC, tmp_path, precision="bfloat16")


def test_a_model_of_the_processor_is_not_moved_to_another_device(trained):
    with pytest.raises(InputError, match="runs on the CPU only"):
        Line(SPEC, trained.to_arrays()).to("meta")


def test_a_device_that_is_not_there_is_refused(trained, tmp_path):
    trained.write(tmp_path)
    with pytest.raises(InputError, match="'nonsense' is not available here"):
        FastLine.load(SPEC, tmp_path, device="nonsense")


def test_the_first_runtime_that_is_installed_computes(trained, tmp_path, monkeypatch):
    trained.write(tmp_path)
    assert FastLine.load(SPEC, tmp_path).runtime == "numpy"
    assert FastLine.load(SPEC, tmp_path, runtime="torch").runtime == "torch"
    with pytest.raises(InputError, match=r"line\.test runs in numpy, not in torch"):
        Line.load(SPEC, tmp_path, runtime="torch")
    monkeypatch.setattr("calozoo_core.runtime.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"torch, which is not .* 'calozoo-core\[torch\]'"):
        FastLine.load(SPEC, tmp_path, runtime="torch")


def test_what_needs_torch_says_so(trained, tmp_path, monkeypatch):
    trained.write(tmp_path)
    with pytest.raises(InputError, match="device='cuda' runs in torch, not in numpy"):
        FastLine.load(SPEC, tmp_path, device="cuda", runtime="numpy")
    monkeypatch.setattr("calozoo_core.runtime.find_spec", lambda name: None)
    with pytest.raises(InputError, match="device='cuda' needs torch, which is not installed"):
        FastLine.load(SPEC, tmp_path, device="cuda")


def test_bfloat16_is_refused_where_the_processor_has_none(trained, tmp_path, monkeypatch):
    trained.write(tmp_path)
    monkeypatch.setattr("calozoo_core.network_generator.has_bfloat16", lambda: True)
    assert FastLine.load(SPEC, tmp_path, precision="bfloat16").runtime == "torch"
    monkeypatch.setattr("calozoo_core.network_generator.has_bfloat16", lambda: False)
    with pytest.raises(InputError, match="no bfloat16 in hardware"):
        FastLine.load(SPEC, tmp_path, precision="bfloat16")


def test_threads_share_a_batch_and_change_nothing(trained, monkeypatch):
    model = FastLine(SPEC, trained.to_arrays())
    incident = Incident(np.linspace(10, 50, 7), (0.1, 0, 1))
    alone = model.generate(incident)
    monkeypatch.setattr("calozoo_core.network_generator.callers_threads", lambda: 3)
    assert model.threads == 3
    shared = model.generate(incident)
    np.testing.assert_array_equal(shared.x, alone.x)
    assert Line(SPEC, trained.to_arrays()).threads == 1


def test_upright_points_are_sheared_along_their_primary(trained):
    incident = Incident([10, 20], [(0.6, 0, 0.8), (0, -0.6, 0.8)])
    showers = Line(SPEC, trained.to_arrays()).generate(incident)
    x, y = axis_offsets(showers, load_detector(SPEC.detector))
    np.testing.assert_allclose(showers.x, x, rtol=1e-6)
    np.testing.assert_allclose(showers.y, y, rtol=1e-6)
    assert (showers.representation, showers.detector) == ("x25", SPEC.detector)
