"""Errors in a command line, in a line or two like every other error."""

import re
from typing import Any

from typer._click.exceptions import ClickException, MissingParameter, NoSuchOption

from llmbatch.cli.likely import likely
from llmbatch.cli.variables import variable_behind
from llmbatch.core.errors import UsageError

_PLAIN = (
    ("Value error, ", ""),
    ("Input should be a valid integer, .*", "must be a whole number"),
    ("Input should be a valid number, .*", "must be a number"),
    ("Input should be greater than or equal to ", "must be at least "),
    ("Input should be less than or equal to ", "must be at most "),
    ("Input should be ", "must be "),
)
"""Messages of the parser of values, and plain words for them."""


def usage_error(error: ClickException) -> UsageError:
    """An error of the command-line parser as an `UsageError`."""
    message = error.format_message().replace("\n\t", " ").rstrip(".")
    for pattern, plain in _PLAIN:
        message = re.sub(pattern, plain, message)
    context: Any = getattr(error, "ctx", None)
    path = "llmbatch COMMAND" if context is None else context.command_path
    hint = f"{path} --help shows its usage"
    if isinstance(error, NoSuchOption):
        message = f"no such option: {error.option_name}"
        flags = [] if context is None else [flag for one in _shown_options(context) for flag in one.opts]
        meant = likely(error.option_name, flags)
        if meant is not None:
            hint = f"did you mean {meant}?"
        elif hasattr(context.command, "commands"):
            hint = f"options go after the command: {path} COMMAND {error.option_name}"
        else:
            hint = f"{path} --help-all lists the options"
    elif isinstance(error, MissingParameter) and context is not None:
        hint = context.get_usage().replace("Usage: ", "usage: ")
    elif (variable := variable_behind(error)) is not None:
        hint = f"Set by the environment variable {variable}"
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint=hint)


def _shown_options(context: Any) -> list[Any]:
    return [one for one in context.command.get_params(context) if not getattr(one, "hidden", False)]
