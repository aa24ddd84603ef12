"""Sharing a day's or a run's cap between processes, without asking the store about every request.

A session takes a part of the cap, a lease, from the store, and reserves from it locally. It takes more when the lease
is used up, in smaller amounts near the cap, and gives back what it does not need. At every instant and over all
sessions, `spent + reserved + unknown <= charged <= cap`.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from llmbatch.core.errors import BudgetReached
from llmbatch.core.money import to_usd
from llmbatch.core.usage import UsageTotals
from llmbatch.spend.account import SpendAccount
from llmbatch.spend.book import WHOLE_RUN, Balance, DayTotal
from llmbatch.spend.days import day_of, next_day_begins, utc_now

_FIRST_LEASE = 16  # requests
_QUICK_S, _SLOW_S = 1.0, 4.0  # a lease that lasts less than this is doubled next time, one that lasts more is halved
_POLL_S, _SLOWEST_POLL_S = 0.2, 2.0  # others give back every two seconds; polling too often would hinder them
_PATIENCE_S = 120.0  # with runs that hold part of the cap and make no progress: they may be suspended


class Sleep(Protocol):
    """How to wait."""

    def __call__(self, seconds: float, *, or_until: asyncio.Event) -> Awaitable[None]:
        """Wait for this many seconds or for an event; raises if the run stops."""


@dataclass(slots=True)
class _PeriodAccount:
    """A session's amounts in one period, in nano-dollars."""

    charged: int = 0
    spent: int = 0
    reserved: int = 0
    spent_at_last_beat: int = 0

    @property
    def free(self) -> int:
        return self.charged - self.spent - self.reserved


