"""Tuning of the photon finder: `python -m studies.events.tune_finder WORK --write parameters.json`.

The pairs are those of `PairSample` with the seed of the tuning, which no benchmark uses. What of
them Geant4 has not simulated yet in the folder WORK is simulated first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from calozoo.events.chunks import simulate_fully
from calozoo.events.deposits import Deposits
from calozoo.physics.pair_sample import PairSample
from calozoo.physics.tuning import (
    MOST_SPLIT,
    SCANNED,
    TUNING_SEED,
    TuningSample,
    best_row,
    calibrated,
    deposits_digest,
    finder_report,
    scan,
)
from calozoo.reconstruction.parameters import FinderParameters
from calozoo_core.detector import load_detector
from calozoo_core.io.atomic import write_atomic
from calozoo_geant4.event_generator import Geant4Events

__all__ = ["main", "pairs_of", "tuned"]

PAIRS = {5: 200, 20: 60, 100: 10}
_DETECTOR = load_detector("ild_siecal")
_GEANT4_SEED = 1
_CLOSE_MM = 30.0


def pairs_of(energy_gev: int) -> PairSample:
    """Pairs of an energy that the finder is tuned on."""
    return PairSample(energy_gev, PAIRS[energy_gev], _CLOSE_MM, TUNING_SEED)


def simulated(folder: Path) -> dict[int, Deposits]:
    """Deposits of the pairs by energy, from a folder or made now and kept there."""
    found = {}
    for energy in PAIRS:
        path = folder / f"tuning-{energy}GeV.npz"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with closing(Geant4Events(_DETECTOR, None, 1)) as simulation:
                events = pairs_of(energy).events()
                simulate_fully(simulation, events, 0, _GEANT4_SEED).write(path)
        found[energy] = Deposits.read(path)
    return found


def tuned(deposits: dict[int, Deposits]) -> dict[str, Any]:
    """Content of the data file with the frozen parameters."""
    samples = {e: TuningSample.of(d, pairs_of(e), _DETECTOR) for e, d in deposits.items()}
    first = {energy: sample.halves()[0] for energy, sample in samples.items()}
    second = {energy: sample.halves()[1] for energy, sample in samples.items()}
    start = FinderParameters()
    rows = list(scan(first, _DETECTOR, start))
    chosen = {name: best_row(rows, start)[name] for name in SCANNED}
    parameters = calibrated(first, _DETECTOR, start.model_copy(update=chosen))
    return {
        "what": "Parameters of calozoo's photon finder, tuned on Geant4's pairs: the scan and the "
        "calibration are of the first half of each sample, the report of the second.",
        "rule": f"Single photons found as several: at most {MOST_SPLIT} by GeV; of these the "
        "smallest d50 at 20 GeV, then the fewest of them, then the fewest values changed, then the "
        "first.",
        "parameters": parameters.model_dump(),
        "samples": {
            f"{pairs_of(e).name}, seed {TUNING_SEED}, {PAIRS[e]} pairs, geant4.ild-siecal, "
            f"seed {_GEANT4_SEED}": deposits_digest(d)
            for e, d in deposits.items()
        },
        "scanned": [*rows[0]],
        "scan": [[*row.values()] for row in rows],
        "report": finder_report(second, _DETECTOR, parameters),
    }


def _text(content: dict[str, Any]) -> str:
    """JSON with a row of the scan on a line."""
    rows = ",\n".join(f"  {json.dumps(row)}" for row in content["scan"])
    text = json.dumps(content | {"scan": "ROWS"}, indent=1)
    return text.replace('"ROWS"', f"[\n{rows}\n ]") + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune the finder and write the parameters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder of the simulated pairs")
    parser.add_argument("--write", type=Path, required=True, help="file of the parameters, .json")
    options = parser.parse_args(arguments)
    write_atomic(options.write, _text(tuned(simulated(options.work))))


if __name__ == "__main__":
    main()
