"""The options that say how the input is read, for all commands that read documents."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.field_names import given, whole_variable
from llmbatch.cli.options import INPUT

if TYPE_CHECKING:
    from llmbatch.readers import ReaderOptions

IdField = Annotated[
    str | None,
    typer.Option(
        "--id-field",
        envvar="LLMBATCH_ID_FIELD",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Field that names a row.",
    ),
]
TextField = Annotated[
    list[str] | None,
    typer.Option(
        "--text-field",
        callback=whole_variable,
        envvar="LLMBATCH_TEXT_FIELD",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Field with the text, or a path: doc.body, tags[]. Repeatable, or title,body: several are joined.",
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        envvar="LLMBATCH_INPUT_FORMAT",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="json, csv, tsv, parquet or arrow, whatever the name says.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME|auto",
        envvar="LLMBATCH_ENCODING",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Of text that is not UTF-8: cp1252, shift_jis, ...; or auto, to have it detected.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        envvar="LLMBATCH_DELIMITER",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Character between a table's cells; tab for a tab.",
    ),
]
Quote = Annotated[
    str | None,
    typer.Option(
        "--quote",
        metavar="CHAR|none",
        envvar="LLMBATCH_QUOTE",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Character around quoted cells; none where quotes are text.",
    ),
]
Escape = Annotated[
    str | None,
    typer.Option(
        "--escape",
        metavar="CHAR|none",
        envvar="LLMBATCH_ESCAPE",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Character that takes a quote's or delimiter's meaning away, as a backslash in MySQL's dumps; or none.",
    ),
]
NoHeader = Annotated[
    bool,
    typer.Option(
        "--no-header",
        envvar="LLMBATCH_NO_HEADER",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="A table's first line is a row: its columns are column_1, column_2, ...",
    ),
]
Query = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="SQL",
        envvar="LLMBATCH_QUERY",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="The rows of a database that is named as an input: sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
    ),
]
SkipLines = Annotated[
    int,
    typer.Option(
        "--skip-lines",
        metavar="N",
        min=0,
        max=bounds.MOST_WHOLE,
        envvar="LLMBATCH_SKIP_LINES",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="Lines before a table's header.",
    ),
]


def reader_options(
    id_field: str | None,
    text_field: list[str] | None,
    input_format: str | None,
    *,
    encoding: str | None,
    delimiter: str | None,
    quote: str | None,
    escape: str | None,
    no_header: bool,
    skip_lines: int,
    query: str | None,
) -> "ReaderOptions":
    """How the input is read, as the readers take it."""
    from llmbatch.readers import ReaderOptions

    return ReaderOptions(
        id_field,
        given(text_field) or (),
        input_format,
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        has_header=not no_header,
        skip_lines=skip_lines,
        query=query,
    )
