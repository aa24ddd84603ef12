"""Plug-in packages: those of the documentation's pages, built and installed, and any other."""

import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from tests.e2e.conftest import endpoint, endpoints
from tests.e2e.program import REPOSITORY, Program

__all__ = ["endpoint", "endpoints"]

PAGES = [page for page in (REPOSITORY / "docs" / "extending").glob("*.md") if page.name != "index.md"]
_FILE = re.compile(r"`(?P<name>[\w.]+)`:\n\n```\w+\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all packages of the documentation installed, built as a reader would."""
    site = tmp_path_factory.mktemp("site")
    for page in PAGES:
        source = tmp_path_factory.mktemp(page.stem)
        for file in _FILE.finditer(page.read_text()):
            (source / file["name"]).write_text(file["content"])
        with chdir(source):
            wheel = build_wheel(str(source))
        with zipfile.ZipFile(source / wheel) as archive:
            archive.extractall(site)
    return site


@pytest.fixture
def extended(tmp_path: Path, documented: Path) -> Program:
    """The program with all the documented packages."""
    folder = tmp_path / "home"
    folder.mkdir()
    return Program(folder, {"PYTHONPATH": str(documented)})


class Site:
    """A folder on Python's path into which packages can be installed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, name: str, entry_points: str, modules: Mapping[str, str], version: str = "1.0") -> Path:
        """Install a package as pip does: its modules, and its metadata. Returns the folder of the latter."""
        metadata = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(entry_points)
        for module, code in modules.items():
            (self.path / f"{module}.py").write_text(code)
        return metadata


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A `Site` on this process's path; its modules are unloaded afterwards."""
    before = set(sys.modules)
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    yield Site(path)
    for name in set(sys.modules) - before:
        if (file := getattr(sys.modules[name], "__file__", None)) and file.startswith(str(tmp_path) + os.sep):
            del sys.modules[name]
