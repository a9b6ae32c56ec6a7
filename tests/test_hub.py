"""Weights come from the cache, the wheel or the Hub, checked, over real HTTP on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import termios
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hub_server import Hub

from calozoo.index import IndexEntry
from calozoo.plugins import Registration
from calozoo.sources import Pulled, pull
from calozoo_core.errors import HubError, OutputExistsError, WeightsError
from calozoo_core.generator import Conditions, ModelSpec
from conftest import clean_environment

REPO = "calozoo/caloclouds3.ild-photon"
CHUNK = 10 << 20
"""huggingface_hub hands on what it received in pieces of this size, and resumes after the last."""
NOBODY = "http://127.0.0.1:9"
"""An address at which no server listens."""


def weights(size: int = 5000, seed: int = 0) -> dict[str, bytes]:
    """The files of a repository; only their bytes matter here."""
    return {
        "config.json": b'{"seed": %d}' % seed,
        "model.safetensors": random.Random(seed).randbytes(size),
        "README.md": b"# A card\n",
    }


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """What the index says of the files that are loaded."""
    loaded = ("config.json", "model.safetensors")
    return {name: hashlib.sha256(files[name]).hexdigest() for name in loaded}


def index_entry(commit: str | None, files: dict[str, bytes], version: str | None = None):
    return IndexEntry(
        name="cc.ild",
        summary="A test.",
        distribution="zoo-cc",
        version=version,
        repo=REPO,
        revision=commit,
        sha256=hashes(files),
    )


@dataclass
class Zoo:
    """A model, the cache, and whatever the wheel brings."""

    folder: Path
    bundled: dict[str, bytes] = field(default_factory=dict)
    version: str = "1.0"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def repo_folder(self) -> Path:
        return self.cache / f"models--{REPO.replace('/', '--')}"

    def snapshot(self, commit: str) -> Path:
        return self.repo_folder / "snapshots" / commit

    def pull(self, entry: IndexEntry | None, endpoint: str = NOBODY, **options) -> Pulled:
        package = self.folder / "site" / "zoo_cc"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        for name, content in self.bundled.items():
            (package / "weights").mkdir(exist_ok=True)
            (package / "weights" / name).write_bytes(content)
        spec = ModelSpec(
            name="cc.ild",
            summary="A test.",
            factory="zoo_cc:Nothing",
            representation="x9",
            detector="ild_siecal_regular",
            conditions=Conditions(energy_gev=(1, 10)),
            weights="zoo_cc:weights",
            license="MIT",
        )
        registration = Registration(spec, "zoo-cc", self.version)
        return pull(registration, entry, endpoint=endpoint, cache_dir=self.cache, **options)


@pytest.fixture
def zoo(tmp_path, site) -> Zoo:
    return Zoo(tmp_path)


def read(pulled: Pulled) -> dict[str, bytes]:
    assert pulled.folder is not None
    return {file.name: (pulled.folder / file.name).read_bytes() for file in pulled.files}


def test_a_pinned_commit_is_fetched_whole_and_checked(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files | {"pytorch_model.bin": b"pickle", "extra/a.txt": b"no"})

    pulled = zoo.pull(index_entry(commit, files), hub.url)

    assert read(pulled) == {n: files[n] for n in ("config.json", "model.safetensors", "README.md")}
    assert pulled.source == f"from the Hub ({REPO}@{commit[:12]})"
    assert pulled.folder == zoo.snapshot(commit)
    assert pulled.size == sum(map(len, files.values()))
    assert not hub.fetched("pytorch_model.bin")
    assert not hub.fetched("a.txt")


def test_pulling_again_asks_nothing_of_the_hub(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    first = zoo.pull(entry, hub.url)
    hub.requests.clear()

    again = zoo.pull(entry, hub.url)

    assert hub.requests == []
    assert again.files == first.files
    assert again.source == f"in the Hugging Face cache ({REPO}@{entry.revision[:12]})"


def test_a_cut_connection_is_resumed_where_it_broke(hub, zoo):
    files = weights(CHUNK + 300_000)
    entry = index_entry(hub.publish(REPO, files), files)
    hub.cuts["model.safetensors"] = [CHUNK + 100_000]

    pulled = zoo.pull(entry, hub.url)

    assert read(pulled)["model.safetensors"] == files["model.safetensors"]
    whole, rest = hub.fetched("model.safetensors")
    assert whole.range == ""
    assert rest.range == f"bytes={CHUNK}-"


def test_files_that_came_whole_before_the_hub_went_down_are_not_fetched_again(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    hub.sends["model.safetensors"] = files["model.safetensors"][:100]
    with pytest.raises(HubError):
        zoo.pull(entry, hub.url)
    hub.sends.clear()
    hub.requests.clear()

    pulled = zoo.pull(entry, hub.url)

    assert read(pulled)["model.safetensors"] == files["model.safetensors"]
    assert not hub.fetched("config.json")
    assert len(hub.fetched("model.safetensors")) == 1


def test_a_truncated_file_is_refused_and_not_kept(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files)
    hub.sends["model.safetensors"] = files["model.safetensors"][:-1]

    with pytest.raises(HubError, match=r"cannot be fetched from .*should be of size 5000"):
        zoo.pull(index_entry(commit, files), hub.url)

    assert not (zoo.snapshot(commit) / "model.safetensors").exists()
    assert not list(zoo.repo_folder.glob("blobs/*.incomplete"))


def test_a_corrupt_file_is_refused_and_the_next_pull_gets_it_right(hub, zoo):
    files = weights()
    commit = hub.publish(REPO, files)
    hub.sends["model.safetensors"] = bytes(5000)
    message = f"^model.safetensors of {REPO}@{commit[:12]} does not have the sha256 it should have"

    with pytest.raises(WeightsError, match=message):
        zoo.pull(index_entry(commit, files), hub.url)
    hub.sends.clear()

    assert read(zoo.pull(index_entry(commit, files), hub.url)) == files


def test_a_hub_that_agrees_with_itself_but_not_with_the_index_is_refused(hub, zoo):
    commit = hub.publish(REPO, weights(seed=1))

    with pytest.raises(WeightsError, match=r"config.json of .* does not have the sha256"):
        zoo.pull(index_entry(commit, weights(seed=2)), hub.url)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md"])
def test_a_file_that_rotted_in_the_cache_is_removed_and_fetched_again(hub, zoo, name):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    pulled = zoo.pull(entry, hub.url)
    blob = (pulled.folder / name).resolve()
    blob.write_bytes(b"X" + blob.read_bytes()[1:])

    with pytest.raises(WeightsError, match="removed from the cache; pull the model again"):
        zoo.pull(entry, hub.url)

    assert not blob.exists()
    restored = zoo.pull(entry, hub.url)
    assert {n: c for n, c in read(restored).items() if n != "README.md"} == {
        n: c for n, c in files.items() if n != "README.md"
    }


def test_a_tag_is_resolved_on_the_hub_and_checked_with_the_hubs_own_hashes(hub, zoo):
    files = weights(seed=1)
    commit = hub.publish(REPO, files, tag="v1.0")
    hub.publish(REPO, weights(seed=2))

    pulled = zoo.pull(index_entry(None, files), hub.url, revision="v1.0")

    assert read(pulled) == files
    assert pulled.folder == zoo.snapshot(commit)


def test_a_corrupt_file_of_a_tag_is_refused(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    hub.sends["config.json"] = b'{"seed": 9}'

    with pytest.raises(WeightsError, match=r"config.json of .* does not have the sha256"):
        zoo.pull(index_entry(None, files), hub.url, revision="v1.0")


def test_a_tag_that_was_pulled_is_found_offline(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    entry = index_entry(None, files)
    zoo.pull(entry, hub.url, revision="v1.0")
    hub.requests.clear()

    assert read(zoo.pull(entry, hub.url, revision="v1.0", offline=True)) == files
    assert hub.requests == []


def test_a_tag_is_taken_as_it_was_last_seen_while_the_hub_is_away_and_that_is_said(hub, zoo):
    files = weights()
    hub.publish(REPO, files, tag="v1.0")
    entry = index_entry(None, files)
    zoo.pull(entry, hub.url, revision="v1.0")

    pulled = zoo.pull(entry, NOBODY, revision="v1.0")

    assert read(pulled) == files
    assert pulled.note.endswith("Using v1.0 as it was last seen.")


def test_a_tag_moves_on_when_the_hub_moves_it(hub, zoo):
    old, new = weights(seed=1), weights(seed=2)
    entry = index_entry(None, old)
    hub.publish(REPO, old, tag="latest")
    zoo.pull(entry, hub.url, revision="latest")
    hub.publish(REPO, new, tag="latest")

    assert read(zoo.pull(entry, hub.url, revision="latest")) == new


def test_the_pinned_commit_spelled_out_is_the_pinned_one(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    hub.sends["model.safetensors"] = bytes(5000)

    with pytest.raises(WeightsError):
        zoo.pull(entry, hub.url, revision=entry.revision)


def test_a_missing_repository_is_said_to_be_missing(hub, zoo):
    files = weights()

    with pytest.raises(HubError, match=f"^the Hub has no repository {REPO}; if it is a private"):
        zoo.pull(index_entry("a" * 40, files), hub.url)


@pytest.mark.parametrize("revision", ["v9", "a" * 40])
def test_a_missing_revision_is_said_to_be_missing(hub, zoo, revision):
    files = weights()
    hub.publish(REPO, files)

    with pytest.raises(HubError, match=f"^the Hub has no revision {revision} of {REPO}; leave out"):
        zoo.pull(index_entry(None, files), hub.url, revision=revision)


def test_a_repository_without_weights_is_refused_before_anything_is_fetched(hub, zoo):
    hub.publish(REPO, {"pytorch_model.bin": b"pickle", "config.json": b"{}"}, tag="v1.0")

    with pytest.raises(HubError, match=r"has no model.safetensors; it does not hold weights"):
        zoo.pull(index_entry(None, weights()), hub.url, revision="v1.0")

    assert not [r for r in hub.requests if "/resolve/" in r.path]


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil"])
def test_a_listed_path_that_leaves_the_folder_is_refused_before_anything_is_fetched(hub, zoo, path):
    files = weights()
    commit = hub.publish(REPO, files | {path: b"evil"})

    with pytest.raises(HubError, match="a path that leaves its folder; nothing was fetched"):
        zoo.pull(index_entry(commit, files), hub.url)

    assert not [r for r in hub.requests if "/resolve/" in r.path]
    assert not list(zoo.folder.rglob("evil"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "README.md"])
def test_a_snapshot_entry_that_links_out_of_the_cache_is_refused_and_left_alone(hub, zoo, name):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)
    pulled = zoo.pull(entry, hub.url)
    outside = zoo.folder / "precious"
    outside.write_bytes(b"precious")
    (pulled.folder / name).unlink()
    (pulled.folder / name).symlink_to(outside)

    with pytest.raises(HubError, match=r"leads out of the cache to .*precious; delete it"):
        zoo.pull(entry, hub.url)

    assert outside.read_bytes() == b"precious"


def test_a_revision_that_is_a_path_reads_no_other_file(zoo):
    (zoo.folder / "secret").write_text("a" * 40)

    with pytest.raises(HubError, match="is not in the cache"):
        zoo.pull(index_entry(None, weights()), revision="../../../secret", offline=True)


def test_offline_without_a_copy_says_what_to_do(hub, zoo):
    files = weights()
    entry = index_entry(hub.publish(REPO, files), files)

    with pytest.raises(HubError, match="not in the cache"):
        zoo.pull(entry, hub.url, offline=True)

    assert hub.requests == []


def test_offline_by_environment_is_offline(hub, zoo, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    files = weights()

    with pytest.raises(HubError, match="not in the cache"):
        zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)

    assert hub.requests == []


def test_bundled_weights_are_the_default_while_nothing_is_published(hub, zoo):
    zoo.bundled = weights()

    pulled = zoo.pull(index_entry(None, zoo.bundled, version="1.0"), hub.url)

    assert read(pulled) == zoo.bundled
    assert (pulled.source, pulled.note) == ("bundled with zoo-cc 1.0", "")
    assert hub.requests == []


def test_bundled_weights_serve_where_the_hub_pins_the_same(hub, zoo):
    zoo.bundled = weights()
    entry = index_entry(hub.publish(REPO, zoo.bundled), zoo.bundled, version="1.0")

    assert zoo.pull(entry, hub.url).source == "bundled with zoo-cc 1.0"
    assert hub.requests == []


def test_what_the_hub_pins_wins_over_an_older_plugins_weights(hub, zoo):
    zoo.bundled, newer = weights(seed=1), weights(seed=2)
    entry = index_entry(hub.publish(REPO, newer), newer, version="1.1")

    assert read(zoo.pull(entry, hub.url)) == newer


def test_a_newer_plugins_weights_win_over_what_the_index_pins(hub, zoo):
    zoo.bundled, older = weights(seed=2), weights(seed=1)
    zoo.version = "1.10"

    pulled = zoo.pull(index_entry(hub.publish(REPO, older), older, version="1.9"), hub.url)

    assert read(pulled) == zoo.bundled
    assert hub.requests == []


@pytest.mark.parametrize("trouble", ["nobody listens", "no repository", "503", "offline"])
def test_bundled_weights_serve_where_the_newer_cannot_be_had_and_that_is_said(hub, zoo, trouble):
    zoo.bundled, newer = weights(seed=1), weights(seed=2)
    entry = index_entry("a" * 40, newer, version="1.1")
    hub.is_down = trouble == "503"

    pulled = zoo.pull(
        entry, NOBODY if trouble == "nobody listens" else hub.url, offline=trouble == "offline"
    )

    assert read(pulled) == zoo.bundled
    assert pulled.source == "bundled with zoo-cc 1.0"
    assert pulled.note.endswith("Using the weights bundled with zoo-cc 1.0 instead.")


def test_an_unreachable_hub_is_named_where_there_is_nothing_else(zoo):
    with pytest.raises(HubError, match=f"cannot be fetched from {NOBODY} .*refused"):
        zoo.pull(index_entry("a" * 40, weights()))


def test_a_damaged_wheel_is_refused(zoo):
    entry = index_entry(None, weights(seed=1), version="1.0")
    zoo.bundled = weights(seed=2)

    with pytest.raises(WeightsError, match="pip install --force-reinstall --no-deps zoo-cc"):
        zoo.pull(entry)


def test_a_plugin_that_no_index_knows_uses_its_own_weights(zoo):
    zoo.bundled = weights()

    assert read(zoo.pull(None)) == zoo.bundled


def test_a_revision_of_a_model_without_repository_is_refused(zoo):
    zoo.bundled = weights()

    with pytest.raises(HubError, match=r"cc.ild has no repository on the Hub; leave out '@v1'"):
        zoo.pull(None, revision="v1")


def test_half_a_copy_in_the_wheel_is_none(zoo):
    zoo.bundled = {"config.json": b"{}"}

    with pytest.raises(HubError, match=r"cc.ild has no weights: zoo-cc 1.0 holds none"):
        zoo.pull(None)


def test_a_cache_that_cannot_be_written_is_named(hub, zoo):
    files = weights()
    zoo.cache.write_text("a file where the folder should be")

    with pytest.raises(HubError, match=r"cache cannot be written \(.*\); set HF_HOME"):
        zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)


def test_copies_are_checked_and_whole(hub, zoo, tmp_path):
    files = weights()
    pulled = zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)

    copied = pulled.copy_to(tmp_path / "out" / "here")
    again = pulled.copy_to(tmp_path / "out" / "here")

    assert read(copied) == read(again) == files
    assert sorted(p.name for p in copied.folder.iterdir()) == sorted(files)
    assert not any(path.is_symlink() for path in copied.folder.iterdir())


def test_a_copy_does_not_replace_another_file(hub, zoo, tmp_path):
    files = weights()
    pulled = zoo.pull(index_entry(hub.publish(REPO, files), files), hub.url)
    (tmp_path / "config.json").write_text("mine")

    with pytest.raises(OutputExistsError, match="is another file; choose another --dir"):
        pulled.copy_to(tmp_path)

    assert (tmp_path / "config.json").read_text() == "mine"
    assert not (tmp_path / "model.safetensors").exists()


MODULE = """
    from calozoo_core.generator import Conditions, ModelSpec
    from calozoo_core.hookspecs import hookimpl

    @hookimpl
    def register_models(register):
        register(ModelSpec(
            name="cc.ild", summary="A test.", factory="zoo_plugin:Nothing", representation="x9",
            detector="ild_siecal_regular", conditions=Conditions(energy_gev=(1, 10)),
            weights="calozoo_core:nothing", license="MIT",
        ))
