"""One session's account in the spend store, and the settling of dead sessions."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from llmbatch.core.usage import UsageTotals
from llmbatch.spend.book import Balance, DayTotal, SessionInfo, Settlement, SpendBook
from llmbatch.spend.days import utc_now

if TYPE_CHECKING:
    from llmbatch.spend.liveness import SignOfLife

ActualSpend = Callable[[str, str], Settlement | None]
"""What a dead session cost, by its id and its run folder; None if that is unknown."""


class SpendAccount:
    """A session's account. Its methods block, and raise StorageFailed if the store cannot be used."""

    def __init__(self, store: SpendBook, info: SessionInfo, actual_spend: ActualSpend) -> None:
        self._store = store
        self._info = info
        self._actual_spend = actual_spend
        self._lock: SignOfLife | None = None

    def begin(self) -> None:
        """Settle dead sessions, then register this one. The caller holds the run folder's lock."""
        settle_dead(self._store, self._actual_spend, ours=self._info.run)
        self._lock = self._store.begin_session(self._info)

    def take(self, day: str, cap_nanousd: int, need_nanousd: int, want_nanousd: int) -> int:
        """Take more of a day's cap. Returns the amount, 0 if less than `need_nanousd` is left."""
        return self._store.take(self._info, day, cap_nanousd, need_nanousd=need_nanousd, want_nanousd=want_nanousd)

    def record(self, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals]) -> None:
        """Record the current balances."""
        self._store.record(self._info.id, balances, figures, ended_at=None)

    def end(self, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals]) -> None:
        """Record the final balances."""
        self._store.record(self._info.id, balances, figures, ended_at=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}")
        if self._lock is not None:
            self._lock.remove()

    def total(self, day: str) -> DayTotal:
        """A day's total over all sessions."""
        return self._store.total(self._info.book, day)

    def total_settled(self, day: str) -> tuple[DayTotal, bool]:
        """A day's total after dead sessions are settled.

        Returns:
            The total, with what other sessions hold; and whether one of them is alive, so that some may be released.
        """
        settle_dead(self._store, self._actual_spend)
        total = self.total(day)
        held = {session: nanousd for session, nanousd in total.held.items() if session != self._info.id}
        return replace(total, held=held), any(self._store.sign_of_life(session).is_held() for session in held)

    def claim_alert(self, day: str, cap_nanousd: int, percent: float) -> bool:
        """Whether this session should warn that a share of the day's cap is spent."""
        return self._store.claim_alert(self._info.book, day, cap_nanousd, percent)


def settle_dead(store: SpendBook, actual_spend: ActualSpend, *, ours: str | None = None) -> None:
    """Settle every session that is proven dead, if its run folder shows what it cost.

    A session of unknown cost stays charged with everything it had reserved.

    Args:
        store: the spend store.
        actual_spend: returns what a session spent.
        ours: the run folder whose lock the caller holds: its earlier sessions are dead, also where a session's own lock
            is gone or was held on another machine. Its `sent.log` starts over, so this is the last time to settle them.
    """
    for session, run in store.open_sessions():
        lock = store.sign_of_life(session)
        if not lock.take_over() and run != ours:
            continue
        try:
            settlement = actual_spend(session, run)
            if settlement is not None:
                store.settle(session, settlement, ended_at=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}")
                lock.remove()
        finally:
            lock.release()
