"""`calozoo export MODEL` and `calozoo verify` as a person uses them."""

from __future__ import annotations

import json
import sys
import types

import h5py
import numpy as np
import pytest

import calozoo
from calozoo.cli import main
from calozoo.export import model_format
from calozoo.export.record import read_record
from calozoo_core.weights import sha256


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with photons.pt, photons.pt.json and photons_ddsim.py; what was printed."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["export", "caloclouds3.ild-photon", "photons.pt", "--to", "ddml"])
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, folder, words, code):
    """The command ends as bad input must; returns its sentence."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(SystemExit) as end:
        main(words.split())
    said = capsys.readouterr()
    assert end.value.code == code
    assert said.out == ""
    assert said.err.startswith("calozoo: ")
    assert said.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    return said.err


def test_the_record_says_what_the_file_is(exported):
    record = read_record(exported / "photons.pt")
    model = calozoo.load("caloclouds3.ild-photon")
    assert record.model == model.spec.name
    assert record.sha256 == sha256(exported / "photons.pt")
    assert record.bytes == (exported / "photons.pt").stat().st_size
    assert record.conditions == model.spec.conditions
    assert record.calibration == model.config.calibration.model_dump()
    assert record.entries == ("forward", "given")
    assert record.candidates == 4
    assert [one.shape for one in record.inputs] == [(1, 1)] * 3
    assert record.output.shape == (35_000,)
    assert record.versions["torch"].startswith("2.")
    model.save(exported / "weights")
    for name, digest in record.weights.items():
        assert sha256(exported / "weights" / name) == digest


def test_a_user_sees_the_steering_of_ddsim_and_one_line_about_the_file(capsys, folder, exported):
    main(["export", "caloclouds3.ild-photon", "photons.pt", "--to", "ddml"])
    said = capsys.readouterr()
    assert said.out == (folder / "photons_ddsim.py").read_text()
    assert said.err.startswith("photons.pt  caloclouds3.ild-photon as ddml-points, torchscript, ")
    assert sorted(path.name for path in folder.iterdir()) == [
        "photons.pt",
        "photons.pt.json",
        "photons_ddsim.py",
    ]
    main(["export", "caloclouds3.ild-photon", "again.pt", "--to", "ddml", "--json", "--quiet"])
    said = capsys.readouterr()
    assert json.loads(said.out)["file"] == "again.pt"
    assert said.err == ""


def test_the_steering_puts_the_file_into_barrel_and_endcaps(exported, monkeypatch):
    actions, physics = run_steering((exported / "photons_ddsim.py").read_text(), monkeypatch)
    barrel, endcap = actions
    assert barrel.name == "CaloCloudsTwoAngleModelPolyhedraBarrelTorchModel/EcalBarrelModel"
    assert endcap.name == "CaloCloudsTwoAngleModelEndcapTorchModel/EcalEndcapModel"
    assert barrel.RegionName == "EcalBarrelRegion"
    assert endcap.RegionName == "EcalEndcapRegion"
    assert barrel.Symmetry == 8
    assert not hasattr(endcap, "Symmetry")
    for action in actions:
        assert action.Enable is True
        assert action.CorrectForAngles is False
        assert action.ApplicableParticles == {"gamma"}
        assert action.Etrigger == {"gamma": 5000.0}
        assert action.ModelPath == str(exported / "photons.pt")
        assert action.IntraOpNumThreads == 1
    assert physics.EnabledParticles == ["gamma"]


def run_steering(text, monkeypatch):
    """Run steering with stand-ins for DD4hep's modules; the actions and the physics list."""
    adopted = []

    class Action:
        def __init__(self, kernel, name):
            self.name = name

        def enableUI(self):  # noqa: N802, as DD4hep calls it
            adopted.append(self)

    sequence = types.SimpleNamespace(adopt=adopted.remove)
    ddg4 = types.ModuleType("DDG4")
    ddg4.DetectorConstruction = ddg4.PhysicsList = Action
    ddg4.Geant4 = lambda kernel: types.SimpleNamespace(detectorConstruction=lambda: sequence)
    units = types.ModuleType("g4units")
    units.GeV = 1000.0
    monkeypatch.setitem(sys.modules, "DDG4", ddg4)
    monkeypatch.setitem(sys.modules, "g4units", units)
    kept = []
    sequence.adopt = lambda action: kept.append(action)
    kernel = types.SimpleNamespace(physicsList=lambda: sequence)
    setups = []
    steer = types.SimpleNamespace(physics=types.SimpleNamespace(setupUserPhysics=setups.append))
    exec(compile(text, "photons_ddsim.py", "exec"), {"SIM": steer})
    setups[0](kernel)
    assert kept == adopted
    return kept[:-1], kept[-1]