"""


@pytest.fixture
def environ(site, tmp_path) -> dict[str, str]:
    """A plugin without weights of its own, and a place for its index entry."""
    site.install("zoo-cc", "1.0", "zoo_plugin", MODULE)
    (tmp_path / "index").mkdir()
    return {"PYTHONPATH": str(site.folder), "CALOZOO_INDEX": str(tmp_path / "index")}


def write_entry(environ: dict[str, str], entry: IndexEntry) -> None:
    fields = entry.model_dump(exclude_none=True, exclude={"sha256"})
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    lines += ["[sha256]", *(f'"{name}" = "{value}"' for name, value in entry.sha256.items())]
    Path(environ["CALOZOO_INDEX"], "cc.toml").write_text("\n".join(lines))


def test_the_command_pulls_and_says_where_from(hub, calozoo, environ):
    files = weights()
    commit = hub.publish(REPO, files)
    write_entry(environ, index_entry(commit, files))

    first = calozoo("pull", "cc", HF_ENDPOINT=hub.url, **environ)
    second = calozoo("pull", "cc.ild", "--offline", "--json", HF_ENDPOINT=hub.url, **environ)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"cc.ild  from the Hub ({REPO}@{commit[:12]})\n")
    report = json.loads(second.stdout)
    assert report["source"] == f"in the Hugging Face cache ({REPO}@{commit[:12]})"
    assert {f["name"]: f["size"] for f in report["files"]} == {
        name: len(content) for name, content in files.items()
    }
    assert Path(report["folder"], "config.json").read_bytes() == files["config.json"]


def test_the_command_copies_to_a_folder(hub, calozoo, environ, tmp_path):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))

    done = calozoo("pull", "cc", "--dir", "weights", HF_ENDPOINT=hub.url, **environ)

    assert done.returncode == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "weights").iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cc@v9"], f"the Hub has no revision v9 of {REPO}; leave out @v9."),
        (["cc", "--offline"], "cc.ild of the Hub is not in the cache, and this is offline."),
        (["cc@"], "'cc@' names no revision; write 'cc' or 'cc@REVISION'."),
        (["ccc"], "no model is called 'ccc'. Did you mean cc? `calozoo list` shows all."),
    ],
)
def test_the_command_fails_with_one_sentence(hub, calozoo, environ, arguments, sentence):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))

    failed = calozoo("pull", *arguments, HF_ENDPOINT=hub.url, **environ)

    assert failed.returncode in (1, 2)
    assert (failed.stdout, failed.stderr) == ("", f"calozoo: {sentence}\n")


def test_the_command_refuses_a_corrupt_file_with_one_sentence(hub, calozoo, environ):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))
    hub.sends["model.safetensors"] = bytes(5000)

    failed = calozoo("pull", "cc", HF_ENDPOINT=hub.url, **environ)

    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert "does not have the sha256 it should have" in failed.stderr


def test_a_terminal_shows_a_bar(hub, environ, tmp_path):
    files = weights()
    write_entry(environ, index_entry(hub.publish(REPO, files), files))
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))

    subprocess.run(
        [sys.executable, "-m", "calozoo", "pull", "cc"],
        env={**clean_environment(tmp_path), **environ, "HF_ENDPOINT": hub.url},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )

    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert "Download" in shown
    assert shown.endswith("\r")


def test_a_hub_is_empty_when_it_starts():
    with Hub() as hub:
        assert hub.requests == []
