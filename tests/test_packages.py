"""The packages of the program form a building: who may import whom goes one way, from the command line down to data."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import llmbatch

ROOT = Path(llmbatch.__file__).parent
FLOORS = (
    "core",
    "databases",
    "stats",
    "tokens",
    "observe",
    "task",
    "provider",
    "spend",
    "cache",
    "readers",
    "simulate",
    "engine",
    "runs",
    "estimate",
    "session",
    "analysis",
    "terminal",
    "report",
    "review",
    "telemetry",
    "cli",
    "api",
)
"""From the ground up: a package imports from those before it, and from itself."""
MOST_ARROWS = 120


@cache
def imports() -> tuple[tuple[str, str, str], ...]:
    """Each import of one package from another: the file, the package that it is in, and the one that it imports."""
    return tuple(_imports())


def _imports() -> Iterator[tuple[str, str, str]]:
    for file in ROOT.rglob("*.py"):
        room = file.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module if node.module != "llmbatch" else f"llmbatch.{a.name}" for a in node.names]
            for name in names:
                root, _, rest = name.partition(".")
                if root == "llmbatch" and rest and (other := rest.partition(".")[0]) != room:
                    yield str(file.relative_to(ROOT)), room, other


def test_every_package_has_a_layer() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    assert packages == set(FLOORS)


def test_imports_only_go_to_lower_layers() -> None:
    upwards = [
        f"{file} imports {other}"
        for file, room, other in imports()
        if room in FLOORS and other in FLOORS and FLOORS.index(other) > FLOORS.index(room)
    ]
    assert upwards == []


def test_the_import_graph_stays_simple() -> None:
    arrows = {(room, other) for _, room, other in imports() if room in FLOORS and other in FLOORS}
    assert len(arrows) < MOST_ARROWS


def test_no_file_is_too_long() -> None:
    long = {str(file.relative_to(ROOT)): n for file in ROOT.rglob("*.py") if (n := file.read_text().count("\n")) > 400}
    assert long == {}
