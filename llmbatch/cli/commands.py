"""The program's commands: the purpose and the module of each.

A command's module is imported when the command is called. The help, which lists all commands, imports none of them.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from typer._click import Command, Context
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from llmbatch.cli.likely import unknown_command

SUMMARIES: Mapping[str, str] = {
    "classify": "Label documents. Run it again to resume and to retry failed rows.",
    "estimate": "Estimate what classify would cost and how long it would take.",
    "input": "Show how inputs are read. Nothing is sent.",
    "watch": "Label a folder's files, then each new one as it arrives.",
    "runs": "List the run folders below this one: state, rows, cost, accuracy.",
    "show": "Summarise a run folder, also while the run is in progress.",
    "retry": "Retry a run folder's failed rows only.",
    "merge": "Join a run's shards into one run, with one ledger and one set of results.",
    "review": "Review a run's doubtful rows. Your decisions go into the results.",
    "evaluate": "Evaluate a run against gold labels, and recommend a threshold.",
    "calibrate": "Fit a confidence calibration, or the labels' review thresholds.",
    "compare": "Compare models, prompts or packings on the same random rows.",
    "report": "Write an HTML report of a run: charts, and rows to look at.",
    "spend": "Show what was spent, compared with the preceding period.",
    "export": "Write a run's results again, as files or tables.",
    "repair": "Move damaged lines of a run's logs aside, and keep the rest.",
    "prompt": "Task files: start one, check it, see what is sent.",
    "canary": "Canary experiments: show the report, promote the canary.",
    "batch": "Batches at the provider: list, cancel, adopt or forget them.",
    "cache": "The answer cache that runs share (classify --reuse).",
    "config": "The configuration file: which values apply and why.",
    "simulate": "Serve OpenAI's chat and batch protocols on loopback: no model, no key.",
}
"""In the order of the help. Each command's module has the command's name."""

_MORE = ("input", "merge", "repair", "canary", "cache", "config", "simulate")
"""Commands that the help, which fits on one screen, only names in its last line."""


class Commands(TyperGroup):
    """The commands by name, each loaded when it is called. Until then, only its summary is known."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, short_help=summary) for name, summary in SUMMARIES.items()}

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that the first argument names.

        Raises:
            UsageError: there is none; the error suggests the command that is likely meant.
        """
        if args[0] in SUMMARIES:
            self.commands[args[0]] = load(args[0])
        elif not ctx.resilient_parsing:
            raise unknown_command(args[0], SUMMARIES)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write what the commands do, on one screen."""
        self.format_usage(ctx, formatter)
        formatter.write_text(self.help or "")
        formatter.write_paragraph()
        rest = [name for name in SUMMARIES if name in _MORE]
        shown = [(name, summary) for name, summary in SUMMARIES.items() if name not in _MORE]
        options = [max(option.opts, key=len) for option in self.get_params(ctx)]
        with formatter.indentation():
            formatter.write_dl([*shown, ("more", ", ".join(rest)), ("options", ", ".join(options))])


@cache
def load(name: str) -> Command:
    """A command with its options, built once."""
    return get_command(import_module(f"llmbatch.cli.{name}").app)
