"""The index keeps its promises: names, defaults and hashes of all weights."""

from __future__ import annotations

import hashlib
from importlib.resources import files as resources

import pytest

from calozoo.models import discovery
from calozoo.models import index as index_module
from calozoo.models.index import IndexEntry, read_entry, read_index
from calozoo.models.index.__main__ import main, write_hashes
from calozoo.models.weights import bundled_folder
from calozoo_core.errors import InputError
from calozoo_core.weights import WEIGHT_FILES, sha256


def own_entries() -> list[IndexEntry]:
    return list(read_index().values())


def test_every_entry_is_in_the_file_of_its_name():
    found = {path.name for path in resources(index_module).iterdir() if path.name.endswith("toml")}

    assert found == {f"{entry.name}.toml" for entry in own_entries()}


def test_the_index_has_the_default_of_every_architecture_that_is_installed():
    firsts: dict[str, str] = {}
    for name in discovery.registered():
        firsts.setdefault(name.partition(".")[0], name)
    known: dict[str, str] = {}
    for name in read_index():
        known.setdefault(name.partition(".")[0], name)

    assert known == known | {name: first for name, first in firsts.items() if name in known}


def test_the_index_knows_the_hashes_of_all_bundled_weights():
    """After a training: `python -m calozoo.models.index`."""
    compared = 0
    for name, entry in read_index().items():
        registration = discovery.registered().get(name)
        folder = None if registration is None else bundled_folder(registration.spec)
        if folder is not None:
            assert entry.sha256 == {file: sha256(folder / file) for file in WEIGHT_FILES}
            assert entry.version == registration.version
            compared += 1
    if not compared:
        pytest.skip("no installed plugin bundles weights; install calozoo-caloclouds3")


def test_a_folder_of_ones_own_adds_to_the_index_and_wins(tmp_path, monkeypatch):
    entry = 'summary = "Mine."\ndistribution = "mine"\n'
    (tmp_path / "mine.toml").write_text(f'name = "mine.tag"\n{entry}')
    (tmp_path / "toy.toml").write_text(f'name = "toy.ild-photon"\n{entry}')
    monkeypatch.setenv("CALOZOO_INDEX", str(tmp_path))

    found = read_index()

    assert (found["mine.tag"].distribution, found["toy.ild-photon"].distribution) == ("mine",) * 2
    assert "caloclouds3.ild-photon" in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "cannot be read as TOML"),
        ('name = "a.b"', "is not an index entry: Field required at summary"),
        ('name = "a.b"\nsummary = "s"\ndistribution = "d"\ncolour = "red"', "at colour"),
        ('name = "a.b"\nsummary = "s"\ndistribution = "d"\nrevision = "main"', "at revision"),
        (
            f'name = "a.b"\nsummary = "s"\ndistribution = "d"\nrevision = "{"a" * 40}"',
            "a revision needs a repo and the sha256 of config.json and model.safetensors",
        ),
        (
            'name = "a.b"\nsummary = "s"\ndistribution = "d"\n[sha256]\n"../x" = "'
            + "0" * 64
            + '"',
            "at sha256",
        ),
    ],
)
def test_an_entry_that_is_none_is_refused_with_its_place(tmp_path, monkeypatch, text, reason):
    (tmp_path / "bad.toml").write_text(text)
    monkeypatch.setenv("CALOZOO_INDEX", str(tmp_path))

    with pytest.raises(InputError, match=rf"bad\.toml .*{reason}"):
        read_index()


def test_an_index_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CALOZOO_INDEX", str(tmp_path / "none"))

    with pytest.raises(InputError, match="none, which is not a folder"):
        read_index()


def test_hashes_of_new_weights_are_written_and_an_outdated_revision_goes(tmp_path):
    for name in WEIGHT_FILES:
        (tmp_path / name).write_bytes(name.encode())
    old = "".join(f'"{name}" = "{"0" * 64}"\n' for name in WEIGHT_FILES)
    file = tmp_path / "a.b.toml"
    file.write_text(
        'name = "a.b"\nsummary = "s"\ndistribution = "d"\nversion = "0.9"\nrepo = "zoo/a"\n'
        f'revision = "{"a" * 40}"\n\n[sha256]\n{old}'
    )

    entry = write_hashes(file, "1.0", tmp_path)
    text = file.read_text()
    again = write_hashes(file, "1.0", tmp_path)

    assert (entry.version, entry.repo, entry.revision) == ("1.0", "zoo/a", None)
    assert entry.sha256 == {n: hashlib.sha256(n.encode()).hexdigest() for n in WEIGHT_FILES}
    assert again == entry == read_entry(file)
    assert file.read_text() == text


def test_models_without_an_entry_get_one(tmp_path, capsys):
    file = tmp_path / "toy.ild-photon.toml"
    file.write_text('name = "toy.ild-photon"\nsummary = "Mine."\ndistribution = "d"\n')

    main(tmp_path)
    written = {name: read_entry(tmp_path / f"{name}.toml") for name in discovery.registered()}

    assert written.pop("toy.ild-photon").summary == "Mine."
    assert str(file) not in capsys.readouterr().out
    known = read_index()
    for name, entry in written.items():
        assert entry.summary == discovery.registered()[name].spec.summary
        assert (entry.version, entry.sha256) == (known[name].version, known[name].sha256)
