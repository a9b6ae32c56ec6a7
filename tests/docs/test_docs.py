"""The documentation tells the truth: its commands run, its code runs, its hooks exist.

Of README.md and of each page in docs/, the blocks are taken in order, in a fresh folder:

- a `console` block is run line by line; a line of output shown below a command must come out of it,
  `...` standing for anything; a command fails only where `calozoo: ` and its message are shown;
- a `python` block is run as a program of its own;
- a block with title="NAME" is written to the file NAME;
- a block behind the comment `<!-- part of NAME -->` stands in the file NAME, to the letter;
- anything else is read by people only, as is a block behind the comment `<!-- not run -->`.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hub_server import WRITER
from warm_interpreter import Interpreter

from calozoo.cli import COMMANDS
from calozoo_core import hookspecs
from calozoo_core.generator import ModelSpec

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial-plugin.md"
PUBLISH = ROOT / "docs" / "publish.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?P<skip><!-- not run -->\n)?(?:<!-- part of (?P<whole>\S+) -->\n)?"
    r'```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
PROGRAMS = {"calozoo": ["-m", "calozoo"], "python": [], "pytest": ["-m", "pytest"]}


@dataclass
class Reader:
    """Somebody who types what a page says, in a folder of their own."""

    folder: Path
    site: Path
    interpreter: Interpreter
    path: list[Path] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def follow(self, page: Path) -> None:
        for block in BLOCK.finditer(page.read_text()):
            if block["skip"]:
                continue
            if block["whole"]:
                whole = (self.folder / block["whole"]).read_text()
                assert block["text"] in whole, f"{block['whole']} does not have\n{block['text']}"
            elif block["title"]:
                target = self.folder / block["title"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block["text"])
            elif block["kind"] == "console":
                self.type(block["text"])
            elif block["kind"] == "python":
                code, output = self.run(["-c", block["text"]])
                assert code == 0, f"{block['text']}\n{output}"

    def type(self, text: str) -> None:
        for prompt in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, *shown = prompt.strip().splitlines()
            code, output = self.command(shlex.split(command))
            fails = bool(shown) and shown[0].startswith("calozoo: ")
            assert code in ((1, 2) if fails else (0,)), f"{command} exits with {code}:\n{output}"
            lines = [" ".join(line.split()) for line in output.splitlines()]
            for line in filter(None, (" ".join(line.split()) for line in shown)):
                pattern = line.replace("[", "[[]").replace("...", "*")
                assert any(fnmatchcase(real, pattern) for real in lines), (
                    f"{command} does not print {line!r} but\n{output}"
                )

    def command(self, words: list[str]) -> tuple[int, str]:
        if words[:3] == ["pip", "install", "-e"]:
            return self.install(self.folder / words[3])
        if words[:2] == ["mkdir", "-p"]:
            for name in words[2:]:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            return 0, ""
        assert words[0] in PROGRAMS, f"{words[0]} is not run here; fence the block as bash."
        return self.run([*PROGRAMS[words[0]], *words[1:]])

    def install(self, project: Path) -> tuple[int, str]:
        """As an editable install does: metadata among the installed, code where it is written."""
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        result = self.run(["-m", "pip", "install", *options, "--target", self.site, str(project)])
        for package in self.site.iterdir():
            if package.suffix != ".dist-info":
                shutil.rmtree(package)
        self.path += [project, self.site]
        return result

    def run(self, arguments: list[str | Path]) -> tuple[int, str]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CALOZOO_")},
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "MPLBACKEND": "Agg",
            "HF_HUB_CACHE": str(self.site / "cache"),
            "HF_ENDPOINT": "http://127.0.0.1:9",  # nobody answers: a page needs no network
            **self.variables,
        }
        run = self.interpreter.run(
            list(map(str, arguments)), cwd=self.folder, env=environment, together=True
        )
        return run.returncode, run.stdout


@pytest.fixture
def reader(tmp_path, interpreter):
    folder, site = tmp_path / "work", tmp_path / "site"
    folder.mkdir()
    site.mkdir()
    return Reader(folder, site, interpreter)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in (TUTORIAL, PUBLISH)], ids=lambda page: page.name
)
def test_page_can_be_followed_to_the_letter(page, reader):
    reader.follow(page)
    assert not list(reader.folder.rglob("*.part"))


def test_tutorial_leads_from_an_empty_folder_to_a_model_on_the_hub(reader, hub):
    reader.variables = {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
    reader.follow(TUTORIAL)
    assert not list(reader.folder.rglob("*.part"))
    assert hub.repos["my-lab/drizzle"].tags.keys() == {"v0.1.0"}


def test_what_is_said_of_publishing_can_be_done_with_a_hub(reader, hub):
    reader.variables = {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
    reader.follow(PUBLISH)
    assert hub.repos["my-lab/photons"].tags.keys() == {"v1.0"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in {slug(title) for title in headings(file)}, f"{target}#{anchor}"


def test_every_hook_is_documented_with_its_arguments():
    titles = headings(ROOT / "docs" / "plugins.md")
    hooks = [f for f in vars(hookspecs).values() if hasattr(f, "calozoo_spec")]
    assert hooks
    for hook in hooks:
        arguments = ", ".join(inspect.signature(hook).parameters)
        assert f"{hook.__name__}({arguments})" in titles


def test_every_field_of_a_spec_is_documented():
    text = (ROOT / "docs" / "plugins.md").read_text()
    for name in ModelSpec.model_fields:
        assert f"| `{name}` |" in text, name


def test_every_command_is_mentioned():
    text = "\n".join(page.read_text() for page in PAGES)
    for command in COMMANDS:
        assert f"calozoo {command}" in text, command


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"]({page.name})" in index, page.name


@pytest.mark.parametrize("name", ["frame", "gaps"])
def test_drawing_can_be_made_again(tmp_path, name):
    picture = tmp_path / f"{name}.png"
    script = ROOT / "docs" / f"draw_{name}.py"
    subprocess.run([sys.executable, "-W", "error", str(script), str(picture)], check=True)
    assert picture.stat().st_size > 50_000
    assert (ROOT / "docs" / "images" / f"{name}.png").is_file()


# The runner above would be worth nothing if it let everything pass.


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```console\n$ calozoo no-such-command\n```\n", "exits with 2"),
        ("```console\n$ calozoo --version\ncalozoo 99\n```\n", "does not print"),
        ("```console\n$ calozoo --version\ncalozoo: it failed\n```\n", "exits with 0"),
        ("```console\n$ make demo\n```\n", "fence the block as bash"),
        (
            '```toml title="a.toml"\na = 1\n```\n<!-- part of a.toml -->\n```toml\na = 2\n```\n',
            "not have",
        ),
        ("```python\nraise SystemExit(3)\n```\n", "SystemExit"),
    ],
)
def test_page_that_lies_is_caught(text, complaint, reader, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=complaint):
        reader.follow(page)


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ +(.*?) *$", page.read_text(), flags=re.MULTILINE)


def slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
