"""The program's environment variables: one that nobody reads is most likely a guard that is misspelt."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from typer._click import Command

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.errors import UsageError

PREFIX = "LLMBATCH_"


def check_variables(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Refuse variables that look like the program's own and are not.

    Args:
        environment: names and values.
        arguments: of the command line, which tell the command whose variables are looked up first: the others' take
            their time.

    Raises:
        UsageError: with the likely name of each.
    """
    unknown = {name for name in environment if name.upper().startswith(PREFIX)}
    known: set[str] = set()
    for command in sorted(SUMMARIES, key=lambda name: name not in arguments[:1]):
        if not unknown - known:
            return
        known.update(_variables(load(command)))
    known |= _given_to_commands()
    if unknown := unknown - known:
        raise UsageError(
            f"{', '.join(sorted(unknown))}: llmbatch has no such environment variable",
            hint="; ".join(_advice(name, known) for name in sorted(unknown)),
        )


def _variables(command: Command) -> Iterator[str]:
    for option in command.params:
        names = option.envvar or ()
        yield from (names,) if isinstance(names, str) else names
    for below in getattr(command, "commands", {}).values():
        yield from _variables(below)


def _given_to_commands() -> frozenset[str]:
    """What an alert's command finds in its environment, and hands on to an llmbatch that it may start."""
    from llmbatch.spend.alerts import VARIABLES

    return VARIABLES


def _advice(name: str, known: Iterable[str]) -> str:
    meanings = {other.removeprefix(PREFIX): other for other in known}
    likely = difflib.get_close_matches(name.upper().removeprefix(PREFIX), meanings, n=1)
    return f"did you mean {meanings[likely[0]]}?" if likely else f"unset {name}"
