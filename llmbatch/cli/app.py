"""The program: its commands, and the one place where errors are shown."""

import gc
import os
import sys
from typing import Annotated

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError

from llmbatch.cli.commands import Commands
from llmbatch.cli.environment import prepare_environment
from llmbatch.cli.refusals import refusal
from llmbatch.cli.signals import end_in_order_on_signals, ignore_signals
from llmbatch.cli.streams import output_failure, prepare_streams
from llmbatch.cli.variables import check_variables
from llmbatch.core.errors import ExitCode, LLMBatchError, Terminated, UsageError

app = typer.Typer(
    name="llmbatch",
    cls=Commands,
    help="Label documents with an LLM, in bulk and unattended.",
    no_args_is_help=True,
    invoke_without_command=True,
    rich_markup_mode=None,  # Rich would take half of the time that the help needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_COLLECT_AFTER = (10_000, 20, 20)
"""New objects, then collections. Imports stay alive and rows leave few cycles, yet the defaults cost a tenth of the
time."""


@app.callback()
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="With --version: the versions that a bug report needs.")] = False,
) -> None:
    """Label documents with an LLM, in bulk and unattended."""
    if version:
        from json import dumps

        from llmbatch.cli.version import version_line, version_report

        typer.echo(dumps(version_report(), indent=2) if json else version_line())
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise UsageError("no command is given", hint="llmbatch --help lists them")


_COMPLETION = "_LLMBATCH_COMPLETE"
"""Set by the scripts that Typer writes for shells: they ask for completions instead of running a command."""
_ASKS = frozenset({"-h", "--help", "--help-all", "--version"})


def _run(arguments: list[str]) -> int:
    """Run a command. A request for help is always answered, and a misspelled variable is reported as well."""
    if _COMPLETION in os.environ:
        app(prog_name="llmbatch")
    try:
        check_variables(os.environ, arguments)
    except UsageError:
        if not arguments or not _ASKS.isdisjoint(arguments):
            app(arguments or ["--help"], prog_name="llmbatch", standalone_mode=False)
        raise
    return app(prog_name="llmbatch", standalone_mode=False) or ExitCode.OK


def main() -> None:
    """Run the program. An `LLMBatchError` is reported in a line or two; a traceback always means a bug."""
    prepare_environment()
    gc.set_threshold(*_COLLECT_AFTER)
    output = prepare_streams()
    end_in_order_on_signals()
    code = _exit_code()
    ignore_signals()
    failure = output_failure(output)
    if failure is not None:
        from llmbatch.terminal.error import show_error

        show_error(f"standard output cannot be written ({failure.strerror}): its output is incomplete", None)
        code = code or ExitCode.STORAGE
    gc.freeze()  # what is left goes with the process: the interpreter's last collections would take 90 ms to look at it
    sys.exit(code)


def _exit_code() -> int:
    """Run the command that the arguments name, and report the error if it ends early."""
    try:
        return _run(sys.argv[1:])
    except LLMBatchError as error:
        return _shown(error)
    except NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except ClickException as error:
        from llmbatch.cli.usage import usage_error

        return _shown(usage_error(error))
    except Terminated as signal:
        sys.stderr.write("interrupted; answers so far are kept, and the same command resumes\n")
        return signal.exit_code
    except (OSError, RuntimeError, MemoryError) as error:
        refused = refusal(error)
        if refused is None:
            raise
        return _shown(refused)


def _shown(error: LLMBatchError) -> ExitCode:
    if error.is_reported:
        return error.exit_code
    try:
        from llmbatch.terminal.error import show_error

        show_error(error.message, error.hint)
    except (MemoryError, OSError):  # nothing more can be loaded
        sys.stderr.write(ascii(f"error: {error.message}")[1:-1] + "\n")
    return error.exit_code
