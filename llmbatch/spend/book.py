"""What is kept of the money of all sessions, and who keeps it: a file, a database, another process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmbatch.core.usage import UsageTotals
from llmbatch.spend.liveness import SignOfLife

REAL, OFFLINE = "real", "offline"
"""Books: what costs money, and what the offline endpoint would have cost. They share nothing."""

WHOLE_RUN = "run"
"""In place of a day, where a cap is a run's."""

HOLD = "batch:"
"""How the ids of accounts begin that outlive their sessions."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Who spends: one session on a run folder."""

    id: str
    """As the run folder's `sent.log` names it."""
    book: str
    run: str
    """The run folder's absolute path."""
    model: str
    task: str
    prompt: str
    """The prompt's fingerprint."""
    leased: bool
    """Whether it sends only what it has taken out of a day's cap before."""
    started_at: str


@dataclass(frozen=True, slots=True)
class Balance:
    """A session's account of one day, nano-dollars. `charged` is what it holds of the day's cap, spent or not."""

    spent_nanousd: int = 0
    charged_nanousd: int = 0


@dataclass(frozen=True, slots=True)
class DayTotal:
    """A day over all sessions of a book, as the store knows it, nano-dollars."""

    spent_nanousd: int
    charged_nanousd: int
    held: Mapping[str, int]
    """By the session that has not ended: what it has set aside and not spent, which may come back."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a dead session really cost: its figures by the day, and all of it in nano-dollars."""

    figures: Mapping[str, UsageTotals]
    total_nanousd: int


class SpendBook(Protocol):
    """What every session spent and has set aside, by day, for all that share a budget.

    Each call is whole or nothing, and no two come between each other. They block for milliseconds, may come from any
    thread, and raise StorageFailed where the book cannot be read or written.
    """

    def sign_of_life(self, session: str) -> SignOfLife:
        """By what a session is known to be alive."""

    def begin_session(self, info: SessionInfo) -> SignOfLife:
        """Enter a session that begins; its sign of life is held until it ends."""

    def hold(self, info: SessionInfo, day: str, nanousd: int, cap_nanousd: int | None) -> bool:
        """Set money aside in an account of its own, which stays open when the session that asks for it has ended.

        `settle` ends it. Until then the day is charged with all of it, whichever process is alive.

        Args:
            info: the account; its id begins with `HOLD`.
            day: on which the work leaves.
            nanousd: how much.
            cap_nanousd: the day's, over all accounts; None for none.

        Returns:
            False where that is more than is left of the day: nothing is set aside.
        """

    def take(self, info: SessionInfo, day: str, cap_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
        """Charge a session with more of a day's cap.

        Returns:
            How much: `want_nanousd`, but at most a quarter of what is left, so that the processes near the cap share
            it; at least `need_nanousd`; 0 where that is more than is left, or where the session has ended.
        """

    def record(
        self, session: str, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals], *, ended_at: str | None
    ) -> None:
        """Write down how a session stands, by the day; what it no longer holds is free for others at once.

        Args:
            session: whose. What comes after its last word is not written down.
            balances: of each day that changed.
            figures: of each day that changed.
            ended_at: when it ended, or None while it runs.
        """

    def total(self, book: str, day: str) -> DayTotal:
        """How a day stands."""

    def open_sessions(self) -> list[tuple[str, str]]:
        """(id, run folder) of the sessions that have not ended: alive, or dead and not settled."""

    def settle(self, session: str, settlement: Settlement, *, ended_at: str) -> None:
        """End a dead session with what it cost; one that has ended stays as it is.

        Of a session that was in progress at midnight, the earlier days keep what they were last charged with, and the
        last day gets the rest. What may have been billed charges no day with more than the lease that it had; what was
        billed does, where answers were dearer than any bound said.
        """

    def claim_alert(self, book: str, day: str, cap_nanousd: int, percent: float) -> bool:
        """Whether the alert for this share of the day's cap is still to be shown; the first caller shows it."""

    def close(self) -> None:
        """Let go of it."""


class SpendRecords(SpendBook, Protocol):
    """A book that also reports what was spent."""

    def sums(self, column: str, book: str, since: str, until: str) -> dict[str, UsageTotals]:
        """What was spent from one day to another, both included, by `day`, `model`, `prompt` or `run`."""

    def unsettled(self, book: str, since: str, until: str) -> list[tuple[str, str, int]]:
        """(id, run folder, nano-dollars set aside and not known to be spent) of sessions that have not ended."""


OpenSpendBook = Callable[[], SpendBook]
"""Opens it for one session."""


def granted(room_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
    """How much of what is left of a day a session gets that wants so much; see `SpendBook.take`."""
    if room_nanousd < need_nanousd:
        return 0
    return max(min(want_nanousd, room_nanousd // _ROOM_SHARE), need_nanousd)


def settled_on(
    started_at: str, days: Sequence[tuple[str, int, int]], settlement: Settlement, *, leased: bool
) -> tuple[str, int]:
    """On which day a dead session is charged with what is not charged yet, and how much; see `SpendBook.settle`.

    Args:
        started_at: when it began, in UTC.
        days: its days in order: day, spent and charged nano-dollars.
        settlement: what it cost.
        leased: whether it sent only what it had taken before.
    """
    last, _, lease = days[-1] if days else (started_at[:_DAY], 0, 0)
    earlier = sum(spent for _, spent, _ in days[:-1])
    rest = max(settlement.total_nanousd - earlier, 0)
    if leased:
        known = sum(sums.priced_nanousd for sums in settlement.figures.values()) - earlier
        rest = min(rest, max(lease, known))
    return last, rest


_ROOM_SHARE = 4
_DAY = len("2026-11-25")
