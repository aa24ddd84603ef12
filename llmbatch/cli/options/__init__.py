"""The options of the commands that run, each with its environment variable and its place in the help."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.field_names import whole_variable
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind, Truncation
from llmbatch.task.prefix_policy import PrefixPolicy

if TYPE_CHECKING:
    from llmbatch.cache.options import Reuse
    from llmbatch.runs.trust import Trust

INPUT, TASK, RESULTS, SENDING, SCREEN = "Input", "Task and model", "Results", "Sending", "Screen"
ROWS, REUSE, BUDGET = "Which rows", "Answers of earlier runs", "Money"
"""Panels of the help."""

ENVIRONMENT = "Every option is an environment variable too: --retry-wait-min is LLMBATCH_RETRY_WAIT_MIN."

_INPUT_HELP = (
    "Documents: .json, .jsonl, .ndjson, .csv, .tsv, each also .gz, .bz2, .xz, .zst; "
    "folders, quoted globs, or - for standard input."
)
Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help=_INPUT_HELP, show_default=False)]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder: INPUT.llmbatch.", show_default=False)]
TrustRun = Annotated[
    bool,
    typer.Option(
        "--trust",
        envvar="LLMBATCH_TRUST",
        show_envvar=False,
        help="Follow the paths that the run folder names, though llmbatch did not make it for you here.",
    ),
]
NamedInput = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        envvar="LLMBATCH_RUN_INPUT",
        show_envvar=False,
        metavar="FILE",
        help="Where the run's input is now. Repeatable.",
        show_default="where the run found it",
    ),
]

Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        envvar="LLMBATCH_STRICT",
        show_envvar=False,
        rich_help_panel=INPUT,
        help="End at the first row that cannot be read.",
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--task",
        "--prompt",
        "-p",
        envvar=["LLMBATCH_TASK", "LLMBATCH_PROMPT"],
        show_envvar=False,
        rich_help_panel=TASK,
        help="Task file, or the name of a packaged one.",
        show_default="default",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="LLMBATCH_MODEL",
        show_envvar=False,
        rich_help_panel=TASK,
        help=f"Model to ask. Default: the task's, else {defaults.MODEL}.",
    ),
]
Reasoning = Annotated[
    bool,
    typer.Option(
        "--reasoning",
        envvar="LLMBATCH_REASONING",
        show_envvar=False,
        rich_help_panel=TASK,
        help="Ask for a short rationale too.",
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        min=0,
        max=2,
        envvar="LLMBATCH_TEMPERATURE",
        show_envvar=False,
        rich_help_panel=TASK,
        help="Where the model takes one.",
    ),
]
ReasoningEffort = Annotated[
    str | None,
    typer.Option(
        "--reasoning-effort",
        envvar="LLMBATCH_REASONING_EFFORT",
        show_envvar=False,
        rich_help_panel=TASK,
        help="For reasoning models.",
        show_default="the lowest",
    ),
]
MaxOutputTokens = Annotated[
    int | None,
    typer.Option(
        "--max-output-tokens",
        min=1,
        max=defaults.MOST_TOKENS,
        envvar="LLMBATCH_MAX_OUTPUT_TOKENS",
        show_envvar=False,
        rich_help_panel=TASK,
        help="Ceiling of an answer.",
        show_default="by the longest label",
    ),
]
MaxDocTokens = Annotated[
    int | None,
    typer.Option(
        "--max-doc-tokens",
        min=16,
        max=defaults.MOST_TOKENS,
        envvar="LLMBATCH_MAX_DOC_TOKENS",
        show_envvar=False,
        rich_help_panel=TASK,
        help="Tokens that a document may have; longer ones fail unsent, or are cut by --truncate.",
        show_default="what the model's window leaves",
    ),
]
Truncate = Annotated[
    Truncation | None,
    typer.Option(
        "--truncate",
        envvar="LLMBATCH_TRUNCATE",
        show_envvar=False,
        rich_help_panel=TASK,
        help="Cut documents that are too long: keep the head, or head and tail in equal parts.",
    ),
]
ReuseAnswers = Annotated[
    bool,
    typer.Option(
        "--reuse",
        envvar="LLMBATCH_REUSE",
        show_envvar=False,
        rich_help_panel=REUSE,
        help="Take answers that earlier runs got for the same text and plan, and keep this run's for later ones.",
    ),
]
ReuseStore = Annotated[
    Path | None,
    typer.Option(
        "--reuse-store",
        metavar="FILE",
        envvar="LLMBATCH_REUSE_STORE",
        show_envvar=False,
        rich_help_panel=REUSE,
        help="Where answers are kept.",
        show_default="the user's cache folder",
    ),
]
ReuseLimit = Annotated[
    int,
    typer.Option(
        "--reuse-limit",
        metavar="MB",
        min=1,
        max=bounds.MOST_MEGABYTES,
        envvar="LLMBATCH_REUSE_LIMIT",
        show_envvar=False,
        rich_help_panel=REUSE,
        help="Megabytes that kept answers may take; those used longest ago go first.",
    ),
]
ReuseMaxAge = Annotated[
    float | None,
    typer.Option(
        "--reuse-max-age",
        metavar="DAYS",
        min=0,
        max=bounds.MOST_DAYS,
        envvar="LLMBATCH_REUSE_MAX_AGE",
        show_envvar=False,
        rich_help_panel=REUSE,
        help="Take no answer that is older.",
        show_default="any age",
    ),
]
Prefix = Annotated[
    PrefixPolicy,
    typer.Option(
        "--prefix",
        envvar="LLMBATCH_PREFIX",
        show_envvar=False,
        rich_help_panel=TASK,
        help="How much of the task's pool of examples is sent: what makes the run cheapest, none, or all.",
    ),
]
Confidence = Annotated[
    ConfidenceKind,
    typer.Option(
        "--confidence",
        envvar="LLMBATCH_CONFIDENCE",
        show_envvar=False,
        rich_help_panel=TASK,
        help="The model's own word, or measured from its label tokens' log-probabilities where it gives them.",
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        metavar="FILE|none",
        envvar="LLMBATCH_CALIBRATION",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Calibration file from llmbatch calibrate.",
        show_default="TASK.calibration.json, where there is one",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        envvar="LLMBATCH_OUT",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Run folder.",
        show_default="INPUT.llmbatch",
    ),
]
Bom = Annotated[
    bool,
    typer.Option(
        "--bom",
        envvar="LLMBATCH_BOM",
        show_envvar=False,
        help="Begin CSV files with a byte order mark, by which Excel knows UTF-8.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        callback=whole_variable,
        envvar="LLMBATCH_KEEP",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Input field carried into the results. Repeatable, or a,b.",
        show_default="all but the text",
    ),
]
ReviewBelow = Annotated[
    float | None,
    typer.Option(
        "--review-below",
        min=0,
        max=1,
        envvar="LLMBATCH_REVIEW_BELOW",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Confidence under which a row goes to people.",
        show_default=str(defaults.REVIEW_BELOW),
    ),
]
SampleSize = Annotated[
    str,
    typer.Option(
        "--sample",
        metavar="P%|N",
        envvar="LLMBATCH_SAMPLE",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Random sample of finished rows for people to check.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=-bounds.MOST_WHOLE,
        max=bounds.MOST_WHOLE,
        envvar="LLMBATCH_SEED",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Random seed of the sample.",
    ),
]
MaxFailed = Annotated[
    str,
    typer.Option(
        "--max-failed",
        metavar="N|P%",
        envvar="LLMBATCH_MAX_FAILED",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Failed rows tolerated before the exit code is 3.",
    ),
]
Salvage = Annotated[
    bool,
    typer.Option(
        "--salvage",
        envvar="LLMBATCH_SALVAGE",
        show_envvar=False,
        rich_help_panel=RESULTS,
        help="Move damaged lines of the ledger aside and go on with the rest.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        envvar="LLMBATCH_JSON",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Print the summary as one JSON object.",
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        envvar="LLMBATCH_QUIET",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Say nothing but errors.",
    ),
]


def reuse_options(wanted: bool, store: Path | None, limit_mb: int, max_age_days: float | None) -> "Reuse | None":
    """The options of reuse as the pipeline takes them; None where it is not wanted."""
    from llmbatch.cache.options import Reuse

    return Reuse(store, limit_mb * 1_000_000, max_age_days) if wanted else None


def trusted(trust: bool, inputs: list[str] | None = None) -> "Trust":
    """What the user says about a run folder, as the pipeline takes it."""
    from llmbatch.runs.trust import Trust

    return Trust(trust, tuple(inputs or ()))