class _LeasedLimit(ABC):
    """What one session may spend of a cap in each period. Without a cap it only counts.

    A request belongs to the period in which it is sent.
    """

    def __init__(
        self,
        cap_nanousd: int | None,
        account: SpendAccount | None,
        *,
        sleep: Sleep,
        off_loop: Callable[..., Awaitable[Any]] = asyncio.to_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without a lease.

        Args:
            cap_nanousd: the cap of each period over all processes; None for no cap.
            account: the session's account in the spend store; None if nothing is shared, and thus without a cap.
            sleep: waits, and raises if the run stops.
            off_loop: runs blocking calls.
            clock: seconds, for the size of leases.
        """
        self._cap = cap_nanousd
        self._account = account
        self._sleep = sleep
        self._off_loop = off_loop
        self._clock = clock
        self._lease = _LeaseSize(clock)
        self._periods: dict[str, _PeriodAccount] = {}
        self._settled = asyncio.Event()
        self._asking = asyncio.Lock()  # one request at a time asks for more
        self._at_store = asyncio.Lock()  # the store and the local state change together

    async def reserve(self, nanousd: int) -> str:
        """Reserve the maximum cost of a request. Returns the period that it belongs to.

        Raises:
            BudgetReached: it does not fit, and no lease is held that could leave room for it.
            StorageFailed: the remaining amount is unknown, so nothing may be sent.
        """
        while True:
            period = self._period()
            account = self._periods.setdefault(period, _PeriodAccount())
            if self._cap is None:
                account.charged = account.spent + account.reserved + nanousd
            if nanousd <= account.free:
                account.reserved += nanousd
                return period
            async with self._asking:
                await self._make_room(period, account, nanousd)

    def settle(self, period: str, reserved_nanousd: int, spent_nanousd: int) -> None:
        """Release the reservation of a request of that period, and count what it cost or may have cost."""
        account = self._periods[period]
        account.reserved -= reserved_nanousd
        account.spent += spent_nanousd
        account.charged = max(account.charged, account.spent + account.reserved)  # more expensive than the stated price
        self._settled.set()

    async def beat(self, figures: Mapping[str, UsageTotals]) -> DayTotal | None:
        """Every so often: give back what is not needed, and write down how the session stands.

        Args:
            figures: what its rows cost, by day.

        Returns:
            The current period's total over all sessions; None if nothing is recorded.

        Raises:
            StorageFailed: that could not be written. What was set aside stays so.
        """
        if self._account is None:
            return None
        present = self._period()
        async with self._at_store:
            for period, account in self._periods.items():
                _shrink(account, keep=account.spent - account.spent_at_last_beat if period == present else 0)
                account.spent_at_last_beat = account.spent
            await self._off_loop(self._account.record, self._balances(), figures)
            total: DayTotal = await self._off_loop(self._account.total, present)
        return total

    def end(self, figures: Mapping[str, UsageTotals]) -> None:
        """End the session: give back everything not spent, and record what it cost; blocks.

        Raises:
            StorageFailed: that could not be written. Reservations remain until the session is settled.
        """
        if self._account is None:
            return
        for account in self._periods.values():
            _shrink(account, keep=0)
        self._account.end(self._balances(), figures)

    @abstractmethod
    def _period(self) -> str:
        """The current period."""

    @abstractmethod
    def _reached(self, period: str, total: DayTotal, own: _PeriodAccount, nanousd: int) -> BudgetReached:
        """The error for a request that may cost this much and is therefore not sent."""

    async def _make_room(self, period: str, own: _PeriodAccount, nanousd: int) -> None:
        """Wait until the request fits, or a new period has begun."""
        assert self._cap is not None  # noqa: S101 - without a cap everything fits
        assert self._account is not None  # noqa: S101 - a cap is shared
        patience, poll_s = _Patience(self._clock), _POLL_S
        while nanousd > own.free and period == self._period():
            async with self._at_store:
                need, want = nanousd - own.free, self._lease.next(nanousd, at_most=self._cap)
                granted = await self._off_loop(self._account.take, period, self._cap, need, want)
                own.charged += granted
            if granted:
                return
            if own.reserved == 0:
                total, others_hold = await self._off_loop(self._account.total_settled, period)
                if self._cap - total.charged_nanousd >= nanousd - own.free:
                    continue
                if not others_hold or patience.is_over(total):
                    raise self._reached(period, total, own, nanousd)
            self._settled.clear()  # the next beat gives back what is held but not needed
            await self._sleep(poll_s, or_until=self._settled)
            poll_s = min(poll_s * 2, _SLOWEST_POLL_S)

    def _balances(self) -> dict[str, Balance]:
        return {period: Balance(own.spent, own.charged) for period, own in self._periods.items()}


class DailyLimit(_LeasedLimit):
    """What one session may spend of a day's cap. At midnight UTC it continues under the new day's cap."""

    def __init__(
        self,
        cap_nanousd: int | None,
        account: SpendAccount | None,
        *,
        sleep: Sleep,
        off_loop: Callable[..., Awaitable[Any]] = asyncio.to_thread,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """As `_LeasedLimit`; `now` is the wall clock, which determines the day."""
        super().__init__(cap_nanousd, account, sleep=sleep, off_loop=off_loop, clock=clock)
        self._now = now

    def _period(self) -> str:
        return day_of(self._now())

    def _reached(self, period: str, total: DayTotal, own: _PeriodAccount, nanousd: int) -> BudgetReached:
        assert self._cap is not None  # noqa: S101
        held = sum(total.held.values())
        stuck = (
            f" (${to_usd(held):,.6g} of it reserved for batches or by killed runs: run them again to settle it)"
            if held
            else ""
        )
        begins = next_day_begins(period)
        hours, minutes = divmod(int((begins - self._now()).total_seconds()) // 60, 60)
        return BudgetReached(
            f"--daily-budget ${to_usd(self._cap):,.6g} is reached: ${to_usd(total.charged_nanousd - own.free):,.6g} of "
            f"{period} (UTC) is spent or may be{stuck}, and the next request may cost ${to_usd(nanousd):,.6g}",
            hint=f"the next day begins at {begins:%Y-%m-%dT%H:%M:%SZ}, in {hours}h{minutes:02d}m: run the same command "
            "then, or with a higher --daily-budget; finished rows are kept",
        )


class _RunLeases(_LeasedLimit):
    def _period(self) -> str:
        return WHOLE_RUN

    def _reached(self, period: str, total: DayTotal, own: _PeriodAccount, nanousd: int) -> BudgetReached:  # noqa: ARG002
        return run_limit_reached(self._cap or 0, total.charged_nanousd - own.free, nanousd)


class SharedRunLimit:
    """The share of a run's cap for one of several processes that label the run together.

    The run's earlier cost is in the book as spent.
    """

    def __init__(
        self,
        cap_nanousd: int,
        account: SpendAccount,
        *,
        sleep: Sleep,
        off_loop: Callable[..., Awaitable[Any]] = asyncio.to_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """As `_LeasedLimit`. The account is already open; blocks for one call to its book."""
        self._leases = _RunLeases(cap_nanousd, account, sleep=sleep, off_loop=off_loop, clock=clock)
        self.spent_nanousd = account.total(WHOLE_RUN).spent_nanousd
        """What all processes together have spent, as of the last beat."""

    async def reserve(self, nanousd: int) -> None:
        """Reserve the maximum cost of a request; raises the same errors as `DailyLimit`."""
        await self._leases.reserve(nanousd)

    def settle(self, reserved_nanousd: int, spent_nanousd: int) -> None:
        """Release the reservation of a request that has ended, and count what it cost or may have cost."""
        self._leases.settle(WHOLE_RUN, reserved_nanousd, spent_nanousd)

    async def beat(self) -> None:
        """Every so often: give back what is not needed, and write down how the session stands.

        Raises:
            StorageFailed: that could not be written. What was set aside stays so.
        """
        total = await self._leases.beat({})
        if total is not None:
            self.spent_nanousd = total.spent_nanousd

    def end(self) -> None:
        """End the session: give back everything not spent; blocks.

        Raises:
            StorageFailed: that could not be written.
        """
        self._leases.end({})


def run_limit_reached(cap_nanousd: int, spent_nanousd: int, nanousd: int) -> BudgetReached:
    """The error for a request that might exceed the run's own limit."""
    return BudgetReached(
        f"--max-cost ${to_usd(cap_nanousd):,.6g} is reached: ${to_usd(spent_nanousd):,.6g} is spent or may be, and the "
        f"next request may cost ${to_usd(nanousd):,.6g}",
        hint="run the same command with a higher --max-cost: finished rows are kept",
    )


def _shrink(account: _PeriodAccount, *, keep: int) -> None:
    account.charged -= max(account.free - keep, 0)


class _LeaseSize:
    """How much to take at once, so that a lease lasts a few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._nanousd = 0
        self._taken_at: float | None = None

    def next(self, request_nanousd: int, *, at_most: int) -> int:
        """The lease to ask for now, nano-dollars."""
        now = self._clock()
        lasted_s = _QUICK_S if self._taken_at is None else now - self._taken_at
        self._taken_at = now
        if lasted_s < _QUICK_S:
            self._nanousd *= 2
        elif lasted_s > _SLOW_S:
            self._nanousd //= 2
        self._nanousd = min(max(self._nanousd, _FIRST_LEASE * request_nanousd), at_most)
        return self._nanousd


class _Patience:
    """Patience with others that hold part of the cap; it runs out when nothing has changed for long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: DayTotal | None = None
        self._since = clock()

    def is_over(self, total: DayTotal) -> bool:
        if total != self._seen:
            self._seen, self._since = total, self._clock()
        return self._clock() - self._since > _PATIENCE_S
