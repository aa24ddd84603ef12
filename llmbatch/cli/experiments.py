"""The options that try something beside a run's own prompt and model, or compare the run with an earlier one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from llmbatch.runs.options import CanaryOptions

TRIAL = "Canary, escalation, drift"

CanaryPrompt = Annotated[
    str | None,
    typer.Option(
        "--canary-prompt",
        metavar="FILE",
        envvar="LLMBATCH_CANARY_PROMPT",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="A task file to try on some of the rows; dropped when it does significantly worse.",
    ),
]
CanaryModel = Annotated[
    str | None,
    typer.Option(
        "--canary-model",
        metavar="M",
        envvar="LLMBATCH_CANARY_MODEL",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="A model to try likewise.",
    ),
]
CanaryShare = Annotated[
    str,
    typer.Option(
        "--canary-share",
        metavar="P%",
        envvar="LLMBATCH_CANARY_SHARE",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="Share of the rows that the canary gets.",
    ),
]
CanaryExpand = Annotated[
    bool,
    typer.Option(
        "--canary-expand",
        envvar="LLMBATCH_CANARY_EXPAND",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="Double the canary's share step by step, up to half, while it holds.",
    ),
]
EscalateTo = Annotated[
    str | None,
    typer.Option(
        "--escalate-to",
        metavar="M",
        envvar="LLMBATCH_ESCALATE_TO",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="A stronger model to ask about doubtful rows before they go to people.",
    ),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="RUN",
        envvar="LLMBATCH_BASELINE",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="An earlier run's folder: tell what has shifted since.",
    ),
]
FailOnDrift = Annotated[
    bool,
    typer.Option(
        "--fail-on-drift",
        envvar="LLMBATCH_FAIL_ON_DRIFT",
        show_envvar=False,
        rich_help_panel=TRIAL,
        help="With --baseline: leave with 3 where something has shifted significantly.",
    ),
]


def canary_options(prompt: str | None, model: str | None, share: str, *, expand: bool) -> "CanaryOptions | None":
    """What is on trial, or None.

    Raises:
        UsageError: the share is none.
    """
    from llmbatch.engine.failure_rate_guard import parse_share
    from llmbatch.runs.options import CanaryOptions

    if prompt is None and model is None:
        return None
    return CanaryOptions(prompt, model, parse_share(share, "--canary-share"), expand)
