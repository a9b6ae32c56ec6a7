"""Record of a training: train.yaml beside the weights, and a run of MLflow on a real server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest
import yaml

from calozoo.cli import main
from calozoo.tracking.mlflow import tracking_uri
from calozoo_core.errors import InputError
from calozoo_core.testing.trainers import made_up_showers, write_sample


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return end.value.code, said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("options: [", "is no configuration of a training"),
        ("- 1", "is no configuration of a training"),
        ("optoins: {}", "optoins: extra inputs are not permitted"),
        ("data: {a: 1}", "data: input should be a valid string"),
        ("!!python/object/apply:os.system ['true']", "is no configuration of a training"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_refused(folder, capsys, content, said):
    (folder / "train.yaml").write_text(content)
    code, sentence = refused(capsys, "train", "caloclouds3.ild-photon", "--config", "train.yaml")
    assert code == 2
    assert said in sentence


def test_the_configuration_of_another_model_is_refused(folder, capsys):
    (folder / "train.yaml").write_text("model: caloinn.ild-photon\ndata: a\nout: b\n")
    code, said = refused(capsys, "train", "caloclouds3.ild-photon", "--config", "train.yaml")
    assert code == 2
    assert "is the configuration of caloinn.ild-photon, not of caloclouds3.ild-photon" in said


def test_what_neither_command_nor_configuration_says_is_missing(folder, capsys):
    (folder / "train.yaml").write_text("data: a\n")
    said = refused(capsys, "train", "caloclouds3.ild-photon", "--config", "train.yaml")
    assert said == (2, "calozoo: Missing option '--out'.\n")


@pytest.mark.parametrize("text", ["wandb", "mlflow:", "mlflow"])
def test_a_tracking_without_an_address_is_refused(monkeypatch, text):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="write mlflow:http://host:5000"):
        tracking_uri(text)


def test_a_model_of_mlflow_without_a_version_is_refused(typed):
    code, _, err = typed("pull", "mlflow:caloclouds3.ild-photon")
    assert code == 2
    assert "write mlflow:NAME@ALIAS" in err


def test_a_server_that_is_not_there_is_said_in_one_sentence(typed):
    pytest.importorskip("mlflow", reason="`pip install 'calozoo[mlflow]'` brings mlflow")
    uri = "http://127.0.0.1:9"
    code, _, err = typed("pull", "mlflow:caloclouds3.ild-photon@champion", MLFLOW_TRACKING_URI=uri)
    assert code == 1
    assert err == (
        f"calozoo: No MLflow server answers at {uri}; is it running, and the address right?\n"
    )


@pytest.fixture
def server(tmp_path):
    """A real MLflow server on loopback."""
    pytest.importorskip("flask", reason="`pip install mlflow` brings the server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    words += ["--artifacts-destination", str(tmp_path / "artifacts")]
    with (tmp_path / "server.log").open("w") as log:
        quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log, env=quiet)
        try:
            end = time.monotonic() + 400
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "server.log").read_text()
                    assert time.monotonic() < end
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.slow
def test_a_training_leaves_a_record_from_which_it_is_repeated(folder, typed, server, monkeypatch):
    monkeypatch.setattr("calozoo.models.mlflow_models.default_cache", lambda: folder / "cache")
    pytest.importorskip("mlflow", reason="`pip install 'calozoo[mlflow]'` brings mlflow")
    write_sample(folder / "showers", made_up_showers())
    asked = ["train", "caloclouds3.ild-photon", "--data", "showers", "--out", "run1"]
    tiny = ["-o", "preset=tiny", "-o", "steps=2", "-o", "bank_parts=1", "-o", "seed=3"]
    tiny += [w for s in ("flow", "teacher", "student") for w in ("-o", f"{s}_epochs=1")]
    code, _, err = typed(*asked, *tiny, "--tracking", f"mlflow:{server}")
    assert code == 0, err
    config = yaml.safe_load((folder / "run1" / "train.yaml").read_text())
    assert config["model"] == "caloclouds3.ild-photon"
    assert config["options"]["seed"] == 3
    assert config["options"]["patience"] == 20  # a default
    from mlflow import MlflowClient

    client = MlflowClient(server, server)
    (run,) = client.search_runs([client.get_experiment_by_name("calozoo").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "3"
    assert any(name.endswith("/score") for name in run.data.metrics)
    client.set_registered_model_alias("caloclouds3.ild-photon", "champion", "1")
    name = "mlflow:caloclouds3.ild-photon@champion"
    generated = ["--energy", "50", "-n", "2", "--quiet"]
    code, _, err = typed(
        "generate", "--model", name, "--out", "a.h5", *generated, MLFLOW_TRACKING_URI=server
    )
    assert code == 0, err
    trained = ["--model", "caloclouds3.ild-photon", "--weights", "run1"]
    assert typed("generate", *trained, "--out", "b.h5", *generated)[0] == 0
    assert (folder / "a.h5").read_bytes() == (folder / "b.h5").read_bytes()
    again = ["train", "caloclouds3.ild-photon", "--config", "run1/train.yaml", "--out", "run2"]
    code, _, err = typed(*again, "--tracking", f"mlflow:{server}")
    assert code == 0, err
    weights = "model.safetensors"
    assert (folder / "run2" / weights).read_bytes() == (folder / "run1" / weights).read_bytes()
