"""Writer of the index: `python -m calozoo.models.index [FOLDER]`.

To be run from a checkout after a training has put new weights into a plugin, or a plugin has a new
model. Every installed model that has no entry in FOLDER (by default calozoo's own index) gets one,
without a repository until it is published. Every entry whose plugin is installed and brings weights
gets that plugin's version and the sha256 of its files. A revision that was pinned is dropped if
they changed: the new files have to be published first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from calozoo.models import discovery
from calozoo.models.index import IndexEntry, read_entry
from calozoo.models.names import find
from calozoo.models.weights import bundled_folder
from calozoo_core.io.atomic import write_atomic
from calozoo_core.weights import WEIGHT_FILES, sha256

__all__ = ["main", "new_entry", "write_hashes"]


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


def new_entry(registration: discovery.Registration) -> IndexEntry:
    """Entry of an installed model, without its weights: what its plugin says of it."""
    spec = registration.spec
    return IndexEntry(
        name=spec.name,
        default=find(spec.architecture).spec.name == spec.name,
        aliases=spec.aliases,
        summary=spec.summary,
        distribution=registration.distribution,
    )


def main(folder: Path) -> None:
    """Write the entries that are missing in this folder, and the hashes of all bundled weights."""
    for registration in discovery.registered().values():
        file = folder / f"{registration.spec.name}.toml"
        weights = bundled_folder(registration.spec)
        is_new = not file.is_file()
        if is_new:
            write_atomic(file, new_entry(registration).as_toml())
        if weights is not None:
            write_hashes(file, registration.version, weights)
        if is_new or weights is not None:
            sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
