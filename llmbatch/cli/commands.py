"""The program's commands: what each is for, and where it is.

A command's module is imported when the command is called. The help, which names them all, needs none of them.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typer._click import Command, Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

SUMMARIES: Mapping[str, str] = {
    "classify": "Label documents. Run it again to resume and to retry failed rows.",
    "estimate": "Estimate what classify would cost and how long it would take. Nothing is sent; no key is needed.",
    "input": "Show how inputs are read: format, encoding, fields, first documents, rows. Nothing is sent.",
    "watch": "Label a folder's files, then each new one as it comes. Takes the options of llmbatch classify.",
    "retry": "Retry a run folder's failed rows, and nothing else.",
    "evaluate": "Evaluate a run against gold labels: accuracy, confusions, calibration, a review threshold.",
    "calibrate": "Fit a calibration of confidence to a run's answers, and store it beside the task for later runs.",
    "compare": "Compare two or more models or prompts on the same random rows.",
    "review": "Review a run's doubtful rows: llmbatch review RUN. Your decisions go into the results.",
    "show": "Summarise a run folder, also while the run is in progress.",
    "report": "Write one HTML file that shows a run: charts, and the rows to look at. It loads nothing from elsewhere.",
    "spend": "Show what was spent, compared with as many days before.",
    "export": "Write results, review, failed and sample again, from the ledger and the input: as files or as tables.",
    "prompt": "Task files: start one, check it, see what is sent.",
    "canary": "Canary experiments: show the report, promote the canary.",
    "cache": "The answer cache that runs share (classify --reuse).",
    "config": "The configuration file (llmbatch.toml): which values count and why, its schema, whether it is trusted.",
    "simulate": "Serve OpenAI's chat-completions protocol on loopback: no model, no key, faults on demand.",
}
"""In the order of the help. The module of a command has its name."""


class Commands(TyperGroup):
    """The commands by name, each loaded when it is called. Until then a summary stands for it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, short_help=summary) for name, summary in SUMMARIES.items()}

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The command that the first argument names."""
        if args[0] in SUMMARIES:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)


def load(name: str) -> Command:
    """A command, with its options."""
    return get_command(import_module(f"llmbatch.cli.{name}").app)
