"""A run folder that a command works on, and what the user says about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli.completion import run_folders
from llmbatch.cli.options.option import Option, OptionGroup

if TYPE_CHECKING:
    from llmbatch.runs.trust import Trust

RunPath = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run folder: INPUT.llmbatch.", show_default=False, autocompletion=run_folders),
]

RunPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...", help="Run folders: INPUT.llmbatch.", show_default=False, autocompletion=run_folders
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolderOptions(OptionGroup):
    """Which of the paths in a run folder are followed."""

    input: Annotated[
        list[str] | None,
        Option(
            "Where the run's input is now. Repeatable.",
            metavar="FILE",
            variables=("LLMBATCH_RUN_INPUT",),
            shown_default="where the run found it",
            is_sensitive=True,
        ),
    ] = None
    trust: Annotated[
        bool,
        Option(
            "Follow the paths in the run folder, although llmbatch did not create it for you here.",
            is_sensitive=True,
        ),
    ] = False

    def to_trust(self) -> "Trust":
        """The options in the form that the run folder takes."""
        from llmbatch.runs.trust import Trust

        return Trust(self.trust, tuple(self.input or ()))
