"""Links between the files of the repository, which are read on the web and in the built site."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from tests.e2e.program import REPOSITORY

PAGES = [
    *(REPOSITORY / "docs").rglob("*.md"),
    *REPOSITORY.glob("*.md"),
    *(REPOSITORY / "benchmarks").glob("*.md"),
    *(REPOSITORY / "tests").glob("*/*.md"),
]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
MADE_AT_BUILD = {"docs/reference/cli.md", "docs/reference/python-api.md"}


def links(page: Path) -> list[str]:
    text = re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    return [first or second for first, second in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings_that_exist() -> None:
    for page, link in ((one, link) for one in PAGES for link in links(one)):
        path, _, anchor = unquote(link).partition("#")
        if re.match(r"\w+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if str(target.relative_to(REPOSITORY)) in MADE_AT_BUILD:
            continue
        assert target.exists(), (page, link)
        assert not anchor or anchor in anchors(target), (page, link)


def test_pages_that_the_code_names_exist() -> None:
    named = set()
    for folder in ("llmbatch", "tests", "benchmarks", "tools"):
        for file in (REPOSITORY / folder).rglob("*.py"):
            named |= set(re.findall(r"(?<![\w/])docs/[\w/-]+\.md", file.read_text()))
    assert len(named) > 5
    assert [name for name in sorted(named - MADE_AT_BUILD) if not (REPOSITORY / name).exists()] == []


def test_modules_that_a_page_names_exist() -> None:
    """`runs/ledger/index.py` exists below the repository, the package, or the page's own folder."""
    modules = {path.name for path in (REPOSITORY / "llmbatch").rglob("*.py")}
    for page in PAGES:
        if (
            page.name == "CHANGELOG.md" or page.parent.name == "extending"
        ):  # earlier modules; modules of example packages
            continue
        for name in re.findall(r"`([\w/]+\.py)(?:::?\w+)?`", page.read_text()):
            if name.removesuffix(".py") in sys.stdlib_module_names or name in modules:
                continue
            below = [REPOSITORY / name, REPOSITORY / "llmbatch" / name, page.parent / name]
            assert any(path.exists() for path in below), (page, name)
