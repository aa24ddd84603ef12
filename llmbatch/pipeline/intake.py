"""A row before it is asked: its text as it will be sent, its key, and the outcome that needs no request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from llmbatch.ledger.line import LedgerLine
from llmbatch.pipeline.job import earlier_line, unsent_line
from llmbatch.pipeline.limit import TRUNCATED
from llmbatch.pipeline.plan import Plan
from llmbatch.rows import Rejection, Row

if TYPE_CHECKING:
    from llmbatch.pipeline.reuse import EarlierAnswers


@dataclass(frozen=True, slots=True)
class Document:
    """A row as the engine takes it."""

    row: Row
    """Its text is what will be sent."""
    key: str
    outcome: LedgerLine | None = None
    """What it ends as without a request: it is too long, or an earlier run was answered."""


Item = Document | Rejection


@dataclass(frozen=True, slots=True)
class Intake:
    """Makes rows ready, in the reader's thread: counting a long text's tokens takes its time, as a look-up does."""

    plan: Plan
    """The run's, which gives the rows their keys."""
    asked: Plan
    """The one that is asked: another where a retry asks another model."""
    review_below: float
    earlier: "EarlierAnswers | None" = None

    def prepared(self, rows: Iterable[Row | Rejection], *, batch: int) -> Iterator[Item]:
        """Rows as the engine takes them; `batch` of them are looked up at once among earlier answers."""
        items = (row if isinstance(row, Rejection) else self._document(row) for row in rows)
        if self.earlier is None:
            yield from items
            return
        while group := list(islice(items, batch)):
            yield from self._answered(group, self.earlier)

    def _document(self, row: Row) -> Document:
        text = self.asked.limit.asked(row.text)
        key = self.plan.key_of(text) if self.plan is self.asked else self.plan.key(row.text)
        if text is not row.text:
            return Document(replace(row, text=text, flags=(*row.flags, TRUNCATED)), key)
        refusal = self.asked.limit.refusal(text)
        return Document(row, key, None if refusal is None else unsent_line(row, key, self.asked, "too_long", refusal))

    def _answered(self, group: list[Item], earlier: "EarlierAnswers") -> Iterator[Item]:
        open_keys = {item.key for item in group if isinstance(item, Document) and item.outcome is None}
        answers = earlier.look_up(open_keys)
        for item in group:
            if isinstance(item, Document) and item.outcome is None and (answer := answers.get(item.key)) is not None:
                line = earlier_line(item.row, item.key, self.asked, answer, review_below=self.review_below)
                yield replace(item, outcome=line)
            else:
                yield item
