"""Exported files make the generator's showers in programs that do not know calozoo.

Each file is read in a process of its own: torch and numpy only, ONNX Runtime and numpy only, and
C++ with the libtorch that is in torch's wheel.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import calozoo
from calozoo.export.comparison import (
    check_form,
    difference_from_generator,
    points_of_output,
    reference_shower,
    references,
)
from calozoo.export.model_file import export_model
from calozoo_core.detector import load_detector
from calozoo_core.incident import Incident
from calozoo_core.placement import load_placement

HERE = Path(__file__).parent
ENERGY_GEV, THETA_DEG, PHI_DEG, N = 50.0, 30.0, 70.0, 200
SINE, COSINE = np.sin(np.radians(THETA_DEG)), np.cos(np.radians(THETA_DEG))
DIRECTION = (SINE * np.cos(np.radians(PHI_DEG)), SINE * np.sin(np.radians(PHI_DEG)), COSINE)


@dataclass(frozen=True)
class Exported:
    """A model, what it exports, and references that other processes read."""

    generator: object
    module: object
    references: list
    path: Path

    @classmethod
    def make(cls, name, interface, folder):
        generator = calozoo.load(name)
        module = generator.exported(interface)
        cases = list(references(generator, module))
        many = reference_shower(generator, module, ENERGY_GEV, THETA_DEG, PHI_DEG)
        arrays = {"cases": np.array(len(cases)), "many": np.array(N)}
        for number, case in enumerate(cases):
            for kind, tensors in (("input", case.inputs), ("noise", case.noise)):
                arrays |= {f"{number}-{kind}-{i}": array for i, array in enumerate(tensors)}
        arrays |= {f"many-input-{i}": array for i, array in enumerate(many.inputs)}
        np.savez(folder / "references.npz", **arrays)
        return cls(generator, module, cases, folder / "references.npz")

    def check(self, out, *, given):
        """Compare what another process made with the references."""
        showers = np.load(out)
        name = self.generator.spec.name
        for number, case in enumerate(self.references):
            if given:
                shower = showers[f"{number}-given"]
                assert difference_from_generator(shower, case, self.module) is None
            else:
                check_form(showers[f"{number}-drawn"], self.module, name)
        return showers

    def check_means(self, showers):
        """Mean energy and number of points are the generator's, within three standard errors."""
        own = self.generator.generate(energy=ENERGY_GEV, direction=DIRECTION, n=N, seed=11)
        theirs = [points_of_output(shower)[1] for shower in showers]
        for ours, values in (
            (own.visible_energy, [points[:, 3].sum() for points in theirs]),
            (own.n_points, [len(points) for points in theirs]),
        ):
            error = np.hypot(
                np.std(ours) / np.sqrt(len(ours)), np.std(values) / np.sqrt(len(values))
            )
            assert abs(np.mean(ours) - np.mean(values)) < 3 * error


