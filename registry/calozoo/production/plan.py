"""Plan of a production: a request, what it was made for, and the ranges of its shards.

A shard is a function of the plan and of its number alone, so it may be made anywhere, twice, and in
any order. Bounds are multiples of the batch size: then the merged file has the bytes of the file
that one process writes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from calozoo import api
from calozoo.models import names
from calozoo.production.errors import ProductionError
from calozoo.production.processes import own_name
from calozoo.production.request import GenerationRequest
from calozoo_core.errors import InputError, OutputExistsError
from calozoo_core.io.atomic import write_atomic
from calozoo_core.strict_model import StrictModel
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = [
    "DEFAULT_SHARDS",
    "PLAN_SUFFIX",
    "MergeRecord",
    "Plan",
    "default_plan_path",
    "make_plan",
    "mark_merged",
    "read_plan",
    "write_plan",
]

PLAN_SUFFIX: Final = ".plan.json"
DEFAULT_SHARDS: Final = 100
MAX_PLAN_BYTES: Final = 64 << 20


class MergeRecord(StrictModel):
    """Merged file of a production: what it holds, and its sha256."""

    showers: int
    points: int
    bytes: int
    sha256: str


class Plan(StrictModel):
    """Plan of a production.

    Arguments:
        format: Kind of the file.
        version: Version of its layout.
        request: What is generated.
        out: The merged file, relative to the folder of the plan.
        files: sha256 of each file that the request reads.
        weights: sha256 of each weights file, by model and name.
        versions: Versions of the distributions that make the showers.
        shards: First shower of each shard, and the one behind its last.
        merged: The merged file; None until it is written.
    """

    format: Literal["calozoo-plan"] = "calozoo-plan"
    version: Literal[1] = 1
    request: GenerationRequest
    out: str
    files: dict[str, str]
    weights: dict[str, str]
    versions: dict[str, str]
    shards: tuple[tuple[int, int], ...] = Field(min_length=1)
    merged: MergeRecord | None = None

    @model_validator(mode="after")
    def _shards_follow_one_another(self) -> Self:
        n, size = self.request.n, self.request.batch_size
        if n is None or size is None or min(n, size) < 1:
            msg = "its request has no number of showers, or no batch size"
            raise ValueError(msg)
        ends = [first for first, _ in self.shards] + [n]
        sound = ends[0] == 0 and all(low < high for low, high in pairwise(ends))
        sound = sound and [stop for _, stop in self.shards] == ends[1:]
        if not sound or any(first % size for first in ends[:-1]):
            msg = "its shards do not follow one another in whole batches"
            raise ValueError(msg)
        return self

    @property
    def n_showers(self) -> int:
        """Number of showers of all shards."""
        return self.shards[-1][1]

    @property
    def batch_size(self) -> int:
        """Showers at a time."""
        assert self.request.batch_size is not None
        return self.request.batch_size

    @property
    def identity(self) -> str:
        """sha256 of all that decides what is in the shards."""
        content = self.model_dump(mode="json", exclude={"out", "merged"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def range_of(self, number: int) -> tuple[int, int]:
        """First shower of a shard, and the one behind its last.

        Raises:
            InputError: If there is no shard of this number; they count from 1.
        """
        if not 1 <= number <= len(self.shards):
            msg = f"There is no shard {number}; the plan has 1 to {len(self.shards)}."
            raise InputError(msg)
        return self.shards[number - 1]

    def difference(self, other: Plan) -> str | None:
        """First point in which another plan differs, in words; None if it makes the same shards."""
        mine, theirs = (
            dict(_flat(one.model_dump(mode="json", exclude={"out", "merged", "shards"})))
            for one in (self, other)
        )
        for name in mine | theirs:
            if mine.get(name) != theirs.get(name):
                here, there = (_shown(side.get(name)) for side in (mine, theirs))
                return f"{name} was {here} and is {there} now"
        if self.shards != other.shards:
            return f"it has {len(self.shards)} shards, not {len(other.shards)}"
        return None


def default_plan_path(out: Path) -> Path:
    """Path of the plan of a file, beside it.

    Example:
        >>> default_plan_path(Path("run/showers.h5")).name
        'showers.plan.json'

    Raises:
        ProductionError: If it is a folder.
    """
    if out.is_dir():
        msg = f"{out} is a folder; give the name of a file."
        raise ProductionError(msg)
    return out.with_name(out.stem + PLAN_SUFFIX)


def make_plan(
    request: GenerationRequest,
    out: Path,
    path: Path,
    *,
    n_shards: int | None = None,
    offline: bool = False,
) -> Plan:
    """Plan of a request: texts are read and checked, weights are found and hashed.

    Arguments:
        request: What is generated.
        out: The merged file.
        path: File of the plan; `out` is kept relative to its folder.
        n_shards: Number of shards; None for `DEFAULT_SHARDS`, or for one a batch if there are fewer
            batches.
        offline: Use no network.

    Raises:
        InputError: If there are more shards than batches.
        CalozooError: If the request makes no sense, or the weights cannot be had.
    """
    prepared = request.prepared(offline=offline)
    n = len(prepared.source)
    request = request.with_absolute_paths()
    weights, revision = _weights(request, offline=offline)
    size = request.batch_size
    if size is None:
        with closing(request.load(offline=offline)) as generator:
            size = generator.default_batch_size
    model = request.model if revision is None else f"{request.model}@{revision}"
    resolved = {"model": model, "n": n, "batch_size": size, "particle": prepared.source.particle}
    return Plan(
        request=request.model_copy(update=resolved),
        out=os.path.relpath(out.absolute(), path.absolute().parent),
        files={str(file): sha256(file) for file in request.files()},
        weights=weights,
        versions=_versions(request, offline=offline),
        shards=tuple(_bounds(n, size, n_shards)),
    )


def read_plan(path: Path) -> Plan:
    """Plan from its file.

    Raises:
        ProductionError: If it is missing, damaged, or of another version.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PLAN_BYTES + 1)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            msg = f"There is no plan {path}; `calozoo generate ... --plan {path}` writes one."
        else:
            msg = f"{path} cannot be read: {str(error.strerror).lower()}."
        raise ProductionError(msg) from error
    if len(content) > MAX_PLAN_BYTES:
        msg = f"{path} is no plan: it is larger than any."
        raise ProductionError(msg)
    try:
        return Plan.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        detail = f"{where}: {reason}" if where else reason
        msg = f"{path} is not a plan that this calozoo reads ({detail}); make it again."
        raise ProductionError(msg) from error


