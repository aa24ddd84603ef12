"""The report page: one file that fetches nothing and executes no text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmbatch.core.ledger_line import RowError
from llmbatch.observe.summary import RowCounts, Summary
from llmbatch.report.attention import Attention
from llmbatch.report.correctness import Correctness
from llmbatch.report.html import embedded_json, soft
from llmbatch.report.matrix import Cell, Matrix
from llmbatch.report.page import Page, render
from llmbatch.report.panels import bars
from llmbatch.report.story import Story
from llmbatch.runs.outputs.outcome import FAILED_VIEW, REVIEW
from tests.report.test_story import line, outcome
from tests.terminal.test_screens import TROUBLED, summary

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028\x1b[31m'\"&{{ 7*7 }}"


class Parsed(HTMLParser):
    """The page as a browser parses it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where a name may wrap
            self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside in self.contents:
            self.contents[self._inside].append(data)

    def content(self, attribute: str) -> str:
        return next(a["content"] or "" for tag, a in self.tags if tag == "meta" and attribute in a.values())


def page(text: str) -> str:
    """A page with this text in every place."""
    story, attention = Story(0.5), Attention()
    for n in range(8):
        hostile_outcome = outcome(n, REVIEW, category=text, confidence=0.3, arm=f"{text}{n % 2}", reasoning=text)
        story.add_row(hostile_outcome)
        attention.look_at(hostile_outcome)
        story.add_line(line(n))
    attention.look_at(outcome(9, FAILED_VIEW, status="failed", error=RowError(text, None, text)))
    shown: dict[str, Any] = {"folder": text, "reason": text, "model": text, "task": text, "notes": (text,)}
    counts = {"labels": {text: 3}, "failures": {text: 1}, "retries": {text: 2}, "parse": {text: 1}}
    matrix = Matrix([(text, [Cell("1", text, "right s1")])], text)
    right = Correctness(text, text, (text,), None, bars({text: 2}, "failed"), text, matrix)
    return render(Page(summary(**shown, **counts), story, attention, text, text, text, text, right))


def plain(shown: Summary) -> str:
    """A page of a run without rows to look at."""
    return render(Page(shown, Story(0.5), Attention(), "run", "docs.jsonl", "2026-11-27 02:14 UTC", "now"))


@given(st.text(min_size=1))
@example(HOSTILE)
@settings(max_examples=5, deadline=None)
def test_no_text_becomes_markup_or_ends_a_script(text: str) -> None:
    plain, hostile = Parsed(page("plain")), Parsed(page(text))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert [set(attributes) for _, attributes in hostile.tags] == [set(a) for _, a in plain.tags]
    assert hostile.contents["script"][1] == plain.contents["script"][1]


@settings(max_examples=20, deadline=None)
@given(st.recursive(st.text() | st.just(HOSTILE), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_data_round_trips(data: Any) -> None:
    embedded = embedded_json(data)
    assert not set("<>&\u2028\u2029") & set(embedded)
    assert json.loads(embedded) == data


def test_the_policy_allows_only_the_pages_own_style_and_script() -> None:
    html = page("x")
    shown = Parsed(html)
    policy = shown.content("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    for kind, content in (("style", shown.contents["style"][0]), ("script", shown.contents["script"][1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not [a for _, a in shown.tags if {"src", "href", "style", "onclick"} & set(a)]
    assert not re.findall(r"https?://(?!api\.openai\.com)", html)
    assert "unsafe" not in policy


def test_a_page_without_rows_is_complete() -> None:
    html = render(
        Page(summary(rows=RowCounts(total=9, ok=5, undone=4)), Story(0.5), Attention(), "r", "docs", "today", "now")
    )
    assert "every row sent has a label" in html
    assert "undone" in html


def test_unreadable_rows_are_not_reported_as_zero() -> None:
    html = plain(TROUBLED)
    assert "could not be read again" in html


def test_without_failures_there_is_no_failures_section() -> None:
    html = plain(summary(parse={"clean": 9}))
    assert "Failures and retries" not in html
    html = plain(summary(parse={"clean": 9, "repaired": 1}))
    assert "Failures and retries" in html
    assert "clean" not in html.partition("<body>")[2]


def test_the_title_names_task_input_and_date() -> None:
    html = render(
        Page(summary(task="tickets"), Story(0.5), Attention(), "r", "docs.jsonl", "2026-11-27 02:14 UTC", "n")
    )
    assert "<title>tickets, docs.jsonl, 2026-11-27 02:14 UTC</title>" in html


def test_the_longest_bars_are_shown_and_the_others_folded() -> None:
    made = bars({f"label_{n}": 1000 - n for n in range(300)}, "ok")
    assert made is not None
    assert [bar.name for bar in made.shown] == [f"label_{n}" for n in range(10)]
    assert (len(made.folded), made.remark) == (200, "90 more, 67,095 in all")
    assert bars({"a": 0}, "ok") is None


def test_long_names_wrap_at_separators() -> None:
    assert soft("balance_not_updated/after<b>") == "balance_<wbr>not_<wbr>updated/<wbr>after&lt;b&gt;"
    assert soft("plain words") == "plain words"
