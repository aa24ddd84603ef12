"""Build the documentation as a site, strictly: `python -m tools.docs_site [FOLDER]`."""

import re
import subprocess
import sys
from pathlib import Path

import orjson

from tools.docs_site.command_reference import command_reference
from tools.docs_site.pages import ROOT, copy_pages, decisions_index, navigation
from tools.docs_site.python_reference import python_reference

_FETCHED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^"'>]*|url\(["']?(?:https?:)?//"""
)
"""What a browser would fetch from another host."""


def build(folder: Path) -> None:
    """Write the pages to `folder/docs` and the site to `folder/site`.

    Raises:
        SystemExit: a link or an anchor leads nowhere, or a page would fetch something from another host.
    """
    docs, site = folder / "docs", folder / "site"
    copy_pages(docs)
    (docs / "reference" / "cli.md").write_text(command_reference(), encoding="utf-8")
    (docs / "reference" / "python-api.md").write_text(python_reference(), encoding="utf-8")
    (docs / "decisions" / "index.md").write_text(decisions_index(docs / "decisions"), encoding="utf-8")
    config = folder / "mkdocs.yml"
    config.write_bytes(orjson.dumps(_settings(docs)))  # JSON is YAML
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(config)]
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit("the site was not built: see above")
    if fetching := [str(page.relative_to(site)) for page in site.rglob("*.*ml") if _FETCHED.search(page.read_text())]:
        sys.exit(f"these pages would fetch something from another host: {', '.join(fetching)}")
    print(f"built {site}")


def _settings(docs: Path) -> dict[str, object]:
    return {
        "site_name": "llmbatch",
        "site_description": "Label documents with an LLM, in bulk and unattended.",
        "docs_dir": "docs",
        "site_dir": "site",
        "use_directory_urls": False,  # readable from a folder, without a server
        "theme": {"name": "material", "font": False, "features": ["navigation.sections", "content.code.copy"]},
        "markdown_extensions": [
            "admonition",
            "attr_list",
            "tables",
            {"toc": {"permalink": True}},
            "pymdownx.highlight",
            "pymdownx.superfences",
        ],
        "nav": navigation(docs),
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build"
    target.mkdir(parents=True, exist_ok=True)
    build(target.resolve())
