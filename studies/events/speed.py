"""Time of a tau event with a model and with Geant4: `python -m studies.events.speed`.

All photons of the events start on the face and are left to the model. Everything is timed in one
run, and nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from calozoo import api
from calozoo.events.chunks import add_model, simulate_fully, take_at_start
from calozoo.events.hit_building import simulated_events
from calozoo.events.request import make_trigger
from calozoo.physics.tau_sample import TauSample
from calozoo.reconstruction.parameters import finder_parameters
from calozoo.reconstruction.photon_finder import PhotonFinder
from calozoo_core.detector import load_detector
from calozoo_core.event_hits import EventHits
from calozoo_core.events import Events
from calozoo_core.markdown import table, write_block
from calozoo_core.placement import load_placement
from calozoo_geant4.event_generator import Geant4Events

__all__ = ["main", "report"]

_DETECTOR = load_detector("ild_siecal")
_PLACEMENT = load_placement(_DETECTOR)
_THRESHOLD_MEV = 0.1


def report(models: Sequence[str], n: int, repeats: int) -> str:
    """Table of seconds an event.

    Arguments:
        models: Names of the models; the first one's trigger chooses the photons.
        n: Number of events.
        repeats: Timings of each model, of which the least counts.
    """
    spec = api.find_model(models[0])
    trigger = make_trigger(_DETECTOR, spec)
    trigger = replace(trigger, trigger=replace(trigger.trigger, endcap_theta_deg=None))
    events = TauSample(n).events(_PLACEMENT, trigger)
    one, two = (_geant4(events, workers) / n for workers in (1, 2))
    rows = [
        ("geant4, 1 worker", f"{1e3 * one:.0f}", "1"),
        ("geant4, 2 workers", f"{1e3 * two:.0f}", f"{one / two:.2f}"),
    ]
    for name in models:
        seconds, hits = _model(name, events, repeats)
        rows.append((name, f"{1e3 * seconds / n:.1f}", f"{one / (seconds / n):.0f}"))
    rows.append(("the photon finder", f"{1e3 * _finder(hits):.1f}", ""))
    energy = events.energy.sum() / n
    title = f"{n} tau events, {events.n_primaries / n:.1f} photons and {energy:.0f} GeV each"
    return table((title, "ms an event", "faster by"), rows)


def _geant4(events: Events, workers: int) -> float:
    """Seconds of Geant4 for the events, without the start of its workers."""
    with closing(Geant4Events(_DETECTOR, None, workers)) as simulation:
        simulate_fully(simulation, events[:1], 0, 5)
        began = time.perf_counter()
        deposits = simulate_fully(simulation, events, 0, 1)
        simulated_events(events, deposits, _PLACEMENT, _THRESHOLD_MEV)
        return time.perf_counter() - began


def _model(name: str, events: Events, repeats: int) -> tuple[float, EventHits]:
    """Least seconds of a model for the events, and their hits."""
    seconds = []
    with closing(api.load(name)) as model:
        trigger = make_trigger(_DETECTOR, model.spec)
        for _ in range(repeats + 1):
            began = time.perf_counter()
            taken = take_at_start(events, trigger, _PLACEMENT)
            assert taken is not None
            deposits = add_model(taken, events, 0, model, _PLACEMENT, seed=1)
            run = simulated_events(events, deposits, _PLACEMENT, _THRESHOLD_MEV)
            seconds.append(time.perf_counter() - began)
    return min(seconds[1:]), run.hits


def _finder(hits: EventHits) -> float:
    """Seconds of the photon finder for an event."""
    finder = PhotonFinder(_DETECTOR, finder_parameters())
    began = time.perf_counter()
    for event in hits.hits:
        finder.find(event)
    return (time.perf_counter() - began) / len(hits)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", action="append")
    parser.add_argument("--write", type=Path, help="page with a block named speed")
    options = parser.parse_args(arguments)
    models = options.model or ["caloclouds3.ild-photon", "caloclouds3.ild-photon-clumps"]
    text = report(models, options.n, options.repeats)
    if options.write is None:
        print(text)  # noqa: T201
    else:
        write_block(options.write, "speed", text)


if __name__ == "__main__":
    main()
