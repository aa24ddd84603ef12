"""Experiments in addition to a run's own prompt and model, and what the run is compared with."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli.completion import models, run_folders, tasks
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.runs.options import CanaryOptions, JuryOptions

_FEWEST_VOTES, _MOST_VOTES = 2, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions(OptionGroup):
    """A canary, other models for doubtful rows, and an earlier run."""

    panel: ClassVar[str] = "Canary, doubtful rows, drift"

    canary_prompt: Annotated[
        str | None,
        Option(
            "A task file to try on some of the rows; dropped if it does significantly worse.",
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
        Option("A stronger model to ask about doubtful rows before they go to review.", metavar="M", completer=models),
    ] = None
    jury: Annotated[
        str | None,
        Option("Models that vote on doubtful rows before they go to review, separated by commas.", metavar="M1,M2"),
    ] = None
    votes: Annotated[
        int | None,
        Option(
            "Number of answers of the run's own model to a doubtful row, the first included; each is a vote.",
            metavar="N",
            min=_FEWEST_VOTES,
            max=_MOST_VOTES,
        ),
    ] = None
    baseline: Annotated[
        Path | None,
        Option("An earlier run's folder: show what has shifted since.", metavar="RUN", completer=run_folders),
    ] = None
    fail_on_drift: Annotated[
        bool, Option("With --baseline: exit with code 3 if something has shifted significantly.")
    ] = False

    def to_canary(self) -> "CanaryOptions | None":
        """The canary for some of the rows, or None.

        Raises:
            UsageError: the share is invalid.
        """
        from llmbatch.engine.failure_rate_guard import parse_share
        from llmbatch.runs.options import CanaryOptions

        if self.canary_prompt is None and self.canary_model is None:
            return None
        share = parse_share(self.canary_share, "--canary-share")
        return CanaryOptions(self.canary_prompt, self.canary_model, share, self.canary_expand)

    def to_jury(self) -> "JuryOptions | None":
        """Who votes on doubtful rows, or None.

        Raises:
            UsageError: several options are given for doubtful rows, or a model is named twice or not at all.
        """
        from llmbatch.runs.options import JuryOptions

        given = {"--jury": self.jury, "--votes": self.votes, "--escalate-to": self.escalate_to}
        named = [option for option, value in given.items() if value is not None]
        if len(named) > 1:
            raise UsageError(
                f"{' and '.join(named)} cannot be combined: each asks about the same doubtful rows",
                hint="give one of them",
            )
        if self.votes is not None:
            return JuryOptions(votes=self.votes)
        if self.jury is None:
            return None
        models = tuple(model.strip() for model in self.jury.split(","))
        if not all(models) or len(set(models)) < len(models):
            raise UsageError(
                f"--jury {self.jury!r} does not name distinct models", hint="write it like --jury gpt-6,gpt-6-nano"
            )
        return JuryOptions(models)
