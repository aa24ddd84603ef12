"""Rows that wait for others to share a request with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from llmbatch.engine.row_state import RowState
from llmbatch.task.answer import Answer

IDLE_S = 0.5
"""A partial pack is sent once no row has arrived for this long, the longest wait in a slow stream."""


@dataclass(slots=True)
class Verdict:
    """A row's outcome within its packs: an answer, or that it must be sent alone, or neither."""

    answer: Answer | None = None
    goes_alone: bool = False


@dataclass(slots=True, eq=False)
class Member:
    """A row that waits for the verdict on it."""

    state: RowState
    verdict: "asyncio.Future[Verdict]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, verdict: Verdict) -> None:
        """Set the verdict, even if no task is waiting for it any more."""
        if not self.verdict.done():
            self.verdict.set_result(verdict)


class Gathering:
    """Fills one pack at a time."""

    def __init__(self, leave: Callable[[list[Member]], None], *, most_at_once: int) -> None:
        """`leave` sends a pack. While `most_at_once` packs are in flight, one that is not full waits."""
        self._leave = leave
        self._most_at_once = most_at_once
        self._members: list[Member] = []
        self._characters = 0
        self._out = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Member, *, rows: int, characters: int) -> None:
        """Add a row; packs have at most `rows` rows, and `characters` characters of text."""
        size = len(member.state.row.text)
        if self._members and self._characters + size > characters:
            self._close()
        self._members.append(member)
        self._characters += size
        self._stop_timer()
        if len(self._members) >= rows:
            self._close()
        else:
            self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._idle)

    def remove(self, member: Member) -> bool:
        """Remove an abandoned row. False if its pack has been sent."""
        if member not in self._members:
            return False
        self._members.remove(member)
        self._characters -= len(member.state.row.text)
        return True

    def flush(self) -> None:
        """No more rows for now: send the waiting ones together."""
        if self._members:
            self._close()

    def came_back(self) -> None:
        """A pack has ended."""
        self._out -= 1
        if self._timer is None and self._members:
            self._close()

    def _idle(self) -> None:
        self._timer = None
        if self._members and self._out < self._most_at_once:
            self._close()

    def _close(self) -> None:
        self._stop_timer()
        members, self._members, self._characters = self._members, [], 0
        self._out += 1
        self._leave(members)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
