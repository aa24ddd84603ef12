"""The options of the commands that put a run beside gold labels."""

from typing import Annotated

import typer

GOLD = "Gold labels"

_GOLD_OPTION = typer.Option(
    "--gold",
    "-g",
    metavar="FILE",
    envvar="LLMBATCH_GOLD",
    show_envvar=False,
    rich_help_panel=GOLD,
    help="Right labels: .jsonl, .csv or .tsv with an id and a label; without ids, in the input's order.",
    show_default=False,
)
GoldFile = Annotated[str, _GOLD_OPTION]
GoldFileIfAny = Annotated[str | None, _GOLD_OPTION]
GoldIdField = Annotated[
    str | None,
    typer.Option(
        "--gold-id-field",
        envvar="LLMBATCH_GOLD_ID_FIELD",
        show_envvar=False,
        rich_help_panel=GOLD,
        help="Field of the gold file that names a row.",
    ),
]
LabelField = Annotated[
    str | None,
    typer.Option(
        "--label-field",
        envvar="LLMBATCH_LABEL_FIELD",
        show_envvar=False,
        rich_help_panel=GOLD,
        help="Field of the gold file with the label.",
    ),
]
