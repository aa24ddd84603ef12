"""Task files for people: the lint's findings, similar ones together, and a request in readable form."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.text import Text

from llmbatch.core.sanitize import neutral

_MOST_ALIKE = 3
_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "dim"}


class Finding(Protocol):
    """One finding of a task's lint."""

    @property
    def level(self) -> str:
        """error, warning or note."""
        ...

    @property
    def code(self) -> str:
        """Names its kind."""
        ...

    @property
    def message(self) -> str:
        """For people."""
        ...


def render_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings, a line each; for many of one kind, the first few and how many more there are."""
    whole = not console.file.isatty()  # a terminal breaks lines anywhere, Rich only between words
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(finding.code, []).append(finding)
    for code, group in alike.items():
        for finding in group[:_MOST_ALIKE]:
            level = (f"{finding.level}: ", _STYLES[finding.level])
            console.print(Text.assemble(level, f"{neutral(finding.message)} [{code}]"), soft_wrap=whole)
        if (rest := len(group) - _MOST_ALIKE) > 0:
            console.print(
                Text(f"         and {rest:,} more of the same kind [{code}]; --json has all"), soft_wrap=whole
            )


def render_request(body: bytes, console: Console) -> None:
    """Print a request's messages in readable form, then its other parameters."""
    request: dict[str, Any] = json.loads(body)
    for message in request.pop("messages", []):
        console.print(Text(f"--- {message.get('role')} ---", style="bold cyan"))
        for text in _texts(message.get("content")):
            console.print(Text("\n".join(neutral(line, limit=len(line)) for line in text.splitlines())), soft_wrap=True)
    console.print(Text("--- parameters ---", style="bold cyan"))
    for name, value in request.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        console.print(Text(f"{name} = {neutral(shown, limit=2_000)}"), soft_wrap=True)


def _texts(content: str | Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
    if isinstance(content, str):
        yield content
        return
    for part in content or ():
        yield str(part.get("text", part))
