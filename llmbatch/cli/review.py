"""`llmbatch review`: human review of a run's rows, in the terminal, a browser or a spreadsheet."""

import getpass
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli.command import command, command_group
from llmbatch.cli.completion import run_folders
from llmbatch.cli.default_command import DefaultCommandGroup
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import Bom
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json
from llmbatch.core.sanitize import neutral

if TYPE_CHECKING:
    from llmbatch.review.queue import Choice
    from llmbatch.runs.trust import Trust


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container, the user often has no name
        return "somebody"


app = command_group(
    "Review a run's doubtful rows. Your decisions go into the results. llmbatch review RUN steps through them.",
    DefaultCommandGroup,
)

Reviewer = Annotated[str | None, Option("The reviewer's name.", shown_default="the user's name")]
OfSample = Annotated[bool, Option("The random sample, not the doubtful rows.", variables=("LLMBATCH_REVIEW_SAMPLE",))]
OfAll = Annotated[bool, Option("All rows, not the doubtful ones.", variables=("LLMBATCH_REVIEW_ALL",))]
OfLabel = Annotated[
    str | None, Option("Only rows with this label from the model.", short="-l", variables=("LLMBATCH_REVIEW_LABEL",))
]


class Format(StrEnum):
    """The file format of the export."""

    csv = "csv"
    jsonl = "jsonl"


class Tool(StrEnum):
    """An annotation tool."""

    label_studio = "label-studio"
    argilla = "argilla"


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
            shown_default="as the terminal reports",
            variables=("LLMBATCH_REVIEW_LIGHT",),
        ),
    ] = None,
    blind: Annotated[
        bool,
        Option("Hide others' decisions, to measure how far you agree.", variables=("LLMBATCH_REVIEW_BLIND",)),
    ] = False,
    web: Annotated[
        bool, Option("Review in browsers on this machine; prints a link.", variables=("LLMBATCH_REVIEW_WEB",))
    ] = False,
    invite: Annotated[
        list[str] | None,
        Option(
            "With --web: another reviewer, who gets a link too. Repeatable.",
            metavar="NAME",
            variables=("LLMBATCH_REVIEW_INVITE",),
        ),
    ] = None,
    port: Annotated[
        int | None,
        Option(
            "With --web: where to listen.",
            min=1,
            max=65_535,
            shown_default="any free port",
            variables=("LLMBATCH_REVIEW_PORT",),
        ),
    ] = None,
    folder: RunFolderOptions,
) -> None:
    """Step through the rows that need review, full-screen or with --web in a browser; llmbatch review RUN does it."""
    from llmbatch.core.errors import UsageError
    from llmbatch.review.queue import Choice
    from llmbatch.review.render import walked_lines
    from llmbatch.review.walk import is_in_browser
    from llmbatch.review.walk import walk as walk_rows

    report, name, choice = partial(typer.echo, err=True), reviewer or _user(), Choice(sample, all, label, blind)
    if web and not is_in_browser():
        names = tuple(dict.fromkeys([name, *(invite or ())]))
        _serve(run, choice, names, port or 0, light=light, trust=folder.to_trust())
        return
    if (invite or port) and not web:
        raise UsageError("--invite and --port need --web", hint=f"llmbatch review {run} --web")
    walked = walk_rows(
        run,
        choice,
        reviewer=name,
        report=report,
        light=light,
        trust=folder.to_trust(),
    )
    for line in walked_lines(walked):
        typer.echo(line, err=True)


def _serve(
    run: Path, choice: "Choice", reviewers: tuple[str, ...], port: int, *, light: bool | None, trust: "Trust"
) -> None:
    from llmbatch.core.extras import extra
    from llmbatch.review.render import settled_lines

    with extra("web", needed_by="llmbatch review --web"):
        from llmbatch.review.web.server import serve_review

    def announce(links: Mapping[str, str]) -> None:
        typer.echo("each link opens one browser on this machine, once; Ctrl-C ends the review", err=True)
        for reviewer, link in links.items():
            typer.echo(f"{neutral(reviewer, limit=60)}  {link}")
        sys.stdout.flush()

    settled = serve_review(run, choice, reviewers=reviewers, port=port, light=light, announce=announce, trust=trust)
    for line in ["nothing was decided"] if settled is None else settled_lines(settled):
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
    to: Annotated[
        Tool | None,
        Option("For an annotation tool, with its configuration beside --out.", variables=("LLMBATCH_REVIEW_TO",)),
    ] = None,
    bom: Bom = False,
    sample: OfSample = False,
    all: OfAll = False,  # noqa: A002
    label: OfLabel = None,
    folder: RunFolderOptions,
) -> None:
    """Write the rows that need review, to be decided in a spreadsheet or an annotation tool."""
    from llmbatch.core.errors import UsageError
    from llmbatch.core.plurals import counted
    from llmbatch.review.export import export_gold, export_to_decide, target
    from llmbatch.review.opened import opened
    from llmbatch.review.queue import Choice

    if to is not None:
        if out is None or decided or format is not None or bom:
            raise UsageError("--to needs --out, and takes no --decided, --format or --bom")
        from llmbatch.review.annotation import Tool as Exported
        from llmbatch.review.annotation import export_to_tool

        with opened(run, folder.to_trust()) as review:
            count, beside = export_to_tool(review, Choice(sample, all, label), Exported(to.value), out)
        typer.echo(f"{counted(count, 'row')} in {out}; for the tool's project: {beside}", err=True)
        return
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
        Option("Import the valid lines even if others are refused.", variables=("LLMBATCH_REVIEW_SKIP_REFUSED",)),
    ] = False,
    from_: Annotated[
        Tool | None,
        Option("The file is an annotation tool's JSON.", flags=("--from",), variables=("LLMBATCH_REVIEW_FROM",)),
    ] = None,
    folder: RunFolderOptions,
) -> None:
    """Import decisions from a file: all of them, or none if a line is refused."""
    from llmbatch.core.errors import ExitCode
    from llmbatch.review.annotation import Tool as Annotator
    from llmbatch.review.importing import import_annotations, import_decisions
    from llmbatch.review.opened import opened
    from llmbatch.review.render import imported_lines, settled_lines
    from llmbatch.review.settle import settle
    from llmbatch.runs.folder import now_text

    given = folder.to_trust()
    with opened(run, given) as review:
        take = import_decisions if from_ is None else partial(import_annotations, tool=Annotator(from_.value))
        imported = take(
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
            "Another run to compare error rates with; the runs beside this one are found anyway. Repeatable.",
            completer=run_folders,
            variables=("LLMBATCH_REVIEW_AGAINST",),
        ),
    ] = None,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Show what is pending, who decided what, the random sample's error rate, and its trend over recent runs."""
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
