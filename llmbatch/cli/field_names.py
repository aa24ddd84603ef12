"""Names of fields on the command line and in variables: as they are, since they may hold spaces and commas."""

import os

import typer


def whole_variable(context: typer.Context, parameter: typer.CallbackParam, names: list[str] | None) -> list[str] | None:
    """The names that an option was given; a variable is one, and not as many as it has words."""
    source = context.get_parameter_source(parameter.name or "")
    if source is None or source.name != "ENVIRONMENT":
        return names
    return [os.environ[str(parameter.envvar)]]


def given(names: list[str] | None) -> tuple[str, ...] | None:
    """Names as the readers take them, which know the fields that there are; None where none is given."""
    return tuple(names) if names else None
