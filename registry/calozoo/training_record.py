"""Record of a training: its configuration as YAML beside the weights, and its run on a server."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from calozoo import api
from calozoo.tracking.mlflow import MlflowRun, tracking_uri
from calozoo_core.errors import InputError
from calozoo_core.io.atomic import write_atomic
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import WEIGHT_FILES

__all__ = ["CONFIG", "TrainConfig", "read_train_config", "tracked", "write_train_config"]

CONFIG: Final = "train.yaml"
RUN: Final = "tracking.json"

_MAX_BYTES: Final = 1 << 20
_POLL_SECONDS: Final = 10.0


class TrainConfig(StrictModel):
    """Configuration of a training.

    Arguments:
        model: Name of the model; None where the command names it.
        data: Folder with the showers.
        out: Folder for the weights.
        options: Options of the model's own.
        tracking: Server for the run, as `mlflow[:URI]`; None for none.
    """

    model: str | None = None
    data: str | None = None
    out: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012, pydantic copies it
    tracking: str | None = None


def read_train_config(path: Path) -> TrainConfig:
    """Configuration from a YAML file.

    Raises:
        InputError: If it cannot be read, is no YAML, or has an entry that does not exist.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {str(error.strerror).lower()}."
        raise InputError(msg) from error
    if len(content) > _MAX_BYTES:
        msg = f"{path} is no configuration: it is larger than any."
        raise InputError(msg)
    try:
        return TrainConfig.model_validate(yaml.safe_load(content) or {})
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
        else:
            reason = " ".join(str(error).split())
        known = ", ".join(TrainConfig.model_fields)
        msg = f"{path} is no configuration of a training ({reason}); it may have {known}."
        raise InputError(msg) from error


def write_train_config(config: TrainConfig, folder: Path) -> None:
    """Write a configuration to `train.yaml` in a folder, for `calozoo train --config`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_atomic(folder / CONFIG, text)


@contextmanager
def tracked(config: TrainConfig, model: str, out: Path) -> Iterator[None]:
    """Record of a training on the server that its configuration names, if it names one.

    Parameters go there at once, metrics as they are logged, and in the end the weights, which
    become the next version of the model in the registry. A training that goes on in the same folder
    goes on with the same run.

    Arguments:
        config: The configuration.
        model: Name of the model.
        out: Folder of the training.

    Raises:
        InputError: If the address makes no sense.
        CalozooError: If mlflow is not installed, or the server does not answer.
    """
    if config.tracking is None:
        yield
        return
    uri = tracking_uri(config.tracking)
    known = _known_run(out, uri)
    run = MlflowRun(uri, model, None if known is None else known["run"])
    if known is None:
        known = {"uri": uri, "run": run.run_id, "steps": {}}
        run.log_parameters({"model": model, "data": config.data, **config.options})
    follower = _MetricFollower(run, out, known)
    follower.start()
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        follower.stop()
        if status == "FINISHED":
            _register(run, model, out)
        run.end(status)


def _register(run: MlflowRun, model: str, out: Path) -> None:
    """Send the weights, with a card that says which model they are for."""
    import tempfile

    if not all((out / name).is_file() for name in WEIGHT_FILES):
        return  # a single stage, which makes no weights
    with tempfile.TemporaryDirectory() as scratch:
        api.load(model, weights=out).save_pretrained(scratch)
        others = [out / name for name in (CONFIG, "training.json") if (out / name).is_file()]
        run.register(model, Path(scratch), others)


class _MetricFollower(threading.Thread):
    """Thread that sends what the stages of a training write to their `metrics.csv`."""

    def __init__(self, run: MlflowRun, out: Path, known: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._run, self._out, self._known = run, out, known
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(_POLL_SECONDS):
            with suppress(Exception):  # a server that is away for a while stops no training
                self._send()

    def stop(self) -> None:
        """Send the rest, and end."""
        self._stopped.set()
        self.join()
        self._send()

    def _send(self) -> None:
        steps = self._known["steps"]
        for path in sorted(self._out.glob("*/metrics.csv")):
            stage = path.parent.name
            for row in _rows(path):
                step = int(float(row.pop("step", 0)))
                done = (int(float(row.pop("epoch", 0))), step, sorted(row))
                if done in _seen(steps, stage):
                    continue
                self._run.log_metrics({f"{stage}/{name}": row[name] for name in row}, step)
                steps.setdefault(stage, []).append(list(done))
        write_atomic(self._out / RUN, json.dumps(self._known) + "\n")


def _seen(steps: Mapping[str, list[Any]], stage: str) -> list[tuple[Any, ...]]:
    return [tuple(one) for one in steps.get(stage, [])]


def _rows(path: Path) -> list[dict[str, float]]:
    """Numbers of each row of a log, by column; a row that is being written is left for later."""
    with suppress(OSError, csv.Error), path.open(newline="", encoding="utf-8") as file:
        rows = []
        for row in csv.DictReader(file):
            numbers = {}
            for name, text in row.items():
                with suppress(TypeError, ValueError):
                    numbers[str(name)] = float(text)
            rows.append(numbers)
        return rows
    return []


def _known_run(out: Path, uri: str) -> dict[str, Any] | None:
    """Run that was begun in this folder on this server."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads((out / RUN).read_text(encoding="utf-8"))
        if content["uri"] == uri and isinstance(content["run"], str):
            return {"uri": uri, "run": content["run"], "steps": dict(content["steps"])}
    return None
