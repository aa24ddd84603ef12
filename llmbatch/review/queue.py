"""Which rows a reviewer is shown, and in what order.

The rows are stored in an unnamed temporary file, so that a queue of any length needs only a few bytes of memory per row
and leaves nothing behind.
"""

import json
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_numbers import integer, number
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.review_rule import ReviewRule
from llmbatch.review.item import CHOSEN, CONFLICT, FAILED, LOW_CONFIDENCE, SAMPLED, ReviewItem, item_of
from llmbatch.review.opened import OpenedRun
from llmbatch.runs.outputs.outcome import Outcome
from llmbatch.task.label_space import LabelSpace

_FIELDS = tuple(field.name for field in fields(ReviewItem))
_Rank = tuple[int, float]
"""The queue's sort key; a sample keeps its own random order, so that half a review is half a sample."""
_RANK = {CONFLICT: 0, LOW_CONFIDENCE: 1, FAILED: 2, SAMPLED: 3, CHOSEN: 3}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows to review: by default, those that need review (low confidence, failed, conflict)."""

    sample: bool = False
    """Review the run's random sample instead."""
    all: bool = False
    """Review all rows instead."""
    label: str | None = None
    """Only rows that the model gave this label."""
    blind: bool = False
    """Hide other reviewers' decisions."""

    def reason(self, outcome: Outcome, space: LabelSpace, review: ReviewRule, *, is_sampled: bool) -> str | None:
        """Why a row is in the queue, or None if it is not."""
        line, decision = outcome.line, outcome.decision
        if line is None or not self._takes(line.category, space):
            return None
        if self.sample:
            return SAMPLED if is_sampled else None
        if decision is not None and decision.is_conflict and not self.blind:
            return CONFLICT
        if not outcome.is_answered:
            return FAILED
        if review.needs_review(line):
            return LOW_CONFIDENCE
        return CHOSEN if self.all else None

    def _takes(self, category: str | None, space: LabelSpace) -> bool:
        return self.label is None or (category is not None and self.label in space.parts_of(category))


class Queue:
    """Texts to review, read back one by one, in order of rank."""

    def __init__(self, items: Iterable[tuple[ReviewItem, _Rank]], run: Path) -> None:
        """`run` is the run folder, used if the system's temporary folders are not writable."""
        self._file = _temporary_file(run)
        self._offsets = array("Q")
        self._copies = array("L")
        self._numbers = KeyIndex()
        ranks: list[_Rank] = []
        for item, rank in items:
            number = self._numbers.get(short(item.digest))
            if number is None:
                self._lay_down(item)
                ranks.append(rank)
            else:
                self._copies[number] += 1
                ranks[number] = min(ranks[number], rank)
        self._order = array("L", sorted(range(len(ranks)), key=ranks.__getitem__))
        self._places = array("L", self._order)
        for place, number in enumerate(self._order):
            self._places[number] = place

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, place: int) -> ReviewItem:
        if not 0 <= place < len(self):
            raise IndexError(place)
        self._file.seek(self._offsets[self._order[place]])
        return ReviewItem(**json.loads(self._file.readline(), parse_float=number, parse_int=integer))

    def copies(self, place: int) -> int:
        """How many rows have the item's text."""
        return self._copies[self._order[place]]

    def place_of(self, digest: str) -> int | None:
        """The position of the item with this text, or None."""
        number = self._numbers.get(short(digest))
        return None if number is None else self._places[number]

    def find(self, wanted: str, start: int) -> int | None:
        """The next position from `start`, wrapping around, whose id or text contains `wanted`, ignoring case."""
        folded = wanted.casefold()
        for step in range(len(self)):
            place = (start + step) % len(self)
            item = self[place]
            if folded in item.text.casefold() or folded in str(item.id).casefold():
                return place
        return None

    def close(self) -> None:
        """Close the temporary file."""
        self._file.close()

    def _lay_down(self, item: ReviewItem) -> None:
        self._numbers[short(item.digest)] = len(self._offsets)
        self._offsets.append(self._file.tell())
        self._copies.append(1)
        self._file.write(dump_line({name: getattr(item, name) for name in _FIELDS}))


def make_queue(run: OpenedRun, choice: Choice, *, only: Callable[[Outcome], bool] = lambda _: True) -> Queue:
    """Build the queue of a run's rows to review, including those already decided.

    Args:
        run: the run.
        choice: which rows.
        only: filters them.

    Raises:
        UsageError: a sample is requested and the run has none, or the task does not have the label.
    """
    if choice.sample and not run.record.sample:
        raise UsageError(
            f"{run.folder.path} has no random sample",
            hint="run classify again with --sample 50 (nothing is sent again), then review it",
        )
    parts = run.record.task.label_space.parts
    if choice.label is not None and choice.label not in parts:
        raise UsageError(f"{choice.label!r} is not a label of the task", hint=f"its labels: {', '.join(parts)}")
    return Queue(_items(run, choice, only), run.folder.path)


def _temporary_file(folder: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except FileNotFoundError:  # no temporary folder (/tmp, /var/tmp) is writable
        return tempfile.TemporaryFile(dir=folder)


def _items(run: OpenedRun, choice: Choice, only: Callable[[Outcome], bool]) -> Iterator[tuple[ReviewItem, _Rank]]:
    draw, review = run.draw() if choice.sample else None, run.record.review
    for outcome, carried in run.outcomes():
        place = draw.place(outcome.row) if draw is not None and outcome.is_answered else None
        reason = choice.reason(outcome, run.record.task.label_space, review, is_sampled=place is not None)
        if reason is not None and only(outcome):
            item = item_of(outcome, reason, carried, review)
            yield item, _rank(item) if place is None else place


def _rank(item: ReviewItem) -> _Rank:
    """Conflicts first, then the least confident, then the failed ones."""
    confidence = item.confidence if item.reason == LOW_CONFIDENCE else None
    return _RANK[item.reason], confidence or 0.0
