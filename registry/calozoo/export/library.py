"""Library of a model's showers for DDML, for models that no other file can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from calozoo import api
from calozoo.export.formats import parse_grid
from calozoo.generation.generate_file import check_output, check_request
from calozoo.generation.incident_sources import IncidentSource
from calozoo.generation.parsing import make_source
from calozoo.models import names
from calozoo_core.errors import InputError
from calozoo_core.generator import Generator
from calozoo_core.io import Exported, ddml
from calozoo_core.showers import Showers

__all__ = ["export_library"]


def export_library(
    name: str,
    out: Path,
    *,
    energy: str | None = None,
    direction: str = "0,0",
    n: int | None = None,
    seed: int = 0,
    grid: str | None = None,
    weights: Path | None = None,
    offline: bool = False,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda n: None,
    on_batch: Callable[[int], None] = lambda n: None,
) -> Exported:
    """Write new showers of a model as a library that DDML's LoadHdf5 reads.

    Arguments:
        name: Name of the model, as for `api.load`.
        out: The file, `.h5`.
        energy: Incident energies, as `parse_energy` reads them.
        direction: Directions, as `parse_direction` reads them.
        n: Number of showers.
        seed: Same seed, same showers.
        grid: Cells of a plain grid about the entry point, as "30x30".
        weights: Folder with other weights than the model's own.
        offline: Use no network.
        overwrite: Replace a file that is already there.
        on_start: Called with the number of showers.
        on_batch: Called with the number of showers of each batch.

    Raises:
        InputError: If the request makes no sense.
        CalozooError: What loading, generating and writing raise.
    """
    if energy is None:
        msg = "A library needs the energies of its showers; add energy=50."
        raise InputError(msg, argument="energy=50")
    spec = api.find_model(names.split_revision(name)[0], offline=offline)
    cells = None if grid is None else parse_grid(grid, spec.detector)
    source = make_source(energy, direction, n, seed=seed, particle=spec.conditions.particles[0])
    check_request(spec, source)
    check_output(out, overwrite=overwrite)
    with closing(api.load(name, weights=weights, offline=offline)) as generator:
        on_start(len(source))
        batches = _batches(generator, source, seed, on_batch)
        return ddml.write_library(out, batches, grid=cells, overwrite=overwrite)


def _batches(
    generator: Generator, source: IncidentSource, seed: int, on_batch: Callable[[int], None]
) -> Iterator[Showers]:
    for first, incident in source.batches(generator.default_batch_size):
        for showers in generator.batches(incident, seed=seed, first=first):
            yield showers
            on_batch(len(showers))
