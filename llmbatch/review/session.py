"""One reviewer's work on a queue: where they are, what they decide, and what others decide meanwhile.

Knows no screen: the terminal application shows it and turns keys into its methods.
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
    """Tells others which row is being looked at."""

    def take(self, row: int) -> bool:
        """Claim a row; false where another has it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the queue is. Rows with the same text count once."""

    total: int
    decided: int
    corrected: int
    """Of the decided ones, those where the model was wrong or had no answer."""
    skipped: int


@dataclass(frozen=True, slots=True)
class _Done:
    place: int
    line: Decision
    before: Decision | None


class ReviewSession:
    """A queue under a reviewer's eyes."""

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
        """Begin at the first open row.

        Args:
            queue: the texts.
            decisions: people's.
            reviewer: who decides.
            claims: marks for others which row is being looked at.
            clock: gives the present time as the log has it.
            blind: whether others' decisions are hidden: a row is open until this reviewer gave it a label.
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
        """The place in the queue; None where nothing is left to look at."""
        self.item: ReviewItem | None = None
        for line in self._log.lines():
            self._note_state(line.text)
        self.advance()

    @property
    def decision(self) -> Decision | None:
        """What holds for the present text, where the reviewer may know it."""
        return None if self.item is None or self._blind else self._decisions.by_digest(self.item.digest)

    @property
    def has_written(self) -> bool:
        """Whether anything was saved in this session."""
        return self._wrote

    @property
    def copies(self) -> int:
        """How many rows have the present text."""
        return 0 if self.place is None else self._queue.copies(self.place)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        corrected = self._states.count(_CORRECTED)
        decided_ = corrected + self._states.count(_AGREED)
        skipped = sum(1 for place in self._skipped if self._states[place] == _OPEN)
        return Progress(len(self._queue), decided_, corrected, skipped)

    @property
    def error_rate(self) -> ErrorRate:
        """How often the model was wrong in the texts decided without a gap from the queue's beginning, each once.

        Of a sample these are a random sample too, whatever was decided elsewhere before.
        """
        decided_ = list(takewhile(lambda state: state != _OPEN, self._states))
        return ErrorRate(len(decided_), decided_.count(_CORRECTED))

    def decide(self, category: str, note: str | None = None) -> str | None:
        """Give the present row a label, save it, and move to the next one.

        Returns:
            What the reviewer should know; then another's decision differs, and the row stays in view.

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
        """Put a note to the present row; an empty one takes it away.

        Raises:
            StorageFailed: it was not saved.
        """
        if self.item is not None:
            undecided = self.item.decision(None, reviewer=self._reviewer, decided_at=self._clock())
            written = self._write(lambda now: noted(text.strip() or None, undecided=undecided, now=now))
            self._seen = None if self._blind else written

    def undo(self) -> str | None:
        """Take the last decision or note of this session back and return to its row.

        Returns:
            What the reviewer should know.

        Raises:
            StorageFailed: it was not saved.
        """
        if not self._done:
            return "There is nothing to undo."
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
        return None if taken else f"{_people(self.decision)} since, knowing yours: it stays."

    def skip(self) -> None:
        """Leave the present row for later."""
        if self.place is not None:
            self._skipped.add(self.place)
        self.advance()

    def return_to_skipped(self) -> None:
        """Take up the rows that were left for later."""
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
        """Go to a place in the queue, even if another reviewer has it in view."""
        self._claims.take(self._queue[place].row)
        self._stand_at(place)

    def step(self, by: int) -> None:
        """Go so many places on, or back."""
        if len(self._queue):
            here = (len(self._queue) if by < 0 else -1) if self.place is None else self.place
            self.go(min(max(here + by, 0), len(self._queue) - 1))

    def find(self, wanted: str) -> bool:
        """Go to the next row whose id or text contains `wanted`; false where there is none."""
        found = self._queue.find(wanted, 0 if self.place is None else self.place + 1)
        if found is not None:
            self.go(found)
        return found is not None

    def refresh(self) -> str | None:
        """Take in what others decided; shows it if it is about the present row."""
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
        """What the reviewer sees of others."""
        return None if self._blind else self._log.latest(item.digest)

    def _write(self, compose: Callable[[Decision | None], Decision]) -> Decision:
        assert self.item is not None  # noqa: S101 - callers have looked
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
    """`ana decided technical`, of those that stand beside the line or, without any, of its own."""
    if decision is None:
        return "Somebody decided"
    others = decision.against or decision.standings
    return " and ".join(f"{standing.reviewer} decided {standing.category}" for standing in others)
