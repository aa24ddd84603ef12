"""`llmbatch input`: what would be read."""

import typer

from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared

app = typer.Typer(add_completion=False)


@app.command(name="input", epilog=shared.ENVIRONMENT)
def input_(
    inputs: shared.Inputs,
    id_field: reading.IdField = None,
    text_field: reading.TextField = None,
    input_format: reading.InputFormat = None,
    encoding: reading.Encoding = None,
    delimiter: reading.Delimiter = None,
    quote: reading.Quote = None,
    escape: reading.Escape = None,
    no_header: reading.NoHeader = False,
    skip_lines: reading.SkipLines = 0,
    query: reading.Query = None,
    json: shared.Json = False,
) -> None:
    """Show how inputs are read: format, encoding, fields, first documents, rows. Nothing is sent."""
    from llmbatch.cli.output import print_json
    from llmbatch.readers import look_into, looked_at
    from llmbatch.readers.looking import look_json
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.input import render_input

    options = reading.reader_options(
        id_field,
        text_field,
        input_format,
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        no_header=no_header,
        skip_lines=skip_lines,
        query=query,
    )
    with looked_at(inputs, options) as items:
        looks = (look_into(item, options) for item in items)
        if json:
            print_json({"inputs": [look_json(look) for look in looks]})
            return
        for look in looks:
            render_input(look, stdout_console())
