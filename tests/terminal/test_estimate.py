"""How an estimate is shown."""

import io

from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from llmbatch.estimate.cost import Cost, Job, Range
from llmbatch.estimate.result import Estimate, ModelEstimate, RowsFound, estimate_json
from llmbatch.estimate.sample import TokenTotal
from llmbatch.estimate.time import TimeNeeded
from llmbatch.terminal.estimate import render_estimate

KNOWN = ModelEstimate(
    model="gpt-6-luna",
    rows=RowsFound(total=7600, to_ask=7000, truncated=12, like_another=40, done=550, too_long=8, rejected=2),
    job=Job(7000, 1796, TokenTotal(412_345.6, 4_123.4, 7000, 3000), 1796, 1796, Range(9, 9.25, 15)),
    cost=Cost(
        223_700_000, 222_800_000, 615_400_000, 1_480_000_000, (("1 request in 5 misses the cache", 318_000_000),)
    ),
    time=TimeNeeded(760.0, "by 600 requests a minute (--rpm)"),
    known_rows=550,
)
UNKNOWN = ModelEstimate(
    model="\x1b[31mmine[/]",
    rows=RowsFound(total=7600, to_ask=7598, rejected=2),
    job=Job(7598, 1796, TokenTotal(435_120, 0, 7598, 7598), 0, 0, Range(9, 9.25, 15)),
    cost=None,
    time=TimeNeeded(None, "no limit is known before the first answer: give --rpm, --tpm or --concurrency"),
    known_rows=0,
)
ESTIMATE = Estimate("ag_news.llmbatch", "ag_news", (KNOWN, UNKNOWN))


def rendered(estimate: Estimate) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=100, markup=False, emoji=False, highlight=False, color_system=None)
    render_estimate(estimate, console)
    return stream.getvalue()


def test_models_stand_side_by_side_with_what_the_figures_rest_on(snapshot: SnapshotAssertion) -> None:
    shown = rendered(ESTIMATE)
    assert "\x1b" not in shown
    assert shown == snapshot


def test_one_model_needs_no_heading(snapshot: SnapshotAssertion) -> None:
    assert rendered(Estimate("ag_news.llmbatch", "ag_news", (KNOWN,))) == snapshot


def test_machines_get_the_same_figures(snapshot: SnapshotAssertion) -> None:
    assert estimate_json(ESTIMATE) == snapshot
