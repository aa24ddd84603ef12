"""The page itself: one file, nothing fetched, nothing run but the page's own script.

Everything from outside is escaped by the template engine or stands in a block of JSON that cannot end early. The
Content-Security-Policy allows the page's own style and script by their hashes and nothing else.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import llmbatch
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.observe.summary import Summary
from llmbatch.report import panels
from llmbatch.report.attention import Attention
from llmbatch.report.correctness import Correctness
from llmbatch.report.story import Story


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made of."""

    summary: Summary
    story: Story
    attention: Attention
    run_id: str
    at: str
    """When it was made, for people."""
    correctness: Correctness | None = None
    """What gold labels say, where there are any."""


def write_page(path: Path, page: Page) -> None:
    """Write a run's page, whole or not at all, readable by its user only: it holds texts of documents.

    Raises:
        UsageError: it cannot be written there.
    """
    html = render(page)
    try:
        with replacing(path) as file:
            file.write(html.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def render(page: Page) -> str:
    """The page's HTML."""
    summary, story, attention = page.summary, page.story, page.attention
    environment = Environment(
        loader=PackageLoader("llmbatch.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _asset("page.css"), _asset("page.js")
    return environment.get_template("page.html.j2").render(
        summary=summary,
        version=llmbatch.__version__,
        run_id=page.run_id,
        at=page.at,
        correctness=page.correctness,
        style=style.text,
        script=script.text,
        policy=(
            f"default-src 'none'; style-src '{style.hash}'; script-src '{script.hash}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        tiles=panels.tiles(summary),
        labels=panels.bars(summary.labels, "ok", total=summary.rows.ok + summary.rows.review),
        failures=panels.bars(summary.failures, "failed"),
        retries=panels.bars(summary.retries, "review"),
        parse=panels.bars(summary.parse, "ok"),
        answers=[chart for chart in (panels.confidence(story), panels.latency(story)) if chart is not None],
        course=panels.course(story),
        drift=panels.drift(story),
        arms=panels.arms(story),
        counts=attention.counts,
        left_out=attention.left_out(),
        cases=embedded_json(attention.cases()),
    )


def embedded_json(data: Any) -> Markup:
    """Data for a `<script type="application/json">` block: no text in it can end the block or open a comment."""
    raw = orjson.dumps(data).decode()
    for character in "<>&\u2028\u2029":
        raw = raw.replace(character, f"\\u{ord(character):04x}")
    return Markup(raw)  # noqa: S704 - nothing that HTML reads is left in it


@dataclass(frozen=True, slots=True)
class _Asset:
    text: Markup
    hash: str


def _asset(name: str) -> _Asset:
    text = resources.files("llmbatch.report").joinpath("assets", name).read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return _Asset(Markup(text), f"sha256-{digest}")  # noqa: S704 - our own file