def read(program, *words):
    command = [sys.executable, "-I", str(HERE / program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(
    scope="module",
    params=["caloclouds3.ild-photon", pytest.param("3dgan.ild-photon", marks=pytest.mark.slow)],
)
def name(request):
    """Model of points whose number is drawn inside the file."""
    return request.param


@pytest.fixture(scope="module")
def photons(name, tmp_path_factory):
    return Exported.make(name, "ddml-points", tmp_path_factory.mktemp("references"))


@pytest.fixture(scope="module")
def torchscript(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "photons.pt"
    export_model(name, path, "ddml")
    return path


def test_a_process_with_torch_and_numpy_only_makes_the_generators_showers(
    photons, torchscript, tmp_path
):
    read("torch_reader.py", torchscript, photons.path, tmp_path / "out.npz")
    showers = photons.check(tmp_path / "out.npz", given=True)
    photons.check(tmp_path / "out.npz", given=False)
    photons.check_means(showers["many"])


def test_a_process_without_torch_makes_the_generators_showers(name, photons, tmp_path):
    path = tmp_path / "photons.onnx"
    export_model(name, path, "onnx", given=True)
    read("onnx_reader.py", path, photons.path, tmp_path / "out.npz", "given")
    photons.check(tmp_path / "out.npz", given=True)


@pytest.mark.slow
def test_an_onnx_file_draws_its_own_points(name, photons, tmp_path):
    path = tmp_path / "photons.onnx"
    export_model(name, path, "onnx")
    read("onnx_reader.py", path, photons.path, tmp_path / "out.npz")
    photons.check_means(photons.check(tmp_path / "out.npz", given=False)["many"])


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True], ids=["drawn", "given"])
def test_a_graph_of_torch_export_makes_the_generators_showers(name, given, tmp_path):
    export_model(name, tmp_path / "photons.pt2", "pt2", given=given)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ here")
def test_a_program_in_cpp_makes_showers_in_the_order_of_ddmls_calls(photons, torchscript, tmp_path):
    program = built_reader(tmp_path)
    inputs = [f"{value}" for value in (ENERGY_GEV, THETA_DEG, PHI_DEG)]
    out, size = tmp_path / "out.bin", photons.module.output_shape[0]
    command = [program, torchscript, str(N), str(size), out, *inputs]
    subprocess.run(command, check=True, timeout=1800)
    showers = np.fromfile(out, np.float32).reshape(N, size)
    for shower in showers:
        check_form(shower, photons.module, "photons.pt")
    photons.check_means(showers)
    assert len(np.unique(showers[:, :30].sum(axis=1))) > N / 2, "each draws its own shower"


def built_reader(folder: Path) -> Path:
    import torch

    home = Path(torch.__file__).parent
    program = folder / "reader"
    includes = [home / "include", home / "include" / "torch" / "csrc" / "api" / "include"]
    abi = int(torch.compiled_with_cxx11_abi())
    command = ["g++", "-std=c++20", "-O0", f"-D_GLIBCXX_USE_CXX11_ABI={abi}"]
    command += [f"-I{include}" for include in includes]
    command += [str(HERE / "reader.cpp"), "-o", str(program), f"-L{home / 'lib'}"]
    command += [f"-Wl,-rpath,{home / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10"]
    subprocess.run(command, check=True, timeout=3600)
    return program


def test_the_same_cells_are_hit_through_ddmls_placement_and_through_ours(photons):
    detector = load_detector("ild_siecal")
    placement = load_placement("ild_siecal")
    rng = np.random.default_rng(5)
    phi = np.radians(rng.uniform(-12, 20, 24)) + np.pi / 4 * rng.integers(0, 8, 24)
    momentum = np.column_stack([np.cos(phi), np.sin(phi), rng.uniform(-0.7, 0.7, 24)])
    position = placement.enter(momentum)
    direction = placement.local_direction(position, momentum)
    for i in range(len(phi)):
        incident = Incident(30.0, direction[i])
        theta = np.degrees(np.arccos(direction[i, 2]))
        azimuth = np.degrees(np.arctan2(direction[i, 1], direction[i, 0]))
        case = reference_shower(photons.generator, photons.module, 30.0, theta, azimuth, seed=i)
        assert np.allclose(case.shower.incident.direction, incident.direction, atol=1e-6)
        _, points = points_of_output(case.of_module(photons.module))
        layer = points[:, 2].astype(np.uint8)
        depth = detector.layer_depth_mm
        theirs = ddml_local_to_global(points, position[i], momentum[i], detector.face_mm + depth)
        local = np.column_stack([points[:, :2], depth[layer]]).astype(float)
        ours = placement.to_global(local, position[i])
        assert np.abs(theirs - ours).max() < 1e-3
        assert np.array_equal(placement.cells(theirs, layer), placement.cells(ours, layer))


def ddml_local_to_global(points, position, momentum, radii):
    """DDML's reading of a model with points, and its barrel geometry without angles corrected."""
    x, y = -points[:, 0].astype(float), -points[:, 1].astype(float)  # its frame is turned by 180
    layer = points[:, 2].astype(int)
    sector = np.rint(np.arctan2(position[1], position[0]) / (np.pi / 4))
    angle = -sector * np.pi / 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([*(turn @ position[:2]), position[2]])
    upright = np.column_stack([radii[layer], centre[1] + y, centre[2] - x])
    return np.column_stack([upright[:, :2] @ turn, upright[:, 2]])
