"""The keys that a configuration may have: one for each option of any command, named like its environment variable."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.configuration.file import ConfigurationFile
from llmbatch.cli.options.option import Declared
from llmbatch.core.errors import UsageError


def plain_key(key: str) -> str:
    """A key in the form that options use: `max-cost` is `max_cost`."""
    return key.replace("-", "_")


def check_keys(
    file: ConfigurationFile, tables: Mapping[str, Mapping[str, Any]], declared: Mapping[str, Declared]
) -> None:
    """Refuse keys that no option of any command has; the command's own are checked first: the others take time to load.

    Raises:
        UsageError: with the likely name.
    """
    unknown = {key: name for name, table in tables.items() for key in table}
    known = set(_keys(declared))
    for command in SUMMARIES:
        if not unknown.keys() - known:
            return
        known.update(_keys(dict(all_declared(load(command)))))
    for key, name in unknown.items():
        if key not in known:
            raise UsageError(f"{file.place(key)}: [{name}] {key} is not an option", hint=_instead(key, known))


def _instead(key: str, known: Collection[str]) -> str:
    """The hint for an unknown key."""
    if "api_key" in key:
        return "API keys do not belong in files: set OPENAI_API_KEY in the environment"
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else "llmbatch config schema lists the keys"


def all_declared(command: Any) -> Iterator[tuple[str, Declared]]:
    """The options of a command and of the commands below it."""
    yield from getattr(command, "declared", {}).items()
    for below in getattr(command, "commands", {}).values():
        yield from all_declared(below)


def _keys(declared: Mapping[str, Declared]) -> Iterator[str]:
    for name, option in declared.items():
        yield from option.option.keys_of(name)