def test_verify_knows_the_file_again_and_a_changed_one_not(capsys, folder, exported):
    for name in ("photons.pt", "photons.pt.json"):
        (folder / name).write_bytes((exported / name).read_bytes())
    main(["verify", "photons.pt"])
    record = read_record(folder / "photons.pt")
    assert capsys.readouterr().out == (
        f"photons.pt  caloclouds3.ild-photon as ddml-points, unchanged, sha256 {record.sha256}\n"
    )
    changed = bytearray((folder / "photons.pt").read_bytes())
    changed[len(changed) // 2] ^= 1
    (folder / "photons.pt").write_bytes(changed)
    assert "is not the file that photons.pt.json describes" in refused(
        capsys, folder, "verify photons.pt", 1
    )
    (folder / "photons.pt.json").write_text("{}")
    assert "is no record of an exported model" in refused(capsys, folder, "verify photons.pt", 1)
    (folder / "photons.pt.json").unlink()
    assert "has no record photons.pt.json" in refused(capsys, folder, "verify photons.pt", 1)
    assert "There is no file no.pt" in refused(capsys, folder, "verify no.pt", 1)


def test_a_file_of_an_opset_that_the_runtime_does_not_know_is_refused(capsys, folder, exported):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "g", [value], [out])
    opset = onnx.helper.make_opsetid("", 999)
    (folder / "f.onnx").write_bytes(
        onnx.helper.make_model(graph, opset_imports=[opset]).SerializeToString()
    )
    record = read_record(exported / "photons.pt")
    update = {"format": "onnx", "sha256": sha256(folder / "f.onnx"), "opset": 999}
    (folder / "f.onnx.json").write_text(record.model_copy(update=update).model_dump_json())
    sentence = refused(capsys, folder, "verify f.onnx", 1)
    assert "ONNX Runtime" in sentence
    assert "cannot load f.onnx" in sentence


def test_a_file_that_is_none_of_its_format_is_refused(capsys, folder, exported):
    record = read_record(exported / "photons.pt")
    for suffix, name in ((".pt", "torchscript"), (".pt2", "pt2"), (".onnx", "onnx")):
        path = folder / f"f{suffix}"
        path.write_bytes(b"nonsense")
        update = {"format": name, "sha256": sha256(path)}
        folder.joinpath(f"f{suffix}.json").write_text(
            record.model_copy(update=update).model_dump_json()
        )
        assert f"cannot load f{suffix} (" in refused(capsys, folder, f"verify f{suffix}", 1)


