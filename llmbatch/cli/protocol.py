"""The option that names the endpoint's wire protocol."""

from typing import Annotated

import typer

from llmbatch.cli.options import SENDING

Dialect = Annotated[
    str,
    typer.Option(
        "--dialect",
        metavar="NAME",
        envvar="LLMBATCH_DIALECT",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Wire protocol of the endpoint: OpenAI's, or one that a plug-in brings.",
    ),
]
