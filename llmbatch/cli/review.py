"""`llmbatch review`: people look at a run's rows, in the terminal or in a spreadsheet."""

import getpass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli.default_command import DefaultCommandGroup
from llmbatch.cli.output import print_json


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no name
        return "somebody"


app = typer.Typer(
    cls=DefaultCommandGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Look at a run's doubtful rows: llmbatch review RUN. What you decide flows into the results.",
)

Reviewer = Annotated[
    str,
    typer.Option(
        "--reviewer",
        envvar="LLMBATCH_REVIEWER",
        show_envvar=False,
        help="Whose decisions they are.",
        default_factory=_user,
        show_default="the user's name",
    ),
]
OfSample = Annotated[
    bool,
    typer.Option(
        "--sample", envvar="LLMBATCH_REVIEW_SAMPLE", show_envvar=False, help="The random sample, not the doubtful rows."
    ),
]
OfAll = Annotated[
    bool,
    typer.Option("--all", envvar="LLMBATCH_REVIEW_ALL", show_envvar=False, help="All rows, not the doubtful ones."),
]
OfLabel = Annotated[
    str | None,
    typer.Option(
        "--label", "-l", envvar="LLMBATCH_REVIEW_LABEL", show_envvar=False, help="Only rows that the model labelled so."
    ),
]


class Format(StrEnum):
    """What is written."""

    csv = "csv"
    jsonl = "jsonl"


@app.command("walk")
def walk(
    run: shared.RunPath,
    reviewer: Reviewer,
    sample: OfSample = False,
    all: OfAll = False,  # noqa: A002
    label: OfLabel = None,
    light: Annotated[
        bool | None,
        typer.Option(
            "--light/--dark",
            envvar="LLMBATCH_REVIEW_LIGHT",
            show_envvar=False,
            help="Colours for the terminal's background; ctrl+t switches.",
            show_default="as the terminal says",
        ),
    ] = None,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Walk the rows that wait for a person, full-screen, a key a label. The default: llmbatch review RUN."""
    from llmbatch.review.queue import Choice
    from llmbatch.review.told import walked_lines
    from llmbatch.review.walk import walk as walk_rows

    report = partial(typer.echo, err=True)
    walked = walk_rows(
        run,
        Choice(sample, all, label),
        reviewer=reviewer,
        report=report,
        light=light,
        trust=shared.trusted(trust, input),
    )
    for line in walked_lines(walked):
        typer.echo(line, err=True)


@app.command("export")
def export(
    run: shared.RunPath,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            envvar="LLMBATCH_REVIEW_OUT",
            show_envvar=False,
            help="File to write.",
            show_default="standard output",
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's own name
        Format | None,
        typer.Option(
            "--format",
            "-f",
            envvar="LLMBATCH_REVIEW_FORMAT",
            show_envvar=False,
            help="What to write.",
            show_default="by the file's suffix, else csv",
        ),
    ] = None,
    decided: Annotated[
        bool,
        typer.Option(
            "--decided",
            envvar="LLMBATCH_REVIEW_DECIDED",
            show_envvar=False,
            help="What people decided, as gold labels (id, label) for: llmbatch evaluate RUN --gold FILE.",
        ),
    ] = False,
    bom: shared.Bom = False,
    sample: OfSample = False,
    all: OfAll = False,  # noqa: A002
    label: OfLabel = None,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Write the rows that wait for a person, to be decided in a spreadsheet."""
    from llmbatch.review.export import export_gold, export_to_decide, target
    from llmbatch.review.opened import opened
    from llmbatch.review.queue import Choice
    from llmbatch.terminal.figures import counted

    form = (format or (Format.jsonl if out is not None and ".jsonl" in out.suffixes else Format.csv)).value
    with opened(run, shared.trusted(trust, input)) as review, target(out) as file:
        if decided:
            count = export_gold(review, file, csv=form == "csv", bom=bom)
        else:
            count = export_to_decide(review, Choice(sample, all, label), file, csv=form == "csv", bom=bom)
    typer.echo(counted(count, "row") + (f" in {out}" if out is not None else ""), err=True)


@app.command("import")
def import_(
    run: shared.RunPath,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What review export wrote, filled in.", show_default=False)
    ],
    reviewer: Reviewer,
    skip_refused: Annotated[
        bool,
        typer.Option(
            "--skip-refused",
            envvar="LLMBATCH_REVIEW_SKIP_REFUSED",
            show_envvar=False,
            help="Take the good lines though others are refused.",
        ),
    ] = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Take decisions over from a file: all of them, or none where a line is refused."""
    from llmbatch.core.errors import ExitCode
    from llmbatch.review.importing import import_decisions
    from llmbatch.review.opened import opened
    from llmbatch.review.settle import settle
    from llmbatch.review.told import imported_lines, settled_lines
    from llmbatch.runs.folder import now_text

    given = shared.trusted(trust, input)
    with opened(run, given) as review:
        imported = import_decisions(review, file, reviewer=reviewer, decided_at=now_text(), skip_refused=skip_refused)
    for line in imported_lines(imported):
        typer.echo(line, err=True)
    if not imported.saved:
        typer.echo("mend these lines, or take the others with --skip-refused", err=True)
        raise typer.Exit(ExitCode.USAGE)
    for line in settled_lines(settle(run, given)):
        typer.echo(line, err=True)


@app.command("status")
def status(
    run: shared.RunPath,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            envvar="LLMBATCH_REVIEW_AGAINST",
            show_envvar=False,
            help="Another run to compare error rates with. Repeatable; the runs beside this one are found anyway.",
        ),
    ] = None,
    json: shared.Json = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Tell what waits, who decided what, the error rate in the random sample, and how it moved over the last runs."""
    from llmbatch.review.history import trend
    from llmbatch.review.opened import opened
    from llmbatch.review.status import review_status
    from llmbatch.review.told import render_review, status_json
    from llmbatch.terminal import stdout_console

    with opened(run, shared.trusted(trust, input)) as review:
        found = review_status(review)
        moved = None if found.sample is None else trend(review, found.sample, against or ())
    if json:
        print_json(status_json(found, moved))
    else:
        render_review(found, moved, stdout_console())
