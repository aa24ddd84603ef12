"""The documentation builds into a site without dead links, and its references are generated from the program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmbatch
from llmbatch.cli.commands import SUMMARIES, load
from tests.e2e.program import REPOSITORY
from tools.docs_site.pages import title


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "tools.docs_site", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_site_and_is_linked_from_the_navigation(built: Path) -> None:
    home = (built / "site" / "index.html").read_text()
    for page in (built / "docs").rglob("*.md"):
        name = page.relative_to(built / "docs").with_suffix(".html")
        assert (built / "site" / name).is_file()
        assert f'/{name}"' in home or name == Path("index.html")


def test_the_command_reference_has_every_command_and_option(built: Path) -> None:
    page = (built / "docs" / "reference" / "cli.md").read_text()
    for name in SUMMARIES:
        command = load(name)
        subcommands = getattr(command, "commands", {})
        for path, one in {name: command, **{f"{name} {below}": it for below, it in subcommands.items()}}.items():
            section = re.split(rf"^#+ llmbatch {path}$", page, flags=re.MULTILINE)[1]
            shown = [parameter for parameter in one.params if not getattr(parameter, "hidden", False)]
            options = [option for parameter in shown for option in parameter.opts if option.startswith("-")]
            assert [option for option in options if option not in section] == []


def test_the_python_reference_has_every_public_name(built: Path) -> None:
    page = (built / "docs" / "reference" / "python-api.md").read_text()
    headings = set(re.findall(r"^#+ ([\w.]+)$", page, flags=re.MULTILINE))
    assert set(llmbatch.__all__) - {"__version__", "errors"} <= headings
    assert set(llmbatch.errors.__all__) <= headings


def test_every_page_has_one_title() -> None:
    for page in (REPOSITORY / "docs").rglob("*.md"):
        assert title(page), page
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        assert len(re.findall(r"^# ", prose, flags=re.MULTILINE)) == 1, page
