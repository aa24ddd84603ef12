"""The program: its commands, and the one place where errors are shown."""

import gc
import io
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

import llmbatch
from llmbatch.cli.commands import Commands
from llmbatch.cli.variables import check_variables
from llmbatch.errors import ExitCode, LLMBatchError, UsageError

app = typer.Typer(
    name="llmbatch",
    cls=Commands,
    help="Label documents with an LLM, in bulk and unattended.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich is half of what the help would take
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_COLLECT_AFTER = (10_000, 20, 20)
"""New objects, then collections. What is imported stays and rows leave few cycles, yet the default takes a tenth."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmbatch {llmbatch.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Label documents with an LLM, in bulk and unattended."""


_ASKS = frozenset({"-h", "--help", "--version"})


def _run(arguments: list[str]) -> None:
    """Run a command. Who asks for the help gets it, and is told of a misspelt variable all the same."""
    try:
        check_variables(os.environ, arguments)
    except UsageError:
        if not arguments or not _ASKS.isdisjoint(arguments):
            with suppress(SystemExit):
                app()
        raise
    app()


def main() -> None:
    """Run the program. An error of ours is told in a line or two; a traceback always means a bug."""
    gc.set_threshold(*_COLLECT_AFTER)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no UTF-8 is no reason to fail
    try:
        _run(sys.argv[1:])
    except LLMBatchError as error:
        from llmbatch.screen import show_error

        if not error.is_told:
            show_error(error.message, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was answered is kept, and the same command goes on\n")
        sys.exit(ExitCode.SIGINT)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`). Nothing more can be printed, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
