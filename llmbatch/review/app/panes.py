"""The contents of the screen's panes, built so that no untrusted text can add styling."""

from collections.abc import Container, Iterator, Mapping

from textual.content import Content

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.review.app.readable import readable
from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.item import CHOSEN, CONFLICT, FAILED, LOW_CONFIDENCE, SAMPLED, ReviewItem
from llmbatch.review.render import rate_text
from llmbatch.review.session import Progress, ReviewSession
from llmbatch.runs.decisions import Decision
from llmbatch.task.fields import Label

_BAR = 10
_LEAST = 3
_NAME, _ID, _VALUE = 60, 40, 400
_GAP = 3
_MARGIN = " " * len("model  ")
_MUTED = "$foreground 65%"
_REASONS = {
    LOW_CONFIDENCE: ("LOW CONFIDENCE", "$text-warning"),
    FAILED: ("FAILED", "$text-error"),
    CONFLICT: ("CONFLICT", "$text-error"),
    SAMPLED: ("SAMPLE", "$text-primary"),
    CHOSEN: ("CHOSEN", "$text-primary"),
}


def progress_line(progress: Progress, reviewer: str) -> Content:
    """Progress through the queue, and the reviewer's name."""
    full = round(_BAR * progress.decided / progress.total) if progress.total else _BAR
    return Content.assemble(
        ("━" * full, "$text-success"),
        ("┄" * (_BAR - full), "$foreground 45%"),
        f" {progress.decided:,} of {progress.total:,}",
        (f" · {progress.skipped:,} skipped" if progress.skipped else "", _MUTED),
        (f" · {neutral(reviewer, limit=20)}", _MUTED),
    )


def why_line(item: ReviewItem, copies: int) -> Content:
    """Why the row is in the queue, and its id and number."""
    name, style = _REASONS[item.reason]
    parts = [f"id {neutral(str(item.id), limit=_ID)}", f"row {item.row:,}"]
    if item.reason == LOW_CONFIDENCE and item.under is not None:
        parts.insert(0, neutral(item.under, limit=_NAME))
    if copies > 1:
        parts.append(f"{copies:,} rows with this text")
    return Content.assemble((name, f"bold {style}"), ("  " + " · ".join(parts), _MUTED))


def document(item: ReviewItem) -> Content:
    """The text, and below it the input's other fields."""
    fields = Content("\n").join(
        Content.assemble((f"{neutral(name, limit=_NAME)}: ", f"bold {_MUTED}"), (_value(value), _MUTED))
        for name, value in item.fields.items()
    )
    return Content.assemble(readable(item.text), "\n\n", fields) if item.fields else Content(readable(item.text))


def answer(item: ReviewItem, decision: Decision | None, draft: str | None, *, meaning: str, width: int) -> Content:
    """The model's answer with its label's meaning, people's decisions, and `draft`, the value that enter would save."""
    lines = [*_model_lines(item, meaning, width), *_people_lines(decision)]
    if draft not in (None, item.category):
        lines.append(Content.assemble(("yours  ", _MUTED), (neutral(draft, limit=_VALUE), "bold")))
    return Content("\n").join(lines)


