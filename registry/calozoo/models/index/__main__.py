"""Write the hashes of bundled weights into the index: `python -m calozoo.models.index [FOLDER]`.

To be run from a checkout after a training has put new weights into a plugin. Every entry of FOLDER
(by default calozoo's own index) whose plugin is installed and brings weights gets that plugin's
version and the sha256 of its files. A revision that was pinned is dropped if they changed: the new
files have to be published first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from calozoo.models import discovery
from calozoo.models.index import IndexEntry, read_entry
from calozoo.models.weights import bundled_folder
from calozoo_core.io.atomic import write_atomic
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = ["main", "write_hashes"]


def write_hashes(file: Path, version: str, weights: Path) -> IndexEntry:
    """Write the version and the sha256 of the weights files into an index entry.

    The `[sha256]` table is the last of the file, so it is replaced from its heading on.

    Arguments:
        file: The entry, a TOML file.
        version: The version of the plugin that holds these files.
        weights: The folder they are in.

    Raises:
        InputError: If the file is not an index entry.
    """
    before = read_entry(file)
    hashes = {name: sha256(weights / name) for name in WEIGHT_FILES}
    head, *_ = file.read_text(encoding="utf-8").partition("[sha256]")
    head = re.sub(r"^version = .*\n", "", head, flags=re.MULTILINE)
    head = re.sub(
        r"^(distribution = .*\n)", rf'\1version = "{version}"\n', head, flags=re.MULTILINE
    )
    if hashes != before.sha256:
        head = re.sub(r"^revision = .*\n", "", head, flags=re.MULTILINE)
    table = "".join(f'"{name}" = "{digest}"\n' for name, digest in hashes.items())
    write_atomic(file, f"{head.rstrip()}\n\n[sha256]\n{table}")
    return read_entry(file)


def main(folder: Path) -> None:
    """Write the hashes of every bundled model that has an entry in this folder."""
    for registration in discovery.registered().values():
        file = folder / f"{registration.spec.name}.toml"
        weights = bundled_folder(registration.spec)
        if weights is not None and file.is_file():
            write_hashes(file, registration.version, weights)
            sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
