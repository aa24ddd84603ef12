"""How rows are written: results, review, the sample, the exit code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults

Bom = Annotated[bool, Option("Begin CSV files with a byte order mark, by which Excel knows UTF-8.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions(OptionGroup):
    """Where results are written, and which rows are reviewed."""

    panel: ClassVar[str] = "Results"

    out: Annotated[
        Path | None,
        Option(
            "Run folder.",
            brief="Run folder; without it INPUT.llmbatch.",
            short="-o",
            metavar="FOLDER",
            shown_default="INPUT.llmbatch",
        ),
    ] = None
    shard: Annotated[
        str | None,
        Option(
            "Label only this part of the rows; other processes label the others, llmbatch merge joins them.",
            metavar="I/N",
            shown_default="all rows",
        ),
    ] = None
    keep: Annotated[
        list[str] | None,
        Option(
            "Input field carried into the results. Repeatable, or a,b.",
            shown_default="all but the text",
            is_name=True,
        ),
    ] = None
    review_below: Annotated[
        float | None,
        Option(
            "Confidence below which a row goes to review.",
            brief=f"Confidence below which rows go to review: {defaults.REVIEW_BELOW}.",
            metavar="0..1|P%",
            is_share=True,
            min=0,
            max=1,
            shown_default=str(defaults.REVIEW_BELOW),
        ),
    ] = None
    sample: Annotated[
        str,
        Option(
            "Size of the random sample of finished rows for people to check.",
            brief="Random sample of finished rows to check.",
            metavar="P%|N",
        ),
    ] = "0%"
    seed: Annotated[
        int,
        Option(
            "Random seed of the sample, and of the order of rows that share a request.",
            min=-bounds.MOST_WHOLE,
            max=bounds.MOST_WHOLE,
        ),
    ] = 0
    calibration: Annotated[
        str | None,
        Option(
            "Calibration file from llmbatch calibrate.",
            metavar="FILE|none",
            shown_default="TASK.calibration.json, where there is one",
            is_path=True,
        ),
    ] = None
    max_failed: Annotated[str, Option("Failed rows tolerated before the exit code is 3.", metavar="N|P%")] = "0"
    salvage: Annotated[
        bool, Option("Move damaged log lines aside, as llmbatch repair RUN does, and continue.", is_hidden=True)
    ] = False
