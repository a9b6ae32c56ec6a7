"""What the tests of the whole share: a Hub, installed distributions, the command line."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest
from browser_visitor import Visitor, chromium
from cache_shelf import Shelf, write_entry
from distributions import PROJECTS, Built
from filelock import FileLock
from hub_server import WRITER, Hub
from warm_interpreter import Interpreter, warm_interpreter
from zoo_models import TRAINED_REPO, Zoo, trained

from calozoo.hub import HubRepo
from calozoo.publishing.publish import Publication, open_repository, prepare

# No test reaches the real Hub by accident. huggingface_hub reads these once, when it is imported;
# its Xet protocol needs servers of its own.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["HF_HUB_DISABLE_XET"] = "1"


def pytest_collection_finish() -> None:
    """Hide collected tests and imported modules, which stay, from the garbage collector."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Site:
    """A folder of installed distributions, as pip leaves them behind.

    Arguments:
        folder: On the import path of this process, and of those that `calozoo` starts.
    """

    folder: Path

    def install(self, distribution: str, version: str, module: str, source: str) -> None:
        """Install a distribution with one module, which is its plugin."""
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        stem = distribution.replace("-", "_")
        about = self.folder / f"{stem}-{version}.dist-info"
        about.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (about / "METADATA").write_text(metadata, encoding="utf-8")
        entry = f"[calozoo]\n{module} = {module}\n"
        (about / "entry_points.txt").write_text(entry, encoding="utf-8")

    def entry_points(self) -> list[EntryPoint]:
        """The plugins of the distributions in this folder, and of no others."""
        found = distributions(path=[str(self.folder)])
        entries = [entry for one in found for entry in one.entry_points.select(group="calozoo")]
        return sorted(entries, key=lambda entry: entry.name)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Built]:
    """Every distribution of this repository, built once for all processes of a run, by its name."""
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "dist"
    with FileLock(f"{out}.lock"):
        if not out.exists():
            part = tmp_path_factory.mktemp("dist-part")
            for project in PROJECTS:
                Built.make(project, part)
            part.rename(out)
    return {project.name: Built.find(project, out) for project in PROJECTS}


@pytest.fixture(scope="session")
def visitor() -> Iterator[Visitor]:
    """Somebody who opens pages in a browser, started once."""
    with chromium() as somebody:
        yield somebody


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder on the import path; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield Site(folder)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty Hub on loopback."""
    import huggingface_hub

    with Hub() as running:
        yield running
        # The client's connections end before the server does.
        huggingface_hub.close_session()


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An index of one model, in the folder that is returned."""
    from calozoo.models import index

    folder = tmp_path / "index"
    folder.mkdir()
    write_entry(folder, None, {})
    monkeypatch.setenv("CALOZOO_INDEX", str(folder))
    index.forget()
    yield folder
    monkeypatch.undo()
    index.forget()


@pytest.fixture
def shelf(tmp_path: Path, hub: Hub, known: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A cache that is filled from a Hub, with an index that knows its model."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "huggingface" / "hub"))
    return Shelf(tmp_path, hub)


@pytest.fixture
def zoo(tmp_path: Path, site: Site) -> Zoo:
    """A model whose weights may be in its wheel, in the cache and on the Hub."""
    return Zoo(tmp_path)


@pytest.fixture
def run1(tmp_path: Path) -> Path:
    """A folder as a training leaves it."""
    return trained(tmp_path / "run1")


@pytest.fixture(scope="session")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publication]:
    """Such a folder, checked once for all tests that only send it."""
    folder = trained(tmp_path_factory.mktemp("trained") / "run1")
    with prepare(folder, TRAINED_REPO) as checked:
        yield checked


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Sets the token of the Hub; without one there is none in any file either."""
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))

    def set_token(token: str) -> None:
        monkeypatch.setenv("HF_TOKEN", token)

    set_token("")
    return set_token


@pytest.fixture
def target(hub: Hub, log_in: Callable[[str], None]) -> HubRepo:
    """Where to publish, with a token for it."""
    log_in(WRITER)
    return open_repository(TRAINED_REPO, hub.url)


@pytest.fixture(scope="session")
def interpreter() -> Iterator[Interpreter]:
    """Python for many short programs."""
    with warm_interpreter() as warm:
        yield warm


@pytest.fixture
def calozoo(
    interpreter: Interpreter, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own, with a cache of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = clean_environment(tmp_path) | variables
        return interpreter.run(["-m", "calozoo", *arguments], cwd=tmp_path, env=env, timeout=120)

    return run


@pytest.fixture
def typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs the command line in this process: its exit code, its data and its talk."""
    from calozoo.cli import main
    from calozoo.models import discovery

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        discovery.forget()
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        return (code, *capsys.readouterr())

    yield run
    discovery.forget()


def clean_environment(folder: Path) -> Mapping[str, str]:
    """This process's environment, less what would make the outcome depend on whose it is."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CALOZOO_", "HF_"))}
    return ours | {
        "HF_HOME": str(folder / "huggingface"),
        "HF_ENDPOINT": os.environ["HF_ENDPOINT"],
        "HF_HUB_DISABLE_XET": "1",
    }
