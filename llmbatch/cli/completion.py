"""What a shell offers when Tab is pressed: tasks, run folders, models, profiles.

Names that a shell would split or evaluate are left out, and the shell offers files instead: some shells evaluate what
they are given, and a folder from someone else may contain files of any name.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from llmbatch.core.errors import UsageError

Completer = Callable[[str], list[str]]
"""Returns the values that begin with what has been typed so far."""

_PLAIN = re.compile(r"[\w./@+~-]+", re.ASCII)
_MOST_ENTRIES = 2_000
"""The most entries of a folder that are examined: completion must be fast."""
_RUN = "run.json"
_OF_A_TASK = re.compile(rb"^\[\[(labels|fields)\]\]", re.MULTILINE)
_MOST_BYTES = 100_000
_NO_TEXT = frozenset(
    [
        "audio",
        "babbage",
        "davinci",
        "embedding",
        "image",
        "live",
        "moderation",
        "realtime",
        "transcribe",
        "tts",
        "whisper",
    ]
)
"""Words in the names of models that cannot label text."""


def run_folders(incomplete: str) -> list[str]:
    """Run folders here and one folder below."""
    return _plain(incomplete, (path for path in _near(incomplete) if (path / _RUN).is_file()))


def tasks(incomplete: str) -> list[str]:
    """Task files here and one folder below, and the packaged tasks."""
    from llmbatch.task.load import packaged_tasks

    files = (path for path in _near(incomplete) if path.suffix == ".toml" and _is_task(path))
    return _plain(incomplete, (*packaged_tasks(), *files))


def models(incomplete: str) -> list[str]:
    """OpenAI's models in the price data; those of other providers if none of OpenAI's begins this way."""
    from llmbatch.core.prices import known_models

    for names in known_models():
        if found := _plain(incomplete, (name for name in names if _NO_TEXT.isdisjoint(name.split("-")))):
            return found
    return []


def profiles(incomplete: str) -> list[str]:
    """Profiles of the configuration file."""
    from llmbatch.cli.configuration.file import PROFILE, find_configuration, named_tables

    try:
        file = find_configuration()
        names = () if file is None else [name for name, _ in named_tables(file)]
    except UsageError:
        return []
    return _plain(incomplete, (name.removeprefix(f"{PROFILE}.") for name in names if name.startswith(f"{PROFILE}.")))


def words(metavar: str | None) -> Completer | None:
    """The words that an option accepts besides other values: `auto` in `N|auto`. None if it accepts none."""
    found = [word for word in (metavar or "").split("|") if word.isalpha() and word.islower()]
    return (lambda incomplete: _plain(incomplete, found)) if found else None


def _plain(incomplete: str, names: Iterator[Path | str] | list[str] | tuple[Path | str, ...]) -> list[str]:
    texts = sorted({str(name) for name in names})
    return [text for text in texts if text.startswith(incomplete) and _PLAIN.fullmatch(text)]


def _near(incomplete: str) -> Iterator[Path]:
    """The entries of the folder that the typed path leads to, and of its subfolders."""
    folder = Path(incomplete.rpartition("/")[0] or ("/" if incomplete.startswith("/") else "."))
    for entry in _entries(folder):
        yield entry
        if entry.is_dir() and not (entry / _RUN).is_file():
            yield from _entries(entry)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from (path for path in islice(folder.iterdir(), _MOST_ENTRIES) if not path.name.startswith("."))
    except (OSError, ValueError):
        return


def _is_task(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _OF_A_TASK.search(file.read(_MOST_BYTES)) is not None
    except OSError:
        return False
