"""Prepares rows for sending: the text to send, the key, and any outcome that needs no request."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from llmbatch.core.ledger_line import LedgerLine, Reread, as_written
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.outcome import earlier_line, unsent_line
from llmbatch.engine.plan import Plan
from llmbatch.engine.sinks import Outcomes
from llmbatch.task.document_limit import TRUNCATED

if TYPE_CHECKING:
    from llmbatch.cache import CachedAnswer
    from llmbatch.cache.answers import AnswerCache


class Document(Struct, frozen=True, gc=False):
    """A row prepared for the engine."""

    row: Row
    """Its text is what will be sent."""
    key: str
    outcome: LedgerLine | None = None
    """Its outcome without a request: it is too long, or an earlier run has an answer."""
    failed_before: bool = False
    """Whether it failed in an earlier session, so that failing again says nothing about other rows."""


class Skipped(Struct, frozen=True, gc=False):
    """A number of consecutive rows that are not sent: mostly those finished by an earlier session."""

    count: int
    left: int = 0
    """How many of them have no outcome, which a retry leaves unchanged."""


Item = Document | Rejection | Skipped

_SKIPPED_AT_ONCE = 1_000
"""Skipped rows per report: the loop has no time for each of a million."""


def skips(outcomes: Outcomes, is_wanted: Callable[[str], bool]) -> Callable[[str], bool]:
    """A predicate for keys that need no work in this session, valid while lines are appended.

    Args:
        outcomes: the outcomes of earlier sessions.
        is_wanted: whether a key should be processed, given its latest line.
    """
    # In this order: a line that arrives between the two makes the row one of this session's.
    return lambda key: not is_wanted(key) and not outcomes.is_of_session(key)


@dataclass(frozen=True, slots=True)
class FailedBefore:
    """The rows that failed in earlier sessions.

    They are processed after the rows never sent; otherwise they could stop the run again before it reaches those.
    """

    outcomes: Outcomes
    read_again: Callable[[], Iterable[Row | Rejection]] | None
    """The input from its start; None for a stream, whose rows are processed in order of arrival."""

    def __contains__(self, key: str) -> bool:
        outcomes = self.outcomes
        return outcomes.was_written(key) and not outcomes.is_done(key) and not outcomes.is_of_session(key)


@dataclass(frozen=True, slots=True)
class Intake:
    """Prepares rows in the reader's thread, since counting a long text's tokens and look-ups take time."""

    plan: Plan
    """The run's plan, which gives the rows their keys."""
    asked: Plan
    """The plan to send: a different one if a retry uses another model."""
    is_skipped: Callable[[str], bool]
    """The predicate from `skips`."""
    earlier: "AnswerCache | None" = None
    reread: Reread = as_written
    """Converts an earlier run's line for use in this one."""
    is_settled: Callable[[str], bool] = lambda _: False
    """Whether a human decision has labelled a text."""
    failed_before: FailedBefore | None = None
    is_done: Callable[[str], bool] | None = None
    """Whether a skipped key has its label; None if all have."""

    def prepared(self, rows: Iterable[Row | Rejection], *, batch: int) -> Iterator[Item]:
        """Rows prepared for the engine; they are looked up in the answer cache `batch` at a time."""
        items = self._wanted(rows)
        if self.earlier is None:
            yield from items
            return
        while group := list(islice(items, batch)):
            yield from self._answered(group, self.earlier)

    def _wanted(self, rows: Iterable[Row | Rejection]) -> Iterator[Item]:
        skipped, left, put_off = 0, 0, array("Q")
        failed_before = self.failed_before
        for row, text, key in self._keyed(rows):
            if isinstance(row, Rejection):
                yield row
            elif self.is_skipped(key) or self.is_settled(row.text):
                skipped += 1
                if self.is_done is not None:
                    left += not (self.is_done(key) or self.is_settled(row.text))
                if skipped == _SKIPPED_AT_ONCE:
                    yield Skipped(skipped, left)
                    skipped = left = 0
            elif failed_before is None or key not in failed_before:
                yield self._document(row, text, key)
            elif failed_before.read_again is not None:
                put_off.append(row.index)
            else:
                yield replace(self._document(row, text, key), failed_before=True)
        if skipped:
            yield Skipped(skipped, left)
        if put_off and failed_before is not None and failed_before.read_again is not None:
            yield from self._put_off(failed_before.read_again(), put_off)

    def _put_off(self, rows: Iterable[Row | Rejection], indexes: Sequence[int]) -> Iterator[Item]:
        """The rows that failed in earlier sessions, by position, once all others have been handed over."""
        wanted = iter(indexes)
        index = next(wanted)
        for row, text, key in self._keyed(rows):
            if isinstance(row, Row) and row.index == index:
                yield replace(self._document(row, text, key), failed_before=True)
                if (index := next(wanted, -1)) < 0:
                    return

    def _keyed(self, rows: Iterable[Row | Rejection]) -> Iterator[tuple[Row | Rejection, str, str]]:
        """Each row with the text to send, and its key."""
        asked, key_of = self.asked.limit.asked, self.plan.key_of
        plan = None if self.plan is self.asked else self.plan
        for row in rows:
            if isinstance(row, Rejection):
                yield row, "", ""
                continue
            text = asked(row.text)
            yield row, text, key_of(text) if plan is None else plan.key(row.text)

    def _document(self, row: Row, text: str, key: str) -> Document:
        if text is not row.text:
            return Document(replace(row, text=text, flags=(*row.flags, TRUNCATED)), key)
        refusal = self.asked.limit.refusal(text)
        return Document(row, key, None if refusal is None else unsent_line(row, key, self.asked, "too_long", refusal))

    def _answered(self, group: list[Item], earlier: "AnswerCache") -> Iterator[Item]:
        open_keys = {item.key for item in group if isinstance(item, Document) and item.outcome is None}
        answers = earlier.look_up(open_keys)
        for item in group:
            if isinstance(item, Document) and (answer := answers.get(item.key)) is not None:
                yield self._with_answer(item, answer)
            else:
                yield item

    def _with_answer(self, document: Document, answer: "CachedAnswer") -> Document:
        if answer.category not in self.asked.task.label_space:
            return document  # stored answers must not introduce labels that the task does not have
        return replace(document, outcome=self.reread(earlier_line(document.row, document.key, self.asked, answer)))