def labels(keys: Mapping[str, Label], chosen: Container[str], *, width: int, lines: int) -> Content:
    """The keys and their labels; chosen labels are highlighted, initially the model's.

    Args:
        keys: the label of each key.
        chosen: names of labels.
        width: cells per line.
        lines: lines available; if there are enough, each label gets its own line, with its meaning.
    """
    if not keys:
        return Content("")
    cell = max(Content(neutral(label.name, limit=_NAME)).cell_length for label in keys.values()) + 2 + _GAP
    entries = [_entry(key, label, cell, is_chosen=label.name in chosen) for key, label in keys.items()]
    if len(entries) <= lines:
        room = max(width - cell, 1)
        meanings = (Content.styled(neutral(label.description, limit=room), _MUTED) for label in keys.values())
        return Content("\n").join(entry + meaning for entry, meaning in zip(entries, meanings, strict=True))
    columns = max(min(width // cell, len(entries)), 1)
    rows = -(-len(entries) // columns)
    return Content("\n").join(Content("").join(entries[row::rows]) for row in range(rows))


def with_others(shown: Content, count: int) -> Content:
    """The most likely labels, and how to pick one of all `count` labels."""
    hint = Content.assemble(("/", "bold $text-accent"), f" to pick from all {count} labels by name")
    return Content("\n").join((shown, hint)) if shown.plain else hint


def _entry(key: str, label: Label, cell: int, *, is_chosen: bool) -> Content:
    entry = Content.assemble(
        (key, "bold $text-accent"), " ", (neutral(label.name, limit=_NAME), "bold underline" if is_chosen else "")
    )
    return entry.pad_right(max(cell - entry.cell_length, 0))


def keys_line(keys: Mapping[str, Label], item: ReviewItem | None, *, can_accept: bool, width: int) -> Content:
    """The keys that are active now, as many as fit, the most important first."""
    named = [("?", "help"), ("q", "quit"), ("u", "undo")]
    if item is not None:
        given = [(f"1-{list(keys)[-1]}", "label"), ("/", "pick")] if keys else [("/", "label")]
        accept = [("enter", "accept")] if can_accept else []
        named = [
            *accept,
            *given,
            ("s", "skip"),
            ("u", "undo"),
            ("n", "note"),
            ("f", "find"),
            ("?", "help"),
            ("q", "quit"),
        ]
    shown = Content("")
    for key, what in named:
        entry = Content.assemble((key, "bold $text-accent"), f" {what}  ")
        if shown.cell_length + entry.cell_length <= width + 2:
            shown += entry
    return shown


def finished(session: ReviewSession, *, of_sample: bool) -> Content:
    """The text shown when the queue is done."""
    progress = session.progress
    if not progress.total:
        return Content.assemble(("Nothing needs review.", "bold $text-success"))
    lines = [
        Content.assemble(("No rows left to decide.", "bold $text-success")),
        Content(""),
        Content(f"{progress.decided:,} of {progress.total:,} decided, {progress.corrected:,} corrected."),
    ]
    if waiting := progress.total - progress.decided - progress.skipped:
        lines.append(Content(f"{counted(waiting, 'row')} open at other reviewers."))
    if progress.skipped:
        lines.append(Content.assemble(f"{progress.skipped:,} skipped: ", ("s", "bold $text-accent"), " to revisit."))
    if of_sample:
        lines.append(Content(f"Random sample: {rate_text(session.error_rate)}."))
    lines.append(
        Content.assemble("\n", ("←", "bold $text-accent"), " to go back, ", ("q", "bold $text-accent"), " to quit.")
    )
    return Content("\n").join(lines)


def sample_line(rate: ErrorRate) -> Content:
    """The error rate found so far."""
    return Content.styled(f"sample: {rate_text(rate)}", _MUTED)


def _model_lines(item: ReviewItem, meaning: str, width: int) -> Iterator[Content]:
    if item.category is None:
        error = neutral(item.error or "no answer", limit=_VALUE)
        yield Content.assemble(("model  ", _MUTED), (error, "$text-error"))
    else:
        name = neutral(item.category, limit=_NAME)
        yield Content.assemble(("model  ", _MUTED), (name, "bold"), "  ", *_confidence(item.confidence))
        if meaning:
            yield Content.styled(f"{_MARGIN}{neutral(meaning, limit=max(width - len(_MARGIN), 1))}", _MUTED)
        if item.confidences:
            yield Content.assemble(("least  ", _MUTED), neutral(_least_certain(item.confidences), limit=_VALUE))
        if item.runner_up is not None:
            yield Content.assemble(("next   ", _MUTED), neutral(item.runner_up, limit=_NAME))
    if item.votes is not None:
        yield Content.assemble(("votes  ", _MUTED), neutral(item.votes, limit=_VALUE))
    if item.reasoning:
        yield Content.assemble(("why    ", _MUTED), neutral(item.reasoning, limit=_VALUE))


def _least_certain(confidences: Mapping[str, float]) -> str:
    least = sorted(confidences.items(), key=lambda one: one[1])[:_LEAST]
    return ", ".join(f"{name} {confidence:.2f}" for name, confidence in least)


def _people_lines(decision: Decision | None) -> Iterator[Content]:
    if decision is not None and decision.standings:
        style = "$text-error" if decision.is_conflict else "$text-success"
        for number, standing in enumerate(decision.standings):
            said = "in conflict: " if decision.is_conflict else ""
            said += f"{neutral(standing.reviewer, limit=_ID)} decided {neutral(standing.category, limit=_NAME)}"
            yield Content.assemble(("people " if number == 0 else _MARGIN, _MUTED), (said, f"bold {style}"))
    if decision is not None and decision.note:
        yield Content.assemble(("note   ", _MUTED), neutral(decision.note, limit=_VALUE))


def _confidence(confidence: float | None) -> Iterator[tuple[str, str]]:
    if confidence is not None:
        full = round(_BAR * confidence)
        yield f"{confidence:.2f} ", ""
        yield "▇" * full, "$text-primary"
        yield "·" * (_BAR - full), "$foreground 45%"


def _value(value: object) -> str:
    return neutral(value if isinstance(value, str) else str(value), limit=_VALUE)
