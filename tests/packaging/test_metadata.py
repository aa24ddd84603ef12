"""The metadata that a package index shows."""

import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

from tests.e2e.program import REPOSITORY

ADDRESS = "https://forge.example/team/llmbatch"


def metadata(tmp_path: Path, origin: str) -> Message:
    """The metadata of a wheel built from a source distribution of a clone of `origin`."""
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.decode().split("\0")):
        if not name.startswith(("tests/", "benchmarks/")) and (REPOSITORY / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPOSITORY / name).read_bytes())
    subprocess.run(["git", "init", "-q", source], check=True)
    subprocess.run(["git", "-C", source, "remote", "add", "origin", origin], check=True)
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist")]
    subprocess.run([*build, "-t", "sdist"], cwd=source, check=True, capture_output=True)
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", next((tmp_path / "dist").glob("*.tar.gz")), "-C", tmp_path / "unpacked"], check=True)
    subprocess.run(
        [*build, "-t", "wheel"], cwd=next((tmp_path / "unpacked").iterdir()), check=True, capture_output=True
    )
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
        return Parser().parsestr(wheel.read(name).decode())


def test_links_of_the_readme_are_absolute_and_urls_are_named(tmp_path: Path) -> None:
    found = metadata(tmp_path, "git@forge.example:team/llmbatch.git")
    urls = dict(value.split(", ") for value in found.get_all("Project-URL", []))
    assert urls["Repository"] == ADDRESS
    assert urls["Changelog"] == f"{ADDRESS}/blob/HEAD/CHANGELOG.md"
    readme = str(found.get_payload())
    assert f"]({ADDRESS}/blob/HEAD/docs/reference/formats.md)" in readme
    assert f"]({ADDRESS}/raw/HEAD/docs/images/classify.svg)" in readme
    assert "](docs/" not in readme
    assert "Programming Language :: Python :: 3.14" in found.get_all("Classifier", [])


def test_without_a_web_repository_no_address_is_invented(tmp_path: Path) -> None:
    found = metadata(tmp_path, "/srv/repositories/llmbatch")
    assert found.get_all("Project-URL", []) == []
    assert "](docs/" not in str(found.get_payload())
    assert "![" not in str(found.get_payload())
    assert "are in the ledger (formats)" in str(found.get_payload())
