"""What the user most likely meant by an unknown command or option."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted

_ELSEWHERE = {
    "label": "classify",
    "resume": "classify",
    "list": "runs",
    "ls": "runs",
    "clean": "runs clean",
    "prune": "runs clean",
    "run": "classify",
    "cost": "estimate",
    "price": "estimate",
    "accuracy": "evaluate",
    "score": "evaluate",
    "test": "evaluate",
    "info": "show",
    "status": "show",
    "summary": "show",
    "annotate": "review",
    "usage": "spend",
    "html": "report",
    "fix": "repair",
    "recover": "repair",
    "salvage": "repair",
    "lint": "prompt check",
    "task": "prompt",
    "mock": "simulate",
    "serve": "simulate",
    "settings": "config",
}
"""Names that other programs use for the same commands."""
_RUN = "run.json"
_ALIKE = 0.65
"""A misspelling differs by a letter or two; all options begin with the same two characters."""


def likely(name: str, known: Iterable[str]) -> str | None:
    """The known name that is closest to a name, or that contains it as one of its words; None if there is none."""
    names = list(known)
    close = get_close_matches(name, names, n=1, cutoff=_ALIKE)
    if close:
        return close[0]
    word = name.strip("-")
    return next((one for one in names if len(word) > 2 and word in one.strip("-").split("-")), None)  # noqa: PLR2004


def unknown_command(name: str, known: Collection[str]) -> UsageError:
    """The error for an unknown command. It suggests one by its spelling, by another name for it, or for a file."""
    if "\0" not in name and (path := Path(name)).exists():
        command = "show" if (path / _RUN).is_file() else "classify"
        return UsageError(f"{name!r} is not a command", hint=f"did you mean llmbatch {command} {quoted(path)}?")
    meant = _ELSEWHERE.get(name) or likely(name, known)
    if meant is not None:
        return UsageError(f"there is no command {name!r}", hint=f"did you mean llmbatch {meant}?")
    return UsageError(f"there is no command {name!r}", hint="llmbatch --help lists them")