def write_plan(plan: Plan, path: Path) -> Plan:
    """Write a plan, unless it is there already; many processes may do so at the same time.

    Returns:
        The plan of the file, which makes the same shards.

    Raises:
        OutputExistsError: If the file holds another plan; the message says where they differ.
        ProductionError: If the file cannot be written or read.
    """
    own = path.with_name(own_name(path.name))
    try:
        own.write_text(plan.model_dump_json(indent=2, exclude={"merged"}) + "\n", encoding="utf-8")
        try:
            _publish(own, path)
        finally:
            with suppress(OSError):
                own.unlink()
    except FileExistsError:
        return _same_plan(plan, path)
    except OSError as error:
        msg = f"{path} cannot be written: {str(error.strerror).lower()}; give another file name."
        raise ProductionError(msg) from error
    return plan


def mark_merged(plan: Plan, path: Path, record: MergeRecord) -> None:
    """Note in the file of a plan that its shards are merged."""
    done = plan.model_copy(update={"merged": record})
    write_atomic(path, done.model_dump_json(indent=2) + "\n")


def _publish(own: Path, path: Path) -> None:
    """Give a file its name, unless another file has it.

    Raises:
        FileExistsError: If one has.
    """
    try:
        os.link(own, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError from None
        own.replace(path)


def _same_plan(plan: Plan, path: Path) -> Plan:
    there = read_plan(path)
    difference = there.difference(plan)
    if difference is None and _absolute(there, path) != _absolute(plan, path):
        difference = f"its file is {there.out}, not {plan.out}"
    if difference is not None:
        msg = (
            f"{path} is the plan of other showers: {difference}. Give another name, or delete the "
            "plan and its shards."
        )
        raise OutputExistsError(msg)
    return there


def _absolute(plan: Plan, path: Path) -> str:
    return os.path.normpath(path.absolute().parent / plan.out)


def _bounds(n: int, size: int, n_shards: int | None) -> Iterator[tuple[int, int]]:
    """Ranges of showers, in whole batches of this size, as equal as they can be."""
    n_batches = -(-n // size)
    if n_shards is None:
        n_shards = min(DEFAULT_SHARDS, n_batches)
    if n_shards < 1:
        msg = f"A plan has at least one shard, not {n_shards}."
        raise InputError(msg, argument="n_shards")
    if n_shards > n_batches:
        msg = (
            f"{n} showers in batches of {size} make at most {n_batches} shards, not {n_shards}; "
            "give fewer, or a smaller batch_size."
        )
        raise InputError(msg, argument="batch_size")
    cuts = [min(n, size * (n_batches * k // n_shards)) for k in range(n_shards + 1)]
    return pairwise(cuts)


def _weights(request: GenerationRequest, *, offline: bool) -> tuple[dict[str, str], str | None]:
    """sha256 of all weights files, and the commit of a repository whose revision is left open."""
    hashes: dict[str, str] = {}
    revision = None
    for number, model in enumerate(_models(request, offline=offline)):
        spec = api.find_model(names.split_revision(model)[0], offline=offline)
        if number == 0 and request.weights is not None:
            folder = Path(request.weights)
            files = {n: sha256(folder / n) for n in WEIGHT_FILES if (folder / n).is_file()}
        else:
            pulled = api.pull(model, offline=offline)
            files = {file.name: file.sha256 for file in pulled.files if file.name in WEIGHT_FILES}
            if number == 0 and names.is_repository(model) and "@" not in model:
                revision = pulled.commit
        hashes |= {f"{spec.name}/{name}": digest for name, digest in files.items()}
    return hashes, revision


def _models(request: GenerationRequest, *, offline: bool) -> list[str]:
    """The model of a request, the one that feeds it, and so on."""
    models = [request.model]
    source = request.source
    while True:
        spec = api.find_model(names.split_revision(models[-1])[0], offline=offline)
        following = source or spec.source
        source = None
        if following is None or Path(following).suffix in (".h5", ".hdf5"):
            return models
        models.append(following)


def _versions(request: GenerationRequest, *, offline: bool) -> dict[str, str]:
    from importlib.metadata import version

    found = {name: version(name) for name in ("calozoo", "calozoo-core")}
    for model in _models(request, offline=offline):
        registration = api.find(names.split_revision(model)[0], offline=offline)
        found[registration.distribution] = registration.version
    return found


def _flat(content: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix.removeprefix("request."), content


def _shown(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) < 64 else f"{text[:12]}..."
