"""A session's money: its limits, its account in the spend store, its alerts."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from llmbatch.core.errors import StorageFailed
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.budget.budget import Budget, RunLimit
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.tally import SessionTally
from llmbatch.observe.events import Event, SpendNotRecorded
from llmbatch.session.settlement import actual_spend
from llmbatch.spend.account import SpendAccount
from llmbatch.spend.alerts import AlertCommand, Alerts, Level
from llmbatch.spend.book import WHOLE_RUN, DayTotal, SessionInfo, Settlement, SpendBook
from llmbatch.spend.days import day_of, utc_now
from llmbatch.spend.leases import DailyLimit, SharedRunLimit
from llmbatch.spend.options import BudgetOptions

_BEAT_S, _SLOWEST_BEAT_S, _BEAT_SHARE = 2.0, 20.0, 0.1
"""How often a session reports its spending to the store; less often if that takes long because many sessions do it: in
at most a tenth of the time."""


@dataclass(slots=True)
class _Limits:
    run: RunLimit | SharedRunLimit
    day: DailyLimit


class Spending:
    """Opened before anything is sent, closed when everything is answered; reports to the store in between.

    With a daily budget, a store that cannot be used ends the run, since the remaining budget is not known. Without one,
    this is reported, and the run continues.
    """

    def __init__(
        self, options: BudgetOptions, info: SessionInfo, tally: SessionTally, emit: Callable[[Event], None]
    ) -> None:
        self._options = options
        self._info = info
        self._tally = tally
        self._emit = emit
        self._store: SpendBook | None = None
        self._account: SpendAccount | None = None
        self._run_store: SpendBook | None = None
        self._run_account: SpendAccount | None = None
        """Where other processes label the run, too, and it has a limit."""
        self._limits: _Limits | None = None
        self._failed = False
        command = options.alert_command
        self._alerts = Alerts(
            options.alert_at,
            emit=emit,
            command=None if command is None else AlertCommand(command, run_folder=info.run, emit=emit),
        )

    def begin(self) -> None:
        """Register the session in the store, after settling dead sessions' entries.

        Raises:
            StorageFailed: the store cannot be used, and there is a daily budget; or the one of the run's limit cannot.
        """
        if self._options.of_run is not None and self._options.max_cost_nanousd is not None:
            self._run_store = self._options.of_run()
            info = replace(self._info, book=WHOLE_RUN, leased=True)
            self._run_account = SpendAccount(self._run_store, info, self._actual_spend)
            self._run_account.begin()
        if self._options.store is None:
            return
        try:
            self._store = self._options.store()
            account = SpendAccount(self._store, self._info, self._actual_spend)
            account.begin()
        except StorageFailed as error:
            if self._options.daily_budget_nanousd is not None:
                raise
            self._not_recorded(error)
        else:
            self._account = account

    def budget(self, spent_nanousd: int, cancellation: Cancellation) -> Budget:
        """The session's limits.

        Args:
            spent_nanousd: what earlier sessions of the run cost and may have cost.
            cancellation: ends every wait for free budget.
        """
        cap_nanousd, run_account = self._options.max_cost_nanousd, self._run_account
        run = (
            RunLimit(cap_nanousd, spent_nanousd)
            if cap_nanousd is None or run_account is None
            else SharedRunLimit(cap_nanousd, run_account, sleep=cancellation.sleep)
        )
        day = DailyLimit(self._options.daily_budget_nanousd, self._account, sleep=cancellation.sleep)
        self._limits = _Limits(run, day)
        if (level := self._run_level()) is not None:
            self._alerts.was_at(level)
        return Budget(run, day)

    def room_nanousd(self) -> int | None:
        """What is left for requests sent now, by both limits; None if there is no limit.

        Raises:
            StorageFailed: the day's remaining budget is not known.
        """
        assert self._limits is not None  # noqa: S101 - budget() comes first
        rooms = []
        if (cap_nanousd := self._options.max_cost_nanousd) is not None:
            rooms.append(cap_nanousd - self._limits.run.spent_nanousd)
        if (cap_nanousd := self._options.daily_budget_nanousd) is not None and self._account is not None:
            rooms.append(cap_nanousd - self._account.total(day_of(utc_now())).charged_nanousd)
        return min(rooms, default=None)

    def hold(self, name: str, nanousd: int) -> bool:
        """Reserve money beyond the end of this session, until `settle_held`. False if it does not fit.

        Raises:
            StorageFailed: it cannot be recorded, and there is a daily budget.
        """
        assert self._limits is not None  # noqa: S101 - budget() comes first
        if self._store is not None and self._account is not None:
            info = replace(self._info, id=name, leased=True, started_at=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}")
            cap_nanousd = self._options.daily_budget_nanousd
            try:
                if not self._store.hold(info, day_of(utc_now()), nanousd, cap_nanousd):
                    return False
            except StorageFailed as error:
                if cap_nanousd is not None:
                    raise
                self._not_recorded(error)
        self._limits.run.settle(0, nanousd)
        return True

    def held(self, prefix: str) -> list[str]:
        """The names of reservations that begin with a prefix."""
        if self._store is None:
            return []
        try:
            return [name for name, _ in self._store.open_sessions() if name.startswith(prefix)]
        except StorageFailed as error:
            self._not_recorded(error)
            return []

    def settle_held(self, name: str, day: str, usage: UsageTotals, *, freed_nanousd: int = 0) -> None:
        """Replace the reserved amount with the actual cost, on the day on which it was sent.

        Args:
            name: of the reservation.
            day: the day.
            usage: its actual usage.
            freed_nanousd: by how much less that is, for this session's limit.
        """
        if self._limits is not None:
            self._limits.run.settle(0, -freed_nanousd)
        if self._store is None:
            return
        try:
            settlement = Settlement({day: usage}, usage.most_nanousd)
            self._store.settle(name, settlement, ended_at=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}")
        except StorageFailed as error:
            self._not_recorded(error)

    async def keep(self) -> None:
        """Report to the store, and to the user when a share of a budget is spent, until cancelled."""
        took_s = 0.0
        while True:
            await asyncio.sleep(next_beat_s(took_s))
            assert self._limits is not None  # noqa: S101 - budget() comes first
            total, began = None, time.monotonic()
            try:
                if isinstance(self._limits.run, SharedRunLimit):
                    await self._limits.run.beat()
                total = await self._limits.day.beat(self._tally.days.usage())
            except StorageFailed as error:
                self._not_recorded(error)
            took_s = time.monotonic() - began
            await asyncio.to_thread(self._look, total)

    def end(self) -> bool:
        """Record what the session cost. Returns whether the store is complete.

        If it is not, the session stays open there, until the run folder shows what it cost.
        """
        recorded = True
        if self._limits is not None:
            try:
                if isinstance(self._limits.run, SharedRunLimit):
                    self._limits.run.end()
                self._limits.day.end(self._tally.days.usage())
                self._look(None if self._account is None else self._account.total(day_of(utc_now())))
            except StorageFailed as error:
                self._not_recorded(error)
                recorded = False
        else:
            for account in filter(None, (self._account, self._run_account)):
                with suppress(StorageFailed):
                    account.end({}, {})
        self._alerts.close()
        for store in filter(None, (self._store, self._run_store)):
            store.close()
        return recorded

    def _actual_spend(self, session: str, run: str) -> Settlement | None:
        """The actual spending; a session of this run folder is found even if the folder was moved."""
        return actual_spend(session, run) or actual_spend(session, self._info.run)

    def _look(self, total: DayTotal | None) -> None:
        if (run := self._run_level()) is not None:
            self._alerts.look(run, claim=_claim(self._run_account, WHOLE_RUN, run.cap_nanousd))
        account, cap_nanousd = self._account, self._options.daily_budget_nanousd
        if total is not None and account is not None and cap_nanousd is not None:
            day = day_of(utc_now())
            level = Level("--daily-budget", total.spent_nanousd, cap_nanousd, day)
            self._alerts.look(level, claim=_claim(account, day, cap_nanousd))

    def _run_level(self) -> Level | None:
        if self._limits is None or not self._options.max_cost_nanousd:
            return None
        return Level("--max-cost", self._limits.run.spent_nanousd, self._options.max_cost_nanousd)

    def _not_recorded(self, error: StorageFailed) -> None:
        if not self._failed:
            self._failed = True
            self._emit(SpendNotRecorded(error.message))


def next_beat_s(took_s: float) -> float:
    """How long to wait before the next report to the store, given how long the last one took."""
    return min(max(_BEAT_S, took_s / _BEAT_SHARE), _SLOWEST_BEAT_S)


def _claim(account: SpendAccount | None, period: str, cap_nanousd: int) -> Callable[[float], bool]:
    """Whether this session sends the alert for a share; always, if it does not share its account."""

    def claim(percent: float) -> bool:
        try:
            return account is None or account.claim_alert(period, cap_nanousd, percent)
        except StorageFailed:
            return True  # warned twice is better than not at all

    return claim
