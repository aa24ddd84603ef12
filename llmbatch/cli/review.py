"""`llmbatch review`: people look at a run's rows, in the terminal or in a spreadsheet."""

import getpass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command, command_group
from llmbatch.cli.completion import run_folders
from llmbatch.cli.default_command import DefaultCommandGroup
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import Bom
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no name
        return "somebody"


app = command_group(
    "Review a run's doubtful rows. Your decisions go into the results. llmbatch review RUN walks them.",
    DefaultCommandGroup,
)

Reviewer = Annotated[str | None, Option("The reviewer's name.", shown_default="the user's name")]
OfSample = Annotated[bool, Option("The random sample, not the doubtful rows.", variables=("LLMBATCH_REVIEW_SAMPLE",))]
OfAll = Annotated[bool, Option("All rows, not the doubtful ones.", variables=("LLMBATCH_REVIEW_ALL",))]
OfLabel = Annotated[
    str | None, Option("Only rows with this label from the model.", short="-l", variables=("LLMBATCH_REVIEW_LABEL",))
]


class Format(StrEnum):
    """What is written."""

    csv = "csv"
    jsonl = "jsonl"


@command(app, "walk")
def walk(
    run: RunPath,
    *,
    reviewer: Reviewer = None,
    sample: OfSample = False,
    all: OfAll = False,  # noqa: A002
    label: OfLabel = None,
    light: Annotated[
        bool | None,
        Option(
            "Colours for the terminal's background; ctrl+t switches.",
            flags=("--light/--dark",),
            shown_default="as the terminal says",
            variables=("LLMBATCH_REVIEW_LIGHT",),
        ),
    ] = None,
    folder: RunFolderOptions,
) -> None:
    """Walk the rows that wait for a person, full-screen, a key a label. The default: llmbatch review RUN."""
    from llmbatch.review.queue import Choice
    from llmbatch.review.render import walked_lines
    from llmbatch.review.walk import walk as walk_rows

    report = partial(typer.echo, err=True)
    walked = walk_rows(
        run,
        Choice(sample, all, label),
        reviewer=reviewer or _user(),
        report=report,
        light=light,
        trust=folder.to_trust(),
    )
    for line in walked_lines(walked):
        typer.echo(line, err=True)


@command(app, "export")
def export(
    run: RunPath,
    *,
    out: Annotated[
        Path | None,
        Option("File to write.", short="-o", shown_default="standard output", variables=("LLMBATCH_REVIEW_OUT",)),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's own name
        Format | None,
        Option(
            "What to write.",
            short="-f",
            shown_default="by the file's suffix, else csv",
            variables=("LLMBATCH_REVIEW_FORMAT",),
        ),
    ] = None,
    decided: Annotated[
        bool,
        Option(
            "Human decisions, as gold labels (id, label) for: llmbatch evaluate RUN --gold FILE.",
            variables=("LLMBATCH_REVIEW_DECIDED",),
        ),
    ] = False,
    bom: Bom = False,
    sample: OfSample = False,
    all: OfAll = False,  # noqa: A002
    label: OfLabel = None,
    folder: RunFolderOptions,
) -> None:
    """Write the rows that wait for a person, to be decided in a spreadsheet."""
    from llmbatch.core.plurals import counted
    from llmbatch.review.export import export_gold, export_to_decide, target
    from llmbatch.review.opened import opened
    from llmbatch.review.queue import Choice

    form = (format or (Format.jsonl if out is not None and ".jsonl" in out.suffixes else Format.csv)).value
    with opened(run, folder.to_trust()) as review, target(out) as file:
        if decided:
            count = export_gold(review, file, csv=form == "csv", bom=bom)
        else:
            count = export_to_decide(review, Choice(sample, all, label), file, csv=form == "csv", bom=bom)
    typer.echo(counted(count, "row") + (f" in {out}" if out is not None else ""), err=True)


@command(app, "import")
def import_(
    run: RunPath,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file from review export, filled in.", show_default=False)
    ],
    *,
    reviewer: Reviewer = None,
    skip_refused: Annotated[
        bool,
        Option("Import the good lines even if others are refused.", variables=("LLMBATCH_REVIEW_SKIP_REFUSED",)),
    ] = False,
    folder: RunFolderOptions,
) -> None:
    """Take decisions over from a file: all of them, or none where a line is refused."""
    from llmbatch.core.errors import ExitCode
    from llmbatch.review.importing import import_decisions
    from llmbatch.review.opened import opened
    from llmbatch.review.render import imported_lines, settled_lines
    from llmbatch.review.settle import settle
    from llmbatch.runs.folder import now_text

    given = folder.to_trust()
    with opened(run, given) as review:
        imported = import_decisions(
            review,
            file,
            reviewer=reviewer or _user(),
            decided_at=now_text(),
            skip_refused=skip_refused,
        )
    for line in imported_lines(imported):
        typer.echo(line, err=True)
    if not imported.saved:
        typer.echo("fix these lines, or import the others with --skip-refused", err=True)
        raise typer.Exit(ExitCode.USAGE)
    for line in settled_lines(settle(run, given)):
        typer.echo(line, err=True)


@command(app, "status")
def status(
    run: RunPath,
    *,
    against: Annotated[
        list[Path] | None,
        Option(
            "Another run to compare error rates with. Repeatable; the runs beside this one are found anyway.",
            completer=run_folders,
            variables=("LLMBATCH_REVIEW_AGAINST",),
        ),
    ] = None,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Show what waits, who decided what, the error rate in the random sample, and how it moved over the last runs."""
    from llmbatch.review.history import trend
    from llmbatch.review.opened import opened
    from llmbatch.review.render import render_review, status_json
    from llmbatch.review.status import review_status
    from llmbatch.terminal import stdout_console

    with opened(run, folder.to_trust()) as review:
        found = review_status(review)
        moved = None if found.sample is None else trend(review, found.sample, against or ())
    if json:
        print_json(status_json(found, moved))
    else:
        render_review(found, moved, stdout_console())
