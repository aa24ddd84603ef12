"""`llmbatch input`: shows what would be read."""

from typing import Annotated

import typer

from llmbatch.cli.command import ENVIRONMENT, command
from llmbatch.cli.options.input import InputOptions, Inputs
from llmbatch.cli.options.option import Except
from llmbatch.cli.options.screen import Json

app = typer.Typer(add_completion=False)


@command(app, name="input", epilog=ENVIRONMENT)
def input_(
    inputs: Inputs,
    *,
    reading: Annotated[InputOptions, Except("strict")],
    json: Json = False,
) -> None:
    """Show how inputs are read. Nothing is sent. Format, encoding, fields, first documents, rows."""
    from llmbatch.cli.output import print_json
    from llmbatch.readers import look_into, looked_at
    from llmbatch.readers.looking import look_json
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.input import render_input

    options = reading.to_reader_options()
    with looked_at(inputs, options) as items:
        looks = (look_into(item, options) for item in items)
        if json:
            print_json({"inputs": [look_json(look) for look in looks]})
            return
        for look in looks:
            render_input(look, stdout_console())
