"""The rows of a run for views, counts and reviewers: each with its outcome, in the input's order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import FieldChoice
from llmbatch.runs.decisions import TaskDecisions
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.outputs.formats import JSONL, OutputFormat
from llmbatch.runs.outputs.outcome import Outcome, outcome
from llmbatch.runs.outputs.records import carried_fields
from llmbatch.runs.outputs.sample import Sample

Read = Callable[[Callable[[FieldChoice], None]], Iterator[Row | Rejection]]
"""Reads the input from its start; takes a callback for the fields that it chose."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """The content of the views. Changing it sends nothing."""

    review: ReviewRule
    keep: tuple[str, ...] | None = None
    """Input fields carried into results; None for all except the text."""
    sample: Sample = Sample()
    format: OutputFormat = JSONL
    explode: str | None = None
    """The field whose labels have a record each; None for one record per row."""
    plan: str | None = None
    """The digest of what they depend on besides the logs (see `Basis`); None if they are not the run folder's own."""


@dataclass(frozen=True, slots=True)
class RunRows:
    """The rows from which the views of a run are made. Each method reads the input again."""

    read: Read
    key: Callable[[str], str]
    """A text's key by the run's plan."""
    ledger: Ledger
    decisions: TaskDecisions
    options: ViewOptions

    def outcomes(self) -> Iterator[tuple[Outcome | Rejection, Mapping[str, Any]]]:
        """Each row's outcome, and the input's fields that are carried with it."""
        for item, carried in self.carried():
            if isinstance(item, Rejection):
                yield item, carried
            else:
                yield self._outcome(item), carried

    def carried(self) -> Iterator[tuple[Row | Rejection, Mapping[str, Any]]]:
        """Each row, and the input's fields that are carried with it."""
        choice = _LatestChoice()
        for item in self.read(choice):
            if isinstance(item, Rejection):
                yield item, {}
            else:
                yield item, carried_fields(item, keep=self.options.keep, text_fields=choice.text_fields)

    def answered(self) -> Iterator[Row]:
        """The rows for which the ledger has an answer."""
        rows = self.read(lambda _: None)
        return (item for item in rows if isinstance(item, Row) and self.ledger.is_done(self.key(item.text)))

    def _outcome(self, row: Row) -> Outcome:
        return outcome(
            row,
            self.key(row.text),
            ledger=self.ledger,
            decisions=self.decisions,
            review=self.options.review,
        )


class _LatestChoice:
    """The text fields of the current input, which are reported before its first row."""

    def __init__(self) -> None:
        self.text_fields: tuple[str, ...] = ()

    def __call__(self, choice: FieldChoice) -> None:
        """Another input begins."""
        self.text_fields = choice.text_fields
