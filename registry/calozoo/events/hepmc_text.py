"""Text of HepMC files, event by event, checked before a library parses it.

HepMC's own readers take a file that is cut, or has a bad line, for one that ends there.

References:
    | Asciiv3: https://arxiv.org/abs/1912.08005
    | IO_GenEvent, the format of HepMC2: https://hepmc.web.cern.ch/hepmc/releases/HepMC2_user_manual.pdf
"""

from __future__ import annotations

import gzip
import re
import reprlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from calozoo_core.errors import ShowerFileError
from calozoo_core.io.file_faults import instead_of_file, reason, system_reason

__all__ = ["ASCII_V3", "IO_GEN_EVENT", "EventText", "read_event_texts"]

ASCII_V3: Final = b"HepMC::Asciiv3"
IO_GEN_EVENT: Final = b"HepMC::IO_GenEvent"

_START, _END = b"-START_EVENT_LISTING", b"-END_EVENT_LISTING"
_GZIP: Final = b"\x1f\x8b"
_COLUMNS: Final = {
    (ASCII_V3, b"E"): "iii",
    (ASCII_V3, b"P"): "iiifffffi",
    (IO_GEN_EVENT, b"E"): "iifffiiiii",
    (IO_GEN_EVENT, b"V"): "iiffffiii",
    (IO_GEN_EVENT, b"P"): "iifffffiffii",
}
"""Columns of a line behind its letter: whole numbers and others; more may follow."""

_VERTEX: Final = re.compile(rb"V (-\d+) -?\d+ \[([\d,]*)\](?: @ (.*))?")
_UNITS: Final = re.compile(rb"U (GEV|MEV) (MM|CM)")
_MAX_LINE_BYTES: Final = 1 << 24
_MAX_EVENT_LINES: Final = 1 << 22


@dataclass(frozen=True)
class EventText:
    """Text of one event.

    Arguments:
        kind: ASCII_V3 or IO_GEN_EVENT.
        header: Lines of the file before its first event.
        lines: Lines of the event.
        n_particles: Number of its particles.
    """

    kind: bytes
    header: tuple[bytes, ...]
    lines: tuple[bytes, ...]
    n_particles: int

    @property
    def file(self) -> bytes:
        """A file with this event alone."""
        return b"".join((*self.header, *self.lines, self.kind + _END + b"\n"))


def read_event_texts(path: Path) -> Iterator[EventText]:
    """Text of the events of a HepMC file, of HepMC3 or HepMC2, perhaps packed with gzip.

    Arguments:
        path: The file; its content tells whether it is packed.

    Raises:
        ShowerFileError: If it is no HepMC file, is cut, or an event does not hold what it says.
    """
    number = 0
    try:
        instead = instead_of_file(path)
        if instead:
            msg = f"{path} {instead}"
            raise ShowerFileError(msg)
        with _opened(path) as file:
            for text in _texts(path, file):
                yield text
                number += 1
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path} is cut or damaged in event {number} ({reason(error)}); make it again."
        raise ShowerFileError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({system_reason(error) or reason(error)})."
        raise ShowerFileError(msg) from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path) if is_packed else path.open("rb")  # type: ignore[return-value]


