"""The program: its commands, and the one place where errors are shown."""

import gc
import os
import sys
from typing import Annotated

import typer
from typer._click.exceptions import ClickException

import llmbatch
from llmbatch.cli.commands import Commands
from llmbatch.cli.signals import end_in_order_on_signals
from llmbatch.cli.streams import output_failure, prepare_streams, restart_in_utf8
from llmbatch.cli.variables import check_variables
from llmbatch.errors import ExitCode, LLMBatchError, Terminated, UsageError

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


def _run(arguments: list[str]) -> int:
    """Run a command. Who asks for the help gets it, and a misspelt variable is reported all the same."""
    try:
        check_variables(os.environ, arguments)
    except UsageError:
        if not arguments or not _ASKS.isdisjoint(arguments):
            app(arguments or ["--help"], standalone_mode=False)
        raise
    return app(standalone_mode=False) or ExitCode.OK


def main() -> None:
    """Run the program. An error of ours is reported in a line or two; a traceback always means a bug."""
    restart_in_utf8()
    gc.set_threshold(*_COLLECT_AFTER)
    output = prepare_streams()
    end_in_order_on_signals()
    code = _exit_code()
    failure = output_failure(output)
    if failure is not None:
        from llmbatch.screen import show_error

        show_error(f"standard output cannot be written ({failure.strerror}): what it holds is not whole", None)
        code = code or ExitCode.STORAGE
    sys.exit(code)


def _exit_code() -> int:
    """Run the command that the arguments name, and report what ends it early."""
    try:
        return _run(sys.argv[1:])
    except LLMBatchError as error:
        from llmbatch.screen import show_error

        if not error.is_told:
            show_error(error.message, error.hint)
        return error.exit_code
    except ClickException as error:
        error.show()
        return ExitCode.USAGE
    except Terminated as signal:
        sys.stderr.write("interrupted; what was answered is kept, and the same command goes on\n")
        return signal.exit_code