REFUSED = {
    "export caloclouds3.ild-photon o.pt": (
        2,
        "Say what the model is for: --to ddml, --to onnx, --to pt2",
    ),
    "export caloclouds3.ild-photon o.pt --to podio": (
        2,
        "No model is exported for podio: --to ddml",
    ),
    "export caloclouds3.ild-photon o.onnx --to ddml": (
        2,
        "A file for ddml ends in .pt; call it o.pt",
    ),
    "export caloclouds3.ild-photon o --to onnx": (
        2,
        "A file for onnx ends in .onnx; call it o.onnx",
    ),
    "export caloclouds3.ild-photon . --to ddml": (1, ". is a folder; give the name of a file."),
    "export caloclouds3.ild-photon no/o.pt --to ddml": (1, "There is no folder no; make it"),
    "export caloclouds3.ild-photon there.pt --to ddml": (
        1,
        "there.pt is already there. Add --overwrite",
    ),
    "export caloclouds3.ild-photon beside.pt --to ddml": (1, "beside.pt.json is already there"),
    "export calocluds3 o.pt --to ddml": (2, "Did you mean 'caloclouds3'?"),
    "export caloclouds3.ild-photon o.onnx --to onnx --opset 7": (
        2,
        "opset 18 to 23, not 7; leave out --opset",
    ),
    "export caloclouds3.ild-photon o.pt --to ddml --opset 18": (
        2,
        "Only operators of ONNX have versions; leave out --opset",
    ),
    "export caloclouds3.ild-photon o.pt --to ddml --given": (2, "leave out --given"),
    "export caloclouds3.ild-photon o.pt --to ddml --interface ddml-x9": (
        2,
        "For ddml, caloclouds3.ild-photon has --interface ddml-points, not ddml-x9",
    ),
    "export caloclouds3.ild-photon o.onnx --to par04": (
        2,
        "does not fit par04; export it with --to ddml, --to onnx, --to pt2, or write a library",
    ),
    "export toy o.pt --to ddml": (
        2,
        "no module of whole showers that a file could hold; write a library of its showers",
    ),
    "export calodream o.onnx --to onnx": (2, "write a library of its showers with --to library"),
    "export 3dgan o.pt --to par04": (2, "write a library of its showers with --to library"),
    "export caloinn.ild-photon o.pt --to ddml": (2, "of its showers with --to library"),
    "export geant4 o.onnx --to onnx": (2, "with --to library"),
    "export convl2lflows.ild-photon o.onnx --to onnx": (
        2,
        "loops over layers, which only TorchScript keeps; give a .pt file, with --to ddml",
    ),
    "export caloclouds3.ild-photon o.pt --to ddml --grid 30x30": (
        2,
        "--grid means nothing for models",
    ),
    "export caloclouds3.ild-photon o.pt --to ddml --energy 50": (
        2,
        "--energy means nothing for models",
    ),
    "export there.h5 o.root.gz --to root": (2, "is packed inside; call the file o.root"),
    "export there.h5 o.h5.zip --to ddml": (2, "is packed inside; call the file o.h5"),
    "export toy o.h5 --to library": (
        2,
        "A library needs the energies of its showers; add --energy",
    ),
    "export toy o.pt --to library --energy 50": (1, "call the file o.h5"),
    "export toy o.h5 --to library --energy 50 --opset 18": (2, "--opset means nothing for"),
    "export toy o.h5 --to library --energy 500": (2, "500 GeV is outside"),
    "export caloclouds3.ild-photon - --to ddml": (2, "give the name of a file in place of -"),
    "export toy - --to library --energy 50": (2, "give the name of a file in place of -"),
    "export there.h5 - --to root": (2, "give the name of a file in place of -"),
    "generate --model toy --energy 10 --out -": (2, "give the name of a file in place of -"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_bad_request_ends_in_one_sentence_and_changes_nothing(capsys, folder, words):
    (folder / "there.pt").write_text("precious")
    (folder / "beside.pt.json").write_text("precious")
    code, sentence = REFUSED[words]
    assert sentence in refused(capsys, folder, words, code)


@pytest.mark.parametrize(
    ("library", "words"),
    [
        ("torch", "export caloclouds3.ild-photon o.pt --to ddml"),
        ("onnxscript", "export caloclouds3.ild-photon o.onnx --to onnx"),
        ("onnxruntime", "export caloclouds3.ild-photon o.onnx --to onnx"),
    ],
)
def test_a_missing_library_is_named_with_what_to_type(capsys, folder, monkeypatch, library, words):
    there = model_format.find_spec
    monkeypatch.setattr(
        model_format, "find_spec", lambda name: there(name) if name != library else None
    )
    sentence = refused(capsys, folder, words, 2)
    assert f"needs {library}; type pip install 'calozoo[export]'" in sentence


def test_a_file_whose_runtime_is_not_installed_is_not_verified(
    capsys, folder, exported, monkeypatch
):
    for name in ("photons.pt", "photons.pt.json"):
        (folder / name).write_bytes((exported / name).read_bytes())
    there = model_format.find_spec
    monkeypatch.setattr(
        model_format, "find_spec", lambda name: there(name) if name != "torch" else None
    )
    sentence = refused(capsys, folder, "verify photons.pt", 2)
    assert "Running torchscript files needs torch; type pip install 'calozoo[export]'" in sentence


def test_a_file_that_fails_its_check_leaves_nothing(capsys, folder, monkeypatch):
    from calozoo_caloclouds3 import exported

    monkeypatch.setattr(exported, "SIGMA_DATA", 0.6)
    sentence = refused(capsys, folder, "export caloclouds3.ild-photon o.pt --to ddml", 1)
    assert "exports another shower than it generates" in sentence
    assert not list(folder.iterdir())


def test_a_library_is_generated_and_written_at_once(capsys):
    words = "export toy library.h5 --to library --energy 10:20 --dir 10,0 -n 5 --seed 3 --json"
    main(words.split())
    said = capsys.readouterr()
    assert json.loads(said.out)["showers"] == 5
    with h5py.File("library.h5") as file:
        layers = file["layers"][:]
    assert layers.shape == (5, 30, 30, 49)
    assert np.all(layers.sum(axis=(1, 2, 3)) > 0)
    request = ["--energy", "10:20", "--dir", "10,0", "-n", "5", "--seed", "3"]
    main(["generate", "--model", "toy", *request, "--out", "s.h5"])
    main(["export", "s.h5", "same.h5", "--to", "library"])
    with h5py.File("same.h5") as file:
        assert np.array_equal(file["layers"][:], layers)