def _texts(path: Path, file: BinaryIO) -> Iterator[EventText]:
    lines, number = _lines(path, file), 0
    for first in lines:
        kind = _kind(path, first, next(lines, b""), number)
        header, event = [first, kind + _START + b"\n"], list[bytes]()
        for line in lines:
            is_end = line.startswith(kind + _END)
            if event and (is_end or line.startswith(b"E ")):
                yield _checked(path, kind, header, event, number)
                number, event = number + 1, []
            if is_end:
                break
            (event if event or line.startswith(b"E ") else header).append(line)
            _check_size(path, event, number)
        else:
            msg = (
                f"{path} is cut in or after event {number}: its last line, "
                f"{(kind + _END).decode()}, is missing; make or copy it again."
            )
            raise ShowerFileError(msg)
    if number == 0:
        msg = f"{path} has no events."
        raise ShowerFileError(msg)


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Lines that are not empty, however the file ends them."""
    while line := file.readline(_MAX_LINE_BYTES):
        if len(line) == _MAX_LINE_BYTES:
            msg = f"{path} is no HepMC file: it has a line of {_MAX_LINE_BYTES >> 20} MB or more."
            raise ShowerFileError(msg)
        if line := line.strip():
            yield line + b"\n"


def _kind(path: Path, first: bytes, second: bytes, number: int) -> bytes:
    """Format of the events behind these two lines."""
    for kind in (ASCII_V3, IO_GEN_EVENT):
        if first.startswith(b"HepMC::Version") and second.startswith(kind + _START):
            return kind
    wrong = second if first.startswith(b"HepMC::Version") else first
    what = f"it goes on behind event {number - 1} with" if number else "among its first lines is"
    msg = f"{path} is no file of HepMC3 or HepMC2 in ASCII: {what} {_quoted(wrong)}."
    raise ShowerFileError(msg)


def _checked(
    path: Path, kind: bytes, header: Sequence[bytes], lines: Sequence[bytes], number: int
) -> EventText:
    try:
        n_particles = (_check_v3 if kind == ASCII_V3 else _check_v2)(lines)
    except _EventError as error:
        msg = f"Event {number} of {path} is damaged ({error}); make the file again."
        raise ShowerFileError(msg) from error
    return EventText(kind, tuple(header), tuple(lines), n_particles)


def _check_v3(lines: Sequence[bytes]) -> int:
    """Number of the particles of an event of HepMC3, once it is clear that all are there."""
    _, n_vertices, n_particles = _numbers(ASCII_V3, lines[0])
    particles, vertices = list[int](), list[int]()
    mothers, listed = set[int](), set[int]()
    for line in lines[1:]:
        if line.startswith(b"P"):
            particle, mother = (int(value) for value in _numbers(ASCII_V3, line)[:2])
            particles.append(particle)
            mothers.add(mother)
        elif line.startswith(b"V"):
            vertex, incoming = _vertex(line)
            vertices.append(vertex)
            listed.update(incoming)
        else:
            _check_units(line)
    if len(particles) != n_particles:
        raise _EventError.of_number(len(particles), n_particles, "particles")
    if sorted(particles) != list(range(1, len(particles) + 1)):
        msg = "its particles are not numbered from 1 on"
        raise _EventError(msg)
    # A vertex with one particle coming in, and no place, is not written: its number stands for it.
    implied = {mother for mother in mothers if mother > 0} - listed
    if len(set(vertices)) + len(implied) != n_vertices:
        raise _EventError.of_number(len(set(vertices)) + len(implied), n_vertices, "vertices")
    known = {0, *particles, *vertices}
    if not mothers | listed <= known:
        msg = f"it has no particle or vertex {min((mothers | listed) - known)}"
        raise _EventError(msg)
    return len(particles)


def _check_v2(lines: Sequence[bytes]) -> int:
    """Number of the particles of an event of HepMC2, once it is clear that all are there."""
    n_vertices = _numbers(IO_GEN_EVENT, lines[0])[7]
    particles = vertices = said = 0
    for line in lines[1:]:
        if line.startswith(b"P"):
            _numbers(IO_GEN_EVENT, line)
            particles += 1
        elif line.startswith(b"V"):
            n_orphans, n_outgoing = _numbers(IO_GEN_EVENT, line)[6:8]
            vertices, said = vertices + 1, said + int(n_orphans + n_outgoing)
        else:
            _check_units(line)
    if vertices != n_vertices:
        raise _EventError.of_number(vertices, n_vertices, "vertices")
    if particles != said:
        raise _EventError.of_number(particles, said, "particles")
    return particles


def _numbers(kind: bytes, line: bytes) -> list[float]:
    """Numbers of a line of known columns."""
    letter, *words = line.split()
    columns = _COLUMNS.get((kind, letter), "")
    try:
        return [
            int(word) if column == "i" else float(word)
            for word, column in zip(words[: len(columns)], columns, strict=True)
        ]
    except ValueError as error:
        raise _EventError.of_line(line) from error


def _vertex(line: bytes) -> tuple[int, list[int]]:
    """Number of a vertex of HepMC3, and those of the particles that come in."""
    match = _VERTEX.fullmatch(line.strip())
    try:
        if match is None or (match[3] and len([float(word) for word in match[3].split()]) != 4):
            raise _EventError.of_line(line)
        return int(match[1]), [int(word) for word in match[2].split(b",") if word]
    except ValueError as error:
        raise _EventError.of_line(line) from error


def _check_units(line: bytes) -> None:
    """Refuse units that HepMC does not have, which its reader would take for its own."""
    if line.startswith(b"U") and not _UNITS.fullmatch(line.strip()):
        raise _EventError.of_line(line)


def _check_size(path: Path, event: Sequence[bytes], number: int) -> None:
    if len(event) > _MAX_EVENT_LINES:
        msg = f"{path} is no sound HepMC file: event {number} has {len(event)} lines."
        raise ShowerFileError(msg)


def _quoted(line: bytes) -> str:
    return reprlib.repr(line.decode("utf-8", "replace").strip())


class _EventError(Exception):
    """Fault of an event, as a clause that fits into brackets."""

    @classmethod
    def of_line(cls, line: bytes) -> _EventError:
        """Fault of a line that cannot be read."""
        return cls(f"it has the line {_quoted(line)}")

    @classmethod
    def of_number(cls, there: int, said: float, what: str) -> _EventError:
        """Fault of an event without what its first lines promise."""
        return cls(f"it has {there} {what}, not the {said} that it says")
