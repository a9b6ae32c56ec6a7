"""Models in a registry of MLflow: `mlflow:NAME@ALIAS`, or `mlflow:NAME@VERSION`.

The address of the server is MLFLOW_TRACKING_URI. Weights are kept in calozoo's own folder of the
Hugging Face cache, by the number of their version.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from calozoo.hub.cache import default_cache
from calozoo.models.hub_models import find_registration
from calozoo.models.names import MLFLOW_PREFIX
from calozoo.models.weights import Pulled, PulledFile
from calozoo.tracking.mlflow import download_weights, tracking_uri
from calozoo_core.errors import HubError, InputError
from calozoo_core.weights import sha256

if TYPE_CHECKING:
    from calozoo.models.discovery import Registration

__all__ = ["pull_model"]


def pull_model(
    name: str, *, offline: bool = False, cache_dir: Path | None = None
) -> tuple[Registration, Pulled]:
    """Weights of a version in the registry, and the model they are for.

    Arguments:
        name: `mlflow:NAME@ALIAS` or `mlflow:NAME@VERSION`.
        offline: Use no network: refused, since only the server knows what an alias means.
        cache_dir: The Hugging Face cache; by default where it always is.

    Raises:
        InputError: If the name is not that.
        HubError: If the server does not answer, or has no such version.
        WeightsError: If they are damaged, or do not say what they are for.
    """
    model, at, version = name.removeprefix(MLFLOW_PREFIX).partition("@")
    if not (model and at and version) or "/" in name:
        msg = f"'{name}' names no version; write mlflow:NAME@ALIAS or mlflow:NAME@VERSION."
        raise InputError(msg)
    if offline:
        msg = f"{name} is asked of a server, and this is offline."
        raise HubError(msg)
    uri = tracking_uri("mlflow")
    place = hashlib.sha256(f"{uri} {model}".encode()).hexdigest()[:16]
    shelf = (cache_dir or default_cache()) / "calozoo-mlflow" / place
    shelf.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=shelf))
    try:
        number = download_weights(uri, model, version, fresh)
        folder = shelf / number
        if not folder.exists():
            fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    registration = find_registration(folder, name)
    files = tuple(
        PulledFile(path.name, path.stat().st_size, sha256(path))
        for path in sorted(folder.iterdir())
        if path.is_file()
    )
    source = f"from MLflow ({model}, version {number})"
    return registration, Pulled(registration.spec.name, source, folder, files, f"version {number}")
