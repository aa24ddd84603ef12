"""The packages of the program form layers: imports only go from the command line down to the data."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import llmbatch

ROOT = Path(llmbatch.__file__).parent
LAYERS = (
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
"""From the lowest up: a package imports only from those before it, and from itself."""
MOST_EDGES = 120


@cache
def imports() -> tuple[tuple[str, str, str], ...]:
    """Each import of one package from another: the file, the package that it is in, and the one that it imports."""
    return tuple(_imports())


def _imports() -> Iterator[tuple[str, str, str]]:
    for file in ROOT.rglob("*.py"):
        package = file.relative_to(ROOT).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [node.module if node.module != "llmbatch" else f"llmbatch.{a.name}" for a in node.names]
            for name in names:
                root, _, rest = name.partition(".")
                if root == "llmbatch" and rest and (other := rest.partition(".")[0]) != package:
                    yield str(file.relative_to(ROOT)), package, other


def test_every_package_has_a_layer() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    assert packages == set(LAYERS)


def test_imports_only_go_to_lower_layers() -> None:
    upwards = [
        f"{file} imports {other}"
        for file, package, other in imports()
        if package in LAYERS and other in LAYERS and LAYERS.index(other) > LAYERS.index(package)
    ]
    assert upwards == []


def test_the_import_graph_stays_simple() -> None:
    edges = {(package, other) for _, package, other in imports() if package in LAYERS and other in LAYERS}
    assert len(edges) < MOST_EDGES


def test_no_file_is_too_long() -> None:
    long = {str(file.relative_to(ROOT)): n for file in ROOT.rglob("*.py") if (n := file.read_text().count("\n")) > 400}
    assert long == {}
