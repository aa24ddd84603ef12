"""A row before it is asked: its text as it will be sent, its key, and the outcome that needs no request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from llmbatch.ledger.line import LedgerLine
from llmbatch.pipeline.job import unsent_line
from llmbatch.pipeline.limit import TRUNCATED
from llmbatch.pipeline.plan import Plan
from llmbatch.rows import Rejection, Row


@dataclass(frozen=True, slots=True)
class Document:
    """A row as the engine takes it."""

    row: Row
    """Its text is what will be sent."""
    key: str
    outcome: LedgerLine | None = None
    """What it ends as without a request, where that is known: it is too long."""


Item = Document | Rejection


def prepared(rows: Iterable[Row | Rejection], plan: Plan, asked: Plan) -> Iterator[Item]:
    """Rows made ready, in the reader's thread: counting the tokens of a long text takes its time.

    Args:
        rows: as they are read.
        plan: the run's, which gives the rows their keys.
        asked: the plan that is asked; another one where a retry asks another model.
    """
    for row in rows:
        yield row if isinstance(row, Rejection) else _document(row, plan, asked)


def _document(row: Row, plan: Plan, asked: Plan) -> Document:
    text = asked.limit.asked(row.text)
    key = plan.key_of(text) if plan is asked else plan.key(row.text)
    if text is not row.text:
        return Document(replace(row, text=text, flags=(*row.flags, TRUNCATED)), key)
    refusal = asked.limit.refusal(text)
    return Document(row, key, None if refusal is None else unsent_line(row, key, asked, "too_long", refusal))
