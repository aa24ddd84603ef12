"""The site's pages: a copy of `docs/` in which every link leads to a page of the site or to the web."""

import re
import shutil
from pathlib import Path

from hatch_build import repository_address

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>(?!\w+:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
SECTIONS = {
    "how-to": "How to",
    "reference": "Reference",
    "explanation": "Explanation",
    "extending": "Extending",
    "decisions": "Decisions",
}
"""The folders of `docs/` in the order of the navigation."""


def copy_pages(to: Path) -> None:
    """Copy the pages. A link out of `docs/` leads to the repository, or is plain text where that is not on the web."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(ROOT / "docs", to)
    repository = repository_address(ROOT)
    for page in to.rglob("*.md"):
        source = ROOT / "docs" / page.relative_to(to)
        page.write_text(_rewritten(source, repository), encoding="utf-8")


def _rewritten(page: Path, repository: str | None) -> str:
    def rewritten(link: re.Match[str]) -> str:
        target = (page.parent / link["path"]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return _to_page(link, target)
        if repository is None:
            return link["text"]
        return f"[{link['text']}]({repository}/blob/HEAD/{target.relative_to(ROOT)}{link['anchor'] or ''})"

    return _LINK.sub(rewritten, page.read_text(encoding="utf-8"))


def _to_page(link: re.Match[str], target: Path) -> str:
    """A folder's page is its index."""
    path = f"{link['path'].rstrip('/')}/index.md" if target.is_dir() else link["path"]
    return f"[{link['text']}]({path}{link['anchor'] or ''})"


def decisions_index(folder: Path) -> str:
    """A page that lists the decisions by their titles."""
    pages = sorted(folder.glob("[0-9]*.md"))
    return "# Decisions\n\n" + "".join(f"- [{title(page)}]({page.name})\n" for page in pages)


def navigation(docs: Path) -> list[str | dict[str, object]]:
    """Every page, by the sections of the docs; pages of a section by their titles, decisions by number."""
    pages: list[str | dict[str, object]] = [name for name in ("index.md", "tutorial.md") if (docs / name).exists()]
    for folder, name in SECTIONS.items():
        found = sorted(
            (docs / folder).glob("*.md"), key=lambda page: page.name if folder == "decisions" else title(page)
        )
        found.sort(key=lambda page: page.name != "index.md")
        if found:
            pages.append({name: [{title(page): str(page.relative_to(docs))} for page in found]})
    return pages


def title(page: Path) -> str:
    """The text of a page's first heading."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
