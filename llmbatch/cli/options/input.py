"""How the input is read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup

if TYPE_CHECKING:
    from llmbatch.readers import ReaderOptions

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, folders, quoted globs, addresses of files and databases, or - for standard input.",
        show_default=False,
    ),
]
WHICH_ROWS = "Which rows"
"""Panel of options that choose rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions(OptionGroup):
    """What to read from the input, and how."""

    panel: ClassVar[str] = "Input"

    id_field: Annotated[str | None, Option("Field with the row id.", brief=True, metavar="NAME")] = None
    text_field: Annotated[
        list[str] | None,
        Option(
            "Field with the text, or a path: doc.body, tags[]. Repeatable, or title,body: several are joined.",
            brief="Field with the text, or several: title,body.",
            metavar="NAME,...",
            is_name=True,
        ),
    ] = None
    input_format: Annotated[str | None, Option("json, csv, tsv, parquet or arrow, regardless of the file name.")] = None
    encoding: Annotated[
        str | None,
        Option("Encoding, if it is not UTF-8: cp1252, shift_jis, ...; or auto, to detect it.", metavar="NAME|auto"),
    ] = None
    delimiter: Annotated[
        str | None, Option("Character that separates a table's cells; tab for a tab.", metavar="CHAR")
    ] = None
    quote: Annotated[
        str | None,
        Option("Character around quoted cells; none where quotes are text.", metavar="CHAR|none"),
    ] = None
    escape: Annotated[
        str | None,
        Option(
            "Escape character before a quote or delimiter, such as the backslash in MySQL dumps; or none.",
            metavar="CHAR|none",
        ),
    ] = None
    no_header: Annotated[
        bool, Option("A table's first line is a row; its columns are named column_1, column_2, ...")
    ] = False
    skip_lines: Annotated[
        int, Option("Number of lines before a table's header.", metavar="N", min=0, max=bounds.MOST_WHOLE)
    ] = 0
    query: Annotated[
        str | None,
        Option(
            "Query for the rows, where the input is a database: sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
            metavar="SQL",
            is_sensitive=True,
        ),
    ] = None
    strict: Annotated[bool, Option("Stop at the first row that cannot be read.")] = False

    def to_reader_options(self) -> "ReaderOptions":
        """The options in the form that the readers take."""
        from llmbatch.readers import ReaderOptions

        return ReaderOptions(
            self.id_field,
            tuple(self.text_field or ()),
            self.input_format,
            encoding=self.encoding,
            delimiter=self.delimiter,
            quote=self.quote,
            escape=self.escape,
            has_header=not self.no_header,
            skip_lines=self.skip_lines,
            query=self.query,
        )
