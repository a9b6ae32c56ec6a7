"""MLflow: runs with parameters, metrics and weights, and the registry of models.

Weights are the files `weights/config.json` and `weights/model.safetensors`, no pickled module.
Needs mlflow (`pip install 'calozoo[mlflow]'`).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from calozoo_core.errors import CalozooError, HubError, InputError
from calozoo_core.weights import sha256

__all__ = ["EXPERIMENT", "MlflowRun", "download_weights", "tracking_uri"]

EXPERIMENT: Final = "calozoo"
WEIGHTS: Final = "weights"
TAG: Final = "sha256."

_DOWNLOADED: Final = ("config.json", "model.safetensors", "README.md")
_MAX_BYTES: Final = 4 << 30
_CONNECT_SECONDS: Final = 10
_LONGEST_PARAMETER: Final = 500


def tracking_uri(text: str) -> str:
    """Address of the server from `mlflow[:URI]`; without one, MLFLOW_TRACKING_URI.

    Raises:
        InputError: If it is not that, or there is no address.

    Example:
        >>> tracking_uri("mlflow:http://127.0.0.1:5000")
        'http://127.0.0.1:5000'
    """
    kind, colon, uri = text.partition(":")
    uri = uri if colon else os.environ.get("MLFLOW_TRACKING_URI", "")
    if kind != "mlflow" or not uri:
        msg = (
            f"Cannot read the tracking {text!r}; write mlflow:http://host:5000, or "
            "mlflow with MLFLOW_TRACKING_URI set."
        )
        raise InputError(msg)
    return uri


class MlflowRun:
    """Run of MLflow, begun anew or gone on with.

    Arguments:
        uri: Address of the server.
        name: Name of the run.
        run_id: Run to go on with; None for a new one.

    Attributes:
        run_id: Identity of the run.

    Raises:
        CalozooError: If mlflow is not installed, or the server does not answer.
    """

    def __init__(self, uri: str, name: str, run_id: str | None = None) -> None:
        self._client = _client(uri)
        with _told(uri):
            if run_id is not None:
                self._client.update_run(run_id, status="RUNNING")
                self.run_id = run_id
                return
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            known = None if experiment is None else experiment.experiment_id
            place = known or self._client.create_experiment(EXPERIMENT)
            self.run_id = self._client.create_run(place, run_name=name).info.run_id
        self._uri = uri

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Parameters of the training; one that was logged already must be the same."""
        for name, value in parameters.items():
            self._client.log_param(self.run_id, name, str(value)[:_LONGEST_PARAMETER])

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics at an optimiser step."""
        for name, value in metrics.items():
            self._client.log_metric(self.run_id, name, value, step=step)

    def register(self, model: str, folder: Path, others: list[Path]) -> str:
        """Send the weights of a model, and register them as its next version.

        Arguments:
            model: Name of the model, which the registry has it by.
            folder: Folder with the weights and their card.
            others: Further files of the training.

        Returns:
            Number of the version.
        """
        from mlflow.exceptions import MlflowException

        self._client.log_artifacts(self.run_id, str(folder), WEIGHTS)
        for path in others:
            self._client.log_artifact(self.run_id, str(path))
        try:
            self._client.create_registered_model(model)
        except MlflowException:  # it is there
            self._client.get_registered_model(model)
        tags = {f"{TAG}{path.name}": sha256(path) for path in sorted(folder.iterdir())}
        source = f"{self._client.get_run(self.run_id).info.artifact_uri}/{WEIGHTS}"
        version = self._client.create_model_version(model, source, run_id=self.run_id, tags=tags)
        return str(version.version)

    def end(self, status: str) -> None:
        """End the run: "FINISHED", "FAILED" or "KILLED"."""
        self._client.set_terminated(self.run_id, status)


def download_weights(uri: str, model: str, version: str, folder: Path) -> str:
    """Download the weights of a version in the registry, each compared with its sha256.

    Arguments:
        uri: Address of the server.
        model: Name in the registry.
        version: Alias, or number of a version.
        folder: Where to.

    Returns:
        The number of the version.

    Raises:
        HubError: If there is no such version, it holds no weights of ours, or one is damaged.
    """
    from calozoo_core.errors import WeightsError

    client = _client(uri)
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        find = (
            client.get_model_version if version.isdecimal() else client.get_model_version_by_alias
        )
        found = find(model, version)
        listed = {Path(one.path).name: one for one in client.list_artifacts(found.run_id, WEIGHTS)}
        wanted = [name for name in _DOWNLOADED if name in listed and TAG + name in found.tags]
        if sum(int(listed[name].file_size or 0) for name in wanted) > _MAX_BYTES:
            msg = f"{model}@{version} of {uri} is larger than any weights."
            raise HubError(msg)
        for name in wanted:
            came = download_artifacts(
                run_id=found.run_id,
                artifact_path=f"{WEIGHTS}/{name}",
                dst_path=str(folder),
                tracking_uri=uri,
            )
            Path(came).replace(folder / name)
    except MlflowException as error:
        msg = f"{uri} has no {model}@{version}: {' '.join(str(error.message).split())}"
        raise HubError(msg.rstrip(".") + ".") from error
    for name in wanted:
        if sha256(folder / name) != found.tags[TAG + name]:
            msg = f"{name} of {model}@{version} does not have the sha256 it was registered with."
            raise WeightsError(msg)
    if not set(_DOWNLOADED[:2]) <= set(wanted):
        msg = f"{model}@{version} of {uri} holds no weights that calozoo registered."
        raise HubError(msg)
    return str(found.version)


def _client(uri: str) -> Any:
    try:
        from mlflow import MlflowClient
    except ModuleNotFoundError as error:
        msg = "This needs mlflow; `pip install 'calozoo[mlflow]'` brings it."
        raise CalozooError(msg) from error
    _check_server(uri)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _check_server(uri: str) -> None:
    """Refuse a server that does not answer, for which mlflow would wait many minutes.

    Raises:
        HubError: If it does not.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        msg = f"No MLflow server answers at {uri}; is it running, and the address right?"
        raise HubError(msg) from error


@contextmanager
def _told(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        msg = f"MLflow at {uri} refuses: {' '.join(str(error.message).split())}"
        raise HubError(msg.rstrip(".") + ".") from error
