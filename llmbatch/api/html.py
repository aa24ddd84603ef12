"""A run in a notebook: its rows by status, its labels and its cost, in one small table."""

import html
from collections.abc import Iterator

from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.observe.summary import Summary
from llmbatch.terminal.figures import dollars

_MOST_LABELS = 20


def run_html(summary: Summary) -> str:
    """The table's HTML; names are shortened and escaped, and it contains no colours or scripts."""
    rows = summary.rows
    counts = {"ok": rows.ok, "in review": rows.review, "failed": rows.failed + rows.rejected, "pending": rows.undone}
    lines = [
        _line("task", _text(summary.task)),
        _line("model", _text(summary.model) + (" (offline endpoint)" if summary.offline else "")),
        _line("folder", f"<code>{_text(summary.folder, limit=200)}</code>"),
        _line("rows", f"{rows.total:,}"),
        *(_count(name, count, rows.total) for name, count in counts.items() if count),
        _line("cost", dollars(summary.spent.cost_nanousd)),
        *_labels(summary),
    ]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def _labels(summary: Summary) -> Iterator[str]:
    ranked = sorted(((name, count) for name, count in summary.labels.items() if count), key=lambda item: -item[1])
    if ranked:
        yield '<tr><th colspan="2" style="text-align:left">labels</th></tr>'
    labelled = summary.rows.ok + summary.rows.review
    for name, count in ranked[:_MOST_LABELS]:
        yield _count(name, count, labelled)
    if len(ranked) > _MOST_LABELS:
        yield _line("", f"and {len(ranked) - _MOST_LABELS:,} more labels")


def _count(name: str, count: int, total: int) -> str:
    bar = f'<progress value="{count}" max="{max(total, 1)}"></progress>'
    return _line(_text(name), f"{bar} {count:,} ({percent(count, total)})")


def _line(name: str, cell: str) -> str:
    return f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{cell}</td></tr>'


def _text(text: str, *, limit: int = 60) -> str:
    return html.escape(neutral(text, limit=limit))
