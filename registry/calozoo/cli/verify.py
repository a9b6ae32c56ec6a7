"""`calozoo verify`: comparison of an exported model with its record."""

from __future__ import annotations

from pathlib import Path

import click

from calozoo.cli.options import json_option, quiet_option

__all__ = ["verify"]


@click.command(short_help="Compare an exported model with its record.")
@click.argument("file", type=click.Path(path_type=Path))
@quiet_option
@json_option("Print the record as a JSON object.")
def verify(file: Path, quiet: bool, as_json: bool) -> None:
    """Compare FILE, a model that `calozoo export` wrote, with the record FILE.json beside it.

    Exit code 1 if the file was changed, or the library that runs it cannot load it.

    \b
    Examples:
      calozoo verify photons.pt
    """
    from calozoo.export.model_file import verify_file

    record = verify_file(file)
    if as_json:
        click.echo(record.model_dump_json(indent=2))
    elif not quiet:
        click.echo(
            f"{file}  {record.model} as {record.interface}, unchanged, sha256 {record.sha256}"
        )
