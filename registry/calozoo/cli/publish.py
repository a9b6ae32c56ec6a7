"""`calozoo publish`: upload of weights to the Hub, and their index entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calozoo.cli.completion import complete_models
from calozoo.cli.options import json_option
from calozoo.cli.output import aligned, readable_size

if TYPE_CHECKING:
    from calozoo.publishing.publish import Publication

__all__ = ["publish"]


@click.command(short_help="Send weights to the Hub.")
@click.argument("folder", metavar="PATH", type=click.Path(path_type=Path, file_okay=False))
@click.option("--repo", required=True, metavar="ORG/NAME", help="Where to, on the Hub.")
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=complete_models,
    help="What these are the weights of; by default what README.md or config.json says.",
)
@click.option("--tag", metavar="TAG", help="Name for this version, such as v1.0.")
@click.option("--private", is_flag=True, help="Only for those it is granted to.")
@click.option("--dry-run", is_flag=True, help="Check everything, and send nothing.")
@json_option()
def publish(
    folder: Path,
    repo: str,
    model: str | None,
    tag: str | None,
    private: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check the weights in PATH, send them to the Hub, and print the index entry that pins them.

    PATH holds config.json and model.safetensors, as `calozoo train` writes them. A README.md, the
    measurements.json of `calozoo benchmark`, training.json, tables (.csv) and pictures (.png) go
    along; nothing else does. Without a README.md a card is made of measurements.json, or of what
    the plugin says of its model.

    The weights are loaded and a few showers made first. Then a token of the Hub is needed that may
    write to ORG: type `hf auth login`, or set HF_TOKEN. Sending the same files again changes
    nothing.

    The entry goes to stdout; put it into a folder that CALOZOO_INDEX names, or propose it for
    calozoo's own index. Exit code 1 if the weights are not fit to be published, or the Hub does not
    take them.

    \b
    Examples:
      calozoo publish run1 --repo my-lab/photons --dry-run
      calozoo publish run1 --repo my-lab/photons --tag v1.0 > caloclouds3.ild-photon.toml
      calozoo pull hub:my-lab/photons@v1.0
    """
    from calozoo.publishing import publish

    def say(sentence: str) -> None:
        click.echo(sentence, err=True)

    target = None if dry_run else publish.open_repository(repo)
    with publish.prepare(folder, repo, model) as publication:
        # The summary is the data of a dry run, and otherwise a message beside the entry.
        click.echo(_summary(publication), err=as_json or not dry_run)
        commit = None
        if target is not None:
            commit = publish.publish(publication, target, tag=tag, private=private, say=say)
            say(f"{repo}  commit {commit}{f', {tag}' if tag else ''}")
        else:
            say(f"nothing was sent to {repo}")
        entry = publication.entry(commit).as_toml()
        if as_json:
            report = publication.as_dict() | {"commit": commit, "tag": tag, "entry": entry}
            click.echo(json.dumps(report, indent=2))
        elif commit is not None:
            click.echo(entry, nl=False)


def _summary(publication: Publication) -> str:
    """The model, and the files of the folder that are published and left out."""
    report = publication.as_dict()
    rows = [
        (f"  {file['name']}", readable_size(file["size"]), f"sha256 {file['sha256'][:12]}")
        for file in report["files"]
    ]
    lines = [f"{report['model']}  checked", aligned(rows)]
    if publication.left_out:
        lines.append(f"  left out: {', '.join(publication.left_out)}")
    return "\n".join(lines)
