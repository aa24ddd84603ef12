"""The program's environment variables: an unknown one is most likely a misspelled limit."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping

from typer import BadParameter
from typer._click import Command
from typer._click.core import Parameter, ParameterSource
from typer._click.exceptions import ClickException

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.core.errors import UsageError

PREFIX = "LLMBATCH_"


def check_variables(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Refuse unknown variables that look like the program's own.

    Args:
        environment: names and values.
        arguments: of the command line. They name the command whose variables are looked up first, since loading all
            commands takes time.

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


def variable_behind(error: ClickException) -> str | None:
    """The environment variable whose value was refused; None if the value has another source."""
    if not isinstance(error, BadParameter) or error.param is None or error.ctx is None:
        return None
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return None
    return variable_that_counts(error.param)


def variable_that_counts(option: Parameter) -> str | None:
    """The environment variable that gives an option its value; None if there is none."""
    return next((variable for variable in _names(option) if os.environ.get(variable)), None)


def _variables(command: Command) -> Iterator[str]:
    for option in command.params:
        yield from _names(option)
    for below in getattr(command, "commands", {}).values():
        yield from _variables(below)


def _names(option: Parameter) -> Iterable[str]:
    names = option.envvar or ()
    return (names,) if isinstance(names, str) else names


def _given_to_commands() -> frozenset[str]:
    """Variables that an alert command gets in its environment, and passes on if it starts llmbatch itself."""
    from llmbatch.spend.alerts import VARIABLES

    return VARIABLES


def _advice(name: str, known: Iterable[str]) -> str:
    meanings = {other.removeprefix(PREFIX): other for other in known}
    likely = difflib.get_close_matches(name.upper().removeprefix(PREFIX), meanings, n=1)
    return f"did you mean {meanings[likely[0]]}?" if likely else f"unset {name}"
