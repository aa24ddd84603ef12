"""One reviewer's session on a queue: their position, their decisions, and the decisions that others make meanwhile.

Independent of any user interface: the terminal application shows it and maps keys to its methods.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from llmbatch.review.agreement import said_by
from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.item import ReviewItem
from llmbatch.review.queue import Queue
from llmbatch.runs.decisions import Decision, TaskDecisions, as_it_stood, decided, noted

_OPEN, _AGREED, _CORRECTED = 0, 1, 2


class Claim(Protocol):
    """Shows other reviewers which row is open here."""

    def take(self, row: int) -> bool:
        """Claim a row; false if another reviewer has it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress through the queue. Rows with the same text count once."""

    total: int
    decided: int
    corrected: int
    """Decided texts where the model was wrong or had no answer."""
    skipped: int


@dataclass(frozen=True, slots=True)
class _Done:
    place: int
    line: Decision
    before: Decision | None


class ReviewSession:
    """A queue as one reviewer works through it."""

    def __init__(
        self,
        queue: Queue,
        decisions: TaskDecisions,
        *,
        reviewer: str,
        claims: Claim,
        clock: Callable[[], str],
        blind: bool = False,
    ) -> None:
        """Start at the first open row.

        Args:
            queue: the texts.
            decisions: the log of all decisions.
            reviewer: who decides.
            claims: shows others which row is open here.
            clock: returns the current time in the log's format.
            blind: hide others' decisions; a row stays open until this reviewer has labelled it.
        """
        self._queue = queue
        self._log = decisions.log
        self._decisions = decisions
        self._reviewer = reviewer
        self._claims = claims
        self._clock = clock
        self._blind = blind
        self._own = said_by(self._log.lines(), reviewer) if blind else {}
        self._states = bytearray(len(queue))
        self._skipped: set[int] = set()
        self._done: list[_Done] = []
        self._wrote = False
        self._seen: Decision | None = None
        self.reviewer = reviewer
        self.place: int | None = None
        """The position in the queue; None if nothing is left to review."""
        self.item: ReviewItem | None = None
        for line in self._log.lines():
            self._note_state(line.text)
        self.advance()

    @property
    def decision(self) -> Decision | None:
        """The current text's decision, if the reviewer may see it."""
        return None if self.item is None or self._blind else self._decisions.by_digest(self.item.digest)

    @property
    def has_written(self) -> bool:
        """Whether this session has saved anything."""
        return self._wrote

    @property
    def copies(self) -> int:
        """How many rows have the current text."""
        return 0 if self.place is None else self._queue.copies(self.place)

    @property
    def progress(self) -> Progress:
        """Progress through the queue."""
        corrected = self._states.count(_CORRECTED)
        decided_ = corrected + self._states.count(_AGREED)
        skipped = sum(1 for place in self._skipped if self._states[place] == _OPEN)
        return Progress(len(self._queue), decided_, corrected, skipped)

    @property
    def error_rate(self) -> ErrorRate:
        """The model's error rate on the texts decided without a gap from the start of the queue, each counted once.

        In a sample, these are themselves a random sample, whatever else was decided before.
        """
        decided_ = list(takewhile(lambda state: state != _OPEN, self._states))
        return ErrorRate(len(decided_), decided_.count(_CORRECTED))

    def decide(self, category: str, note: str | None = None) -> str | None:
        """Give the current row a label, save it, and move to the next one.

        Returns:
            A message if another reviewer's decision differs, in which case the row stays in view; else None.

        Raises:
            StorageFailed: it was not saved.
        """
        if self.item is None or self.place is None:
            return None
        item, seen = self.item, self._seen
        kept = note if note is not None else (seen.note if seen is not None else None)
        mine = item.decision(category, reviewer=self._reviewer, decided_at=self._clock(), note=kept)
        if self._blind:
            self._own[item.digest] = category
        written = self._write(lambda now: decided(mine, seen=seen, now=now))
        if written.is_conflict and not self._blind:
            self._seen = written
            return f"{_people(written)} meanwhile: both are kept. Decide again to resolve it."
        self.advance()
        return None

    def note(self, text: str) -> None:
        """Add a note to the current row; an empty one removes it.

        Raises:
            StorageFailed: it was not saved.
        """
        if self.item is not None:
            undecided = self.item.decision(None, reviewer=self._reviewer, decided_at=self._clock())
            written = self._write(lambda now: noted(text.strip() or None, undecided=undecided, now=now))
            self._seen = None if self._blind else written

    def undo(self) -> str | None:
        """Undo this session's last decision or note and return to its row.

        Returns:
            A message for the reviewer, or None.

        Raises:
            StorageFailed: it was not saved.
        """
        if not self._done:
            return "Nothing to undo."
        done = self._done[-1]
        taken: list[Decision] = []

        def compose() -> Sequence[Decision]:
            line = as_it_stood(done.line, done.before, now=self._log.latest(done.line.text))
            taken.extend([] if line is None else [line])
            return taken

        self._log.append(compose)
        self._done.pop()
        self._own = said_by(self._log.lines(), self._reviewer) if self._blind else {}
        self._look_again(done.place)
        self.go(done.place)
        return None if taken else f"{_people(self.decision)} after seeing yours, so it cannot be undone."

    def skip(self) -> None:
        """Skip the current row for now."""
        if self.place is not None:
            self._skipped.add(self.place)
        self.advance()

    def return_to_skipped(self) -> None:
        """Return to the skipped rows."""
        self._skipped.clear()
        self.advance()

    def advance(self) -> None:
        """Go to the next open row that no other reviewer has in view, wrapping around at the end of the queue."""
        start = 0 if self.place is None else self.place + 1
        for step in range(len(self._queue)):
            place = (start + step) % len(self._queue)
            if (
                self._states[place] == _OPEN
                and place not in self._skipped
                and self._claims.take(self._queue[place].row)
            ):
                self._stand_at(place)
                return
        self.place = self.item = self._seen = None

    def go(self, place: int) -> None:
        """Go to a position in the queue, even if another reviewer has it in view."""
        self._claims.take(self._queue[place].row)
        self._stand_at(place)

    def step(self, by: int) -> None:
        """Move forward or back by this many positions."""
        if len(self._queue):
            here = (len(self._queue) if by < 0 else -1) if self.place is None else self.place
            self.go(min(max(here + by, 0), len(self._queue) - 1))

    def find(self, wanted: str) -> bool:
        """Go to the next row whose id or text contains `wanted`; false if there is none."""
        found = self._queue.find(wanted, 0 if self.place is None else self.place + 1)
        if found is not None:
            self.go(found)
        return found is not None

    def refresh(self) -> str | None:
        """Read others' new decisions; return a message if one is about the current row."""
        news = self._take_in_others()
        if self._blind:
            news = None
        if self.item is None:
            self.advance()
        return news

    def _take_in_others(self) -> str | None:
        news = None
        for line in self._log.refresh():
            self._note_state(line.text)
            if self.item is not None and line.text == self.item.digest:
                news = f"{_people(line)} just now." if line.category is not None else None
        return news

    def _note_state(self, digest: str) -> None:
        place = self._queue.place_of(digest)
        if place is not None:
            self._states[place] = self._state(self._queue[place])

    def _stand_at(self, place: int) -> None:
        self.place, self.item = place, self._queue[place]
        self._seen = self._latest(self.item)

    def _latest(self, item: ReviewItem) -> Decision | None:
        """Others' decision about an item, as far as the reviewer may see it."""
        return None if self._blind else self._log.latest(item.digest)

    def _write(self, compose: Callable[[Decision | None], Decision]) -> Decision:
        assert self.item is not None  # noqa: S101 - callers have checked
        assert self.place is not None  # noqa: S101
        digest, before = self.item.digest, []

        def composed() -> Sequence[Decision]:
            before.append(self._log.latest(digest))
            return [compose(before[0])]

        (written,) = self._log.append(composed)
        self._wrote = True
        self._take_in_others()
        self._done.append(_Done(self.place, written, before[0]))
        self._look_again(self.place)
        return written

    def _look_again(self, place: int) -> None:
        self._states[place] = self._state(self._queue[place])
        if place == self.place and self.item is not None:
            self._seen = self._latest(self.item)

    def _state(self, item: ReviewItem) -> int:
        standing = self._decisions.by_digest(item.digest)
        label = standing.category if standing is not None and standing.is_settled else None
        if self._blind:
            label = self._own.get(item.digest)
        if label is None:
            return _OPEN
        return _AGREED if label == item.category else _CORRECTED


def _people(decision: Decision | None) -> str:
    """`ana decided technical`, for the other decisions that apply, or if there are none, for the line itself."""
    if decision is None:
        return "Someone decided"
    others = decision.against or decision.standings
    return " and ".join(f"{standing.reviewer} decided {standing.category}" for standing in others)
