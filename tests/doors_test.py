"""The house: folders are entered by their door, imports run down, and nothing goes in circles.

    python tests/doors_test.py    # shows how the package stands
"""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "estimator_slim"

# A module imports what stands in its own line or below it.
ORDER = """
__main__
cli
(the package's own __init__)
beam
fleet
tfx
exporter
twins
optimize
recording
record_files
events
attempts
estimating
work
ladder
choosing
options
_option_flags
_option_checks
presets
verify
transforms
training
freezing
saved_model
checkpoint
quantization
graph
report
serving_api
free_memory
usage
log
progress
libraries
layout
whereabouts
paths
version
errors
""".strip().replace("(the package's own __init__)", "").split("\n")

Edge = tuple[str, str]


def modules(package: Path) -> dict[str, Path]:
    """Dotted name → file; a door goes by its folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        place = path.parent if path.name == "__init__.py" else path.with_suffix("")
        found[".".join(place.relative_to(package.parent).parts)] = path
    return found


def imports(package: Path) -> list[Edge]:
    """(importer, imported) within the package, those in functions and for type checkers too."""
    known = modules(package)
    found = {(name, module) for name, path in known.items()
             for module in _imported(path, known) if module.split(".")[0] == package.name}
    return sorted(found)


def _imported(path: Path, known: dict[str, Path]) -> set[str]:
    """The module that each import of a file names, or has the name that it names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are written out, without dots"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
    return found


def past_a_door(edges: list[Edge]) -> list[Edge]:
    """The imports of what lies inside a folder in which the importer does not lie."""
    return [(importer, module) for importer, module in edges
            if "." in module and not f"{importer}.".startswith(f"{module.rpartition('.')[0]}.")]


def running_up(edges: list[Edge]) -> list[Edge]:
    """The imports of what stands above the importer."""
    place = {name: number for number, name in enumerate(ORDER)}
    return [(importer, module) for importer, module in edges
            if place[_room(importer)] > place[_room(module)]]


def _room(module: str) -> str:
    return (module.split(".") + [""])[1]


def circles(edges: list[Edge]) -> list[Edge]:
    """The imports that go in circles or lead from one to another.

    Takes away, again and again, those of a module that nobody imports or that imports nothing.
    """
    while True:
        importers, imported = {a for a, _ in edges}, {b for _, b in edges}
        left = [(a, b) for a, b in edges if a in imported and b in importers]
        if left == edges:
            return left
        edges = left


@pytest.fixture(scope="module")
def edges() -> list[Edge]:
    return imports(PACKAGE)


def test_folders_are_entered_by_their_door(edges: list) -> None:
    assert past_a_door(edges) == []


def test_imports_run_down(edges: list) -> None:
    assert running_up(edges) == []


def test_no_import_comes_back_to_its_module(edges: list) -> None:
    assert circles(edges) == []


def test_every_room_of_the_house_stands_in_its_order_once() -> None:
    assert sorted(ORDER) == sorted({_room(module) for module in modules(PACKAGE)})


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package in which `optimize` is above `graph`, a folder with a folder."""
    package = tmp_path / "house"
    (package / "graph/inner").mkdir(parents=True)
    for name in ("__init__", "optimize", "graph/__init__", "graph/nodes", "graph/inner/__init__",
                 "graph/inner/deep"):
        (package / f"{name}.py").touch()
    return package


@pytest.mark.parametrize("module, line, wrong", [
    ("optimize", "from house.graph import nodes", past_a_door),
    ("optimize", "from house.graph.nodes import Graph", past_a_door),
    ("optimize", "import house.graph.inner", past_a_door),
    ("graph/nodes", "from house.graph.inner.deep import Graph", past_a_door),
    ("graph/nodes", "def f():\n    import house.optimize", running_up),
    ("graph/nodes", "from house import optimize", running_up),
    ("graph/nodes", "from house.graph.nodes import Graph", circles),
    ("graph/inner/deep", "if TYPE_CHECKING:\n    from house.graph.inner import Graph", circles),
], ids=lambda value: getattr(value, "__name__", str(value)))
def test_what_is_wrong_is_found(house: Path, module: str, line: str, wrong: object) -> None:
    (house / "graph/inner/__init__.py").write_text("from house.graph.inner.deep import f\n")
    (house / f"{module}.py").write_text(line)
    found = [check for check in (past_a_door, running_up, circles) if check(imports(house))]
    assert found == [wrong]


@pytest.mark.parametrize("module, line", [
    ("optimize", "from house.graph import Graph"),
    ("optimize", "import house.graph as graph"),
    ("graph/__init__", "from house.graph.nodes import Graph"),
    ("graph/nodes", "from house.graph.inner import Graph"),
    ("graph/inner/deep", "from house.graph.nodes import Graph"),
    ("graph/inner/deep", "from os.path import join"),
], ids=str)
def test_what_is_right_is_let_through(house: Path, module: str, line: str) -> None:
    (house / f"{module}.py").write_text(line)
    assert not [check for check in (past_a_door, running_up, circles) if check(imports(house))]


def show() -> None:
    """Prints how the package stands."""
    files, edges = modules(PACKAGE), imports(PACKAGE)
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in files.items()}
    largest = max(lines, key=lambda name: lines[name])
    importers = Counter(module for _, module in edges)
    print(f"{len(files)} files, median {statistics.median(lines.values()):.0f} lines, "
          f"largest {lines[largest]} ({largest})")
    for what, found in {
            "modules with one importer": [edge for edge in edges if importers[edge[1]] == 1],
            "imports past a door": past_a_door(edges),
            "imports that run up": running_up(edges),
            "imports in circles": circles(edges)}.items():
        print(f"{len(found)} {what}")
        for importer, module in found:
            print(f"  {module} by {importer}")


if __name__ == "__main__":
    show()
