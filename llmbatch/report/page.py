"""A run's page: its totals, its answers, what failed, and the rows to look at."""

from dataclasses import dataclass

from llmbatch.observe.summary import Summary
from llmbatch.report import panels
from llmbatch.report.attention import Attention
from llmbatch.report.correctness import Correctness
from llmbatch.report.html import embedded_json, rendered
from llmbatch.report.story import Story

_READ_AT_ONCE = "clean"


@dataclass(frozen=True, slots=True)
class Page:
    """The data for a run's page."""

    summary: Summary
    story: Story
    attention: Attention
    run_id: str
    inputs: str
    """The names of the run's inputs, for display."""
    on: str
    """Date and time of the last session, UTC."""
    at: str
    """When the page was generated, for display."""
    correctness: Correctness | None = None
    """The comparison with gold labels, if there are any."""


def render(page: Page) -> str:
    """Render the page's HTML."""
    summary, story, attention = page.summary, page.story, page.attention
    unclean = {name: count for name, count in summary.parse.items() if name != _READ_AT_ONCE}
    return rendered(
        "page.html.j2",
        script="page.js",
        summary=summary,
        run_id=page.run_id,
        inputs=page.inputs,
        on=page.on,
        at=page.at,
        correctness=page.correctness,
        tiles=panels.tiles(summary),
        labels=panels.bars(summary.labels, "ok", total=summary.rows.ok + summary.rows.review),
        failures=panels.bars(summary.failures, "failed"),
        retries=panels.bars(summary.retries, "review"),
        parse=panels.bars(unclean, "review", total=sum(summary.parse.values())),
        answers=[chart for chart in (panels.confidence(story), panels.latency(story)) if chart is not None],
        course=panels.course(story),
        drift=panels.drift(story),
        arms=panels.arms(story),
        counts=attention.counts,
        left_out=attention.left_out(),
        cases=embedded_json(attention.cases()),
    )
