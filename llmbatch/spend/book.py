"""The interface of spend stores, which record all sessions' spending: in a file, a database, or another process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmbatch.core.usage import UsageTotals
from llmbatch.spend.liveness import SignOfLife

REAL, OFFLINE = "real", "offline"
"""Books: real spending, and the simulated cost of the offline endpoint. They share nothing."""

WHOLE_RUN = "run"
"""Used instead of a day for a run's cap."""

HOLD = "batch:"
"""Id prefix of accounts that outlive their sessions."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The spender: one session on a run folder."""

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
    """Whether it spends only what it has already taken from a day's cap."""
    started_at: str


@dataclass(frozen=True, slots=True)
class Balance:
    """A session's balance for one day, in nano-dollars. `charged` is its part of the day's cap, spent or not."""

    spent_nanousd: int = 0
    charged_nanousd: int = 0


@dataclass(frozen=True, slots=True)
class DayTotal:
    """A day's total over all sessions of a book, in nano-dollars."""

    spent_nanousd: int
    charged_nanousd: int
    held: Mapping[str, int]
    """For each open session, what it has reserved but not spent, which may be released."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a dead session actually cost: its figures by day, and the total in nano-dollars."""

    figures: Mapping[str, UsageTotals]
    total_nanousd: int


class SpendBook(Protocol):
    """What every session has spent and reserved, by day, for everyone who shares a budget.

    Calls are atomic and serialised. They block for milliseconds, may come from any thread, and raise StorageFailed if
    the book cannot be read or written.
    """

    def sign_of_life(self, session: str) -> SignOfLife:
        """The proof that a session is alive."""

    def begin_session(self, info: SessionInfo) -> SignOfLife:
        """Register a new session; its sign of life is held until it ends."""

    def hold(self, info: SessionInfo, day: str, nanousd: int, cap_nanousd: int | None) -> bool:
        """Reserve money in a separate account that stays open after its session has ended.

        `settle` closes it. Until then the day is charged with the full amount, whichever process is alive.

        Args:
            info: the account; its id begins with `HOLD`.
            day: the day on which the work is sent.
            nanousd: the amount.
            cap_nanousd: the day's cap over all accounts; None for no cap.

        Returns:
            False if the day has less left; then nothing is reserved.
        """

    def take(self, info: SessionInfo, day: str, cap_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
        """Charge a session with more of a day's cap.

        Returns:
            The amount: `want_nanousd`, but at most a quarter of what is left, so that processes share the rest near the
            cap; at least `need_nanousd`; 0 if less than that is left, or if the session has ended.
        """

    def record(
        self, session: str, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals], *, ended_at: str | None
    ) -> None:
        """Record a session's balances by day; what it releases is available to others at once.

        Args:
            session: the session's id. Records after its end are ignored.
            balances: the balance of each day that changed.
            figures: the figures of each day that changed.
            ended_at: when it ended, or None while it runs.
        """

    def total(self, book: str, day: str) -> DayTotal:
        """A day's total."""

    def open_sessions(self) -> list[tuple[str, str]]:
        """(id, run folder) of the open sessions: alive, or dead and not settled."""

    def settle(self, session: str, settlement: Settlement, *, ended_at: str) -> None:
        """Close a dead session with its actual cost; one that has already ended is unchanged.

        Of a session that was in progress at midnight, the earlier days keep what they were last charged with, and the
        last day gets the rest. What may have been billed charges no day with more than the lease that it had; what was
        billed does, where answers were dearer than any bound said.
        """

    def claim_alert(self, book: str, day: str, cap_nanousd: int, percent: float) -> bool:
        """Whether the alert for this share of the day's cap is still due; the first caller shows it."""

    def close(self) -> None:
        """Close the book."""


class SpendRecords(SpendBook, Protocol):
    """A book that also reports what was spent."""

    def sums(self, column: str, book: str, since: str, until: str) -> dict[str, UsageTotals]:
        """Spending from one day to another, inclusive, by `day`, `model`, `prompt` or `run`."""

    def unsettled(self, book: str, since: str, until: str) -> list[tuple[str, str, int]]:
        """(id, run folder, nano-dollars reserved and not known to be spent) of open sessions."""


OpenSpendBook = Callable[[], SpendBook]
"""Opens the book for one session."""


def granted(room_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
    """How much of a day's remaining room a session gets; see `SpendBook.take`."""
    if room_nanousd < need_nanousd:
        return 0
    return max(min(want_nanousd, room_nanousd // _ROOM_SHARE), need_nanousd)


def settled_on(
    started_at: str, days: Sequence[tuple[str, int, int]], settlement: Settlement, *, leased: bool
) -> tuple[str, int]:
    """The day on which a dead session's remaining cost is charged, and the amount; see `SpendBook.settle`.

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
