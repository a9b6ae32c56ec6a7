"""The workflows build every distribution, and no job may do more than it must."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributions import CORE, PROJECTS, ROOT

WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
JOBS = [
    (job, name, title) for name, flow in WORKFLOWS.items() for title, job in flow["jobs"].items()
]
STEPS = [step for job, _, _ in JOBS for step in job["steps"]]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+|[0-9a-f]{40})")


def triggers(flow: dict[Any, Any]) -> dict[str, Any]:
    """YAML reads a bare `on` as the truth value."""
    return flow[True]


def test_there_is_one_workflow_that_tests_one_that_releases_and_one_for_the_pages():
    assert set(WORKFLOWS) == {"ci", "docs", "release"}


@pytest.mark.parametrize(("job", "workflow", "title"), JOBS, ids=[f"{w}-{t}" for _, w, t in JOBS])
def test_a_job_may_read_the_code_or_prove_who_it_is_and_nothing_else(job, workflow, title):
    rights = job.get("permissions", WORKFLOWS[workflow]["permissions"])

    identity = {"id-token": "write"}
    publishing = {"release": identity, "docs": identity | {"pages": "write"}}
    assert rights in ({"contents": "read"}, publishing.get(workflow))
    if "id-token" in rights:
        assert title == "publish"
        assert job["environment"] == {"release": "release", "docs": "github-pages"}[workflow]
        assert not [step for step in job["steps"] if "run" in step or "checkout" in step["uses"]]
    assert job["timeout-minutes"] <= 60


def test_no_workflow_holds_a_secret():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert not re.search(r"secrets\b|password|api[-_]token|pull_request_target", text), path


@pytest.mark.parametrize(
    "step", [step for step in STEPS if "uses" in step], ids=lambda s: s["uses"]
)
def test_an_action_is_pinned_and_leaves_no_credentials_behind(step):
    assert PINNED.fullmatch(step["uses"])
    if step["uses"].startswith("actions/checkout@"):
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step], ids=lambda s: s["run"])
def test_nothing_from_outside_is_pasted_into_a_script(step):
    assert "${{" not in step["run"]


def test_every_python_that_the_classifiers_name_is_tested():
    tested = WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]

    for project in PROJECTS:
        classifiers = project.settings["project"]["classifiers"]
        named = [c.split(" :: ")[-1] for c in classifiers if "Python :: 3." in c]
        assert named == tested
        assert project.settings["project"]["requires-python"] == f">={tested[0]}"


def test_every_target_that_a_workflow_makes_exists():
    made = [step["run"].split() for step in STEPS if step.get("run", "").startswith("make ")]

    assert ["make", "lint", "typecheck", "test", "PYTHON=python"] in made
    rules = re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for words in made:
        assert {word for word in words[1:] if "=" not in word} <= set(rules)


@pytest.mark.parametrize("workflow", ["ci", "release"])
def test_every_distribution_is_built(workflow):
    runs = [step.get("run") for step in WORKFLOWS[workflow]["jobs"]["build"]["steps"]]
    assert "make build PYTHON=python" in runs

    told = subprocess.run(["make", "-n", "build"], cwd=ROOT, capture_output=True, text=True)
    (folders,) = re.findall(r"for project in (.*?);", told.stdout)

    assert set(folders.split()) == {
        project.folder.relative_to(ROOT).as_posix() for project in PROJECTS
    }


def test_the_release_publishes_what_was_built_and_attests_to_it():
    publish = WORKFLOWS["release"]["jobs"]["publish"]
    upload = publish["steps"][-1]

    assert publish["needs"] == ["build", "wheels"]
    assert upload["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert upload["with"] == {"attestations": True}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_tag_releases_the_distribution_it_names_and_no_other(project, built, tmp_path):
    patterns = triggers(WORKFLOWS["release"])["push"]["tags"]
    tag = f"{project.name}-v{project.version}"
    assert any(fnmatchcase(tag, pattern) for pattern in patterns)

    own = built[project.name]
    wheels = set() if project is CORE else {own.wheel.name}  # those of core are built elsewhere
    assert choose(tag, built, tmp_path) == {own.sdist.name} | wheels


@pytest.mark.parametrize("tag", ["calozoo-v99.0", "calozoo-none-v0.1.0", "calozoo-core-v0.1.0.1"])
def test_a_tag_that_is_no_version_of_anything_fails(tag, built, tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        choose(tag, built, tmp_path)


def choose(tag: str, built, folder: Path) -> set[str]:
    """What the step that keeps one distribution of all keeps."""
    (folder / "dist").mkdir()
    for file in (file for one in built.values() for file in (one.sdist, one.wheel)):
        (folder / "dist" / file.name).symlink_to(file)
    (step,) = [
        s for s in WORKFLOWS["release"]["jobs"]["build"]["steps"] if "TAG" in s.get("env", ())
    ]
    # As the host runs a script: it ends at the first command that fails.
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=folder, env={"TAG": tag}, check=True)
    return {path.name for path in (folder / "chosen").iterdir()}
