"""What is tried beside a run's own prompt and model, and what the run is compared with."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli.completion import models, run_folders, tasks
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults

if TYPE_CHECKING:
    from llmbatch.runs.options import CanaryOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions(OptionGroup):
    """A canary, a stronger model for doubtful rows, and an earlier run."""

    panel: ClassVar[str] = "Canary, escalation, drift"

    canary_prompt: Annotated[
        str | None,
        Option(
            "A task file to try on some of the rows; dropped when it does significantly worse.",
            metavar="FILE",
            completer=tasks,
            is_path=True,
        ),
    ] = None
    canary_model: Annotated[
        str | None, Option("A model to try on some of the rows.", metavar="M", completer=models)
    ] = None
    canary_share: Annotated[str, Option("Share of the rows that the canary gets.", metavar="P%")] = (
        f"{defaults.CANARY_SHARE}%"
    )
    canary_expand: Annotated[
        bool, Option("Double the canary's share step by step, up to half, while it does well.")
    ] = False
    escalate_to: Annotated[
        str | None,
        Option("A stronger model to ask about doubtful rows before they go to people.", metavar="M", completer=models),
    ] = None
    baseline: Annotated[
        Path | None,
        Option("An earlier run's folder: show what has shifted since.", metavar="RUN", completer=run_folders),
    ] = None
    fail_on_drift: Annotated[
        bool, Option("With --baseline: exit with code 3 if something has shifted significantly.")
    ] = False

    def to_canary(self) -> "CanaryOptions | None":
        """What is tried on some of the rows, or None.

        Raises:
            UsageError: the share is none.
        """
        from llmbatch.engine.failure_rate_guard import parse_share
        from llmbatch.runs.options import CanaryOptions

        if self.canary_prompt is None and self.canary_model is None:
            return None
        share = parse_share(self.canary_share, "--canary-share")
        return CanaryOptions(self.canary_prompt, self.canary_model, share, self.canary_expand)
