"""Metadata that depends on where the project is kept: its URLs, and the README with links that work everywhere.

A package index shows the README without the files that it links to. Where the build knows the repository (its `origin`
is on the web), relative links are made absolute and the project's URLs are named; where it does not, the README goes
without those links rather than with dead or invented ones.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]+)\]\((?P<target>(?!https?://|#)[^)\s]+)\)")
_WEB_ADDRESS = re.compile(
    r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w./-]+?)(?:\.git)?/?"
)


class RepositoryMetadata(MetadataHookInterface):
    """Sets `readme` and `urls`, which pyproject.toml declares dynamic."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Complete the project's metadata."""
        root = Path(self.root)
        repository = repository_address(root)
        readme = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_links(readme, repository)}
        metadata["urls"] = project_urls(repository)


def with_links(readme: str, repository: str | None) -> str:
    """The README with its relative links made absolute; without a repository, links are plain and pictures left out."""
    if repository is None:
        return _LINK.sub(lambda link: "" if link["image"] else link["text"], readme)
    return _LINK.sub(
        lambda link: (
            f"{link['image']}[{link['text']}]({repository}/{'raw' if link['image'] else 'blob'}/HEAD/{link['target']})"
        ),
        readme,
    )


def project_urls(repository: str | None) -> dict[str, str]:
    """The project's URLs by the names that package indexes know."""
    if repository is None:
        return {}
    return {
        "Repository": repository,
        "Documentation": f"{repository}/tree/HEAD/docs",
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def repository_address(root: Path) -> str | None:
    """The web address of the repository that the project was cloned from; None where there is none."""
    return _web_address(_origin(root))


def _web_address(origin: str) -> str | None:
    match = _WEB_ADDRESS.fullmatch(origin)
    return None if match is None else f"https://{match['host']}/{match['path']}"


def _origin(root: Path) -> str:
    """The address of the repository that the project was cloned from; empty where there is none."""
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
    except OSError:
        return ""
