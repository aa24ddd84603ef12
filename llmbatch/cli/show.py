"""`llmbatch show`: a run folder's summary; and how every command presents one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.completion import run_folders
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json, Verbose
from llmbatch.cli.output import print_json

if TYPE_CHECKING:
    from llmbatch.observe.summary import Summary
    from llmbatch.runs.trust import Trust
    from llmbatch.telemetry.watch import WatchOptions

app = typer.Typer(add_completion=False)


@command(app)
def show(
    run: RunPath,
    *,
    by: Annotated[
        str | None,
        Option(
            "Show cost and tokens by group instead: by label, model, prompt, or any field of the task or the input.",
            metavar="label|model|prompt|FIELD",
            variables=("LLMBATCH_SHOW_BY",),
        ),
    ] = None,
    against: Annotated[
        Path | None,
        Option("An earlier run's folder: show what has shifted since.", metavar="OLDRUN", completer=run_folders),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
    folder: RunFolderOptions,
) -> None:
    """Summarise a run folder, also while the run is in progress."""
    if by is not None:
        _show_by(run, by, folder.to_trust(), json=json)
        return
    from llmbatch.observe.summary import summary_json
    from llmbatch.session.standing import show_run
    from llmbatch.terminal import render_summary, stdout_console

    summary = show_run(run, against=against, trust=folder.to_trust())
    if json:
        print_json(summary_json(summary))
    else:
        render_summary(summary, stdout_console(), verbose=verbose)


def _show_by(run: Path, by: str, trust: "Trust", *, json: bool) -> None:
    from llmbatch.analysis.attribution import run_report
    from llmbatch.spend.report import report_json
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.spending import render_spending

    report = run_report(run, by, trust)
    if json:
        print_json(report_json(report))
    else:
        render_spending(report, stdout_console())


def present(summary: "Summary", *, json: bool, watching: "WatchOptions") -> None:
    """Show a session's summary, as JSON on stdout or for people on stderr, and exit with its exit code."""
    from llmbatch.observe.summary import summary_json
    from llmbatch.telemetry.log_format import LogFormat
    from llmbatch.terminal import render_summary, show_error, stderr_console

    if json:
        print_json(summary_json(summary))
    if watching.log_format is LogFormat.text:
        if not watching.quiet:
            render_summary(summary, stderr_console(), verbose=watching.verbose)
        elif summary.exit_code and summary.reason:
            show_error(summary.reason, None)
    raise typer.Exit(summary.exit_code)
