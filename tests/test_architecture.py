"""Imports go one way, and each outside library has one room: docs/architecture.md, checked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "calozoo_core"
REGISTRY = ROOT / "registry" / "calozoo"
PLUGINS = sorted(
    package for package in ROOT.glob("plugins/*/calozoo_*") if (package / "__init__.py").is_file()
)

ROOMS = {
    "click": [REGISTRY / "cli"],
    "huggingface_hub": [REGISTRY / "hub"],
    "pluggy": [REGISTRY / "models" / "discovery.py", CORE / "hookspecs.py"],
    "packaging": [REGISTRY / "models" / "compatibility.py", REGISTRY / "doctor"],
    "filelock": [REGISTRY / "hub" / "cache.py"],
    "h5py": [CORE / "io"],
    "uproot": [CORE / "io" / "root.py"],
    "pyhepmc": [REGISTRY / "events" / "hepmc.py"],
    "pythia8mc": [REGISTRY / "physics" / "tau_sample.py"],
    "mplhep": [REGISTRY / "plotting"],
    "vl_convert": [REGISTRY / "plotting" / "html_page.py"],
    "onnxruntime": [REGISTRY / "export" / "onnx.py"],
    "sklearn": [CORE / "metrics" / "classifier.py"],
    "mlflow": [REGISTRY / "tracking" / "mlflow.py"],
    "distributed": [REGISTRY / "production" / "dask_executor.py"],
    "dask_jobqueue": [REGISTRY / "production" / "dask_executor.py"],
    "pytest": [CORE / "testing"],
}

FLOORS = [
    {"output_files"},
    {"generation"},
    {"hub", "tracking"},
    {"models"},
    {"api"},
    {"events"},
    {"reconstruction"},
    {"physics"},
    {"export", "production", "scaffold", "training", "training_record"},
    {"evaluation"},
    {"plotting"},
    {"benchmark"},
    {"cards"},
    {"publishing"},
    {"doctor"},
    {"cli"},
]
"""The rooms of the registry from the ground up; a room imports from its floor and those below."""


def import_graph(package: Path) -> dict[str, set[str]]:
    """The modules of a package, each with those it imports, anywhere in its code."""
    files = {module_name(path, package): path for path in package.rglob("*.py")}
    return {
        module: {name for name in imported_modules(path) if name in files and name != module}
        for module, path in files.items()
    }


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported_modules(path: Path) -> Iterator[str]:
    """Full names of the imported modules; `from a import b` yields `a.b` and, if need be, `a`."""
    for node in imports(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                inner = path_of(f"{node.module}.{alias.name}")
                yield f"{node.module}.{alias.name}" if inner else node.module


def path_of(module: str) -> Path | None:
    """The file of a module of this repository; None for any other name."""
    top, *inner = module.split(".")
    for package in (CORE, REGISTRY, *PLUGINS):
        if package.name == top:
            stem = package.joinpath(*inner)
            found = (stem.with_suffix(".py"), stem / "__init__.py")
            return next((path for path in found if path.is_file()), None)
    return None


@pytest.mark.parametrize("package", [CORE, REGISTRY, *PLUGINS], ids=lambda package: package.name)
def test_no_import_runs_in_a_circle_not_even_inside_functions(package):
    try:
        TopologicalSorter(import_graph(package)).prepare()
    except CycleError as error:
        pytest.fail(f"{' -> '.join(error.args[1])}")


def test_no_room_of_the_registry_imports_from_a_floor_above():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    climbs = set()
    for module, names in import_graph(REGISTRY).items():
        for name in names:
            lower, upper = (one.split(".")[1:2] for one in (module, name))
            if lower and upper and lower != ["__main__"] and floor[lower[0]] < floor[upper[0]]:
                climbs.add((lower[0], upper[0]))
    assert not climbs


@cache
def imports(path: Path, *, at_import: bool = False) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a file, or those that run when it is imported itself."""
    found: list[ast.Import | ast.ImportFrom] = []
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        lazy = isinstance(node, ast.FunctionDef) or (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        )
        if not (at_import and lazy) and not isinstance(node, ast.expr):
            nodes += ast.iter_child_nodes(node)
    return tuple(found)


def imported(path: Path, *, at_import: bool = False) -> set[str]:
    """Top-level names of the packages a file imports, or imports when it is imported itself."""
    names = set()
    for node in imports(path, at_import=at_import):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("calozoo")}


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.name)
def test_core_imports_only_itself(path):
    assert ours(imported(path)) <= {"calozoo_core"}


@pytest.mark.parametrize("package", PLUGINS, ids=lambda package: package.name)
def test_plugin_imports_only_core_and_itself(package):
    for path in package.rglob("*.py"):
        assert ours(imported(path)) <= {"calozoo_core", package.name}, path


@pytest.mark.parametrize("path", sorted(REGISTRY.rglob("*.py")), ids=lambda path: path.name)
def test_registry_names_no_plugin(path):
    assert ours(imported(path)) <= {"calozoo", "calozoo_core", "calozoo_cards"}


@pytest.mark.parametrize("library", ROOMS)
def test_library_is_imported_in_its_room_only(library):
    importers = [
        path
        for package in (CORE, REGISTRY)
        for path in package.rglob("*.py")
        if library in imported(path)
    ]
    assert importers, f"nothing imports {library}"
    for path in importers:
        assert any(path.is_relative_to(room) for room in ROOMS[library]), path


def test_hub_is_imported_inside_functions():
    eager = [
        p
        for p in (REGISTRY / "hub").glob("*.py")
        if "huggingface_hub" in imported(p, at_import=True)
    ]
    assert not eager


def test_torch_is_imported_inside_functions_but_by_networks_and_their_training():
    eager = [p for p in CORE.rglob("*.py") if "torch" in imported(p, at_import=True)]
    assert eager
    for path in eager:
        is_training = path.is_relative_to(CORE / "training")
        is_network = path.is_relative_to(CORE / "nn") and not path.name.startswith("numpy_")
        is_contract = path == CORE / "testing" / "trainers.py"
        assert is_training or is_network or is_contract, path
    assert not [p for p in REGISTRY.rglob("*.py") if "torch" in imported(p, at_import=True)]
