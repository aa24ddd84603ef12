"""Spending limits that hold: what a request may cost is set aside before it leaves.

At every instant `spent + reserved <= cap`, in whole nano-dollars and at any concurrency, for the run (`--max-cost`) and
for the day (`--daily-budget`, over all processes). What a request with an unknown outcome may have cost stays spent. A
request whose reservation does not fit waits for those under way, which mostly cost less than was set aside for them;
when none is under way, the limit is reached.
"""

import asyncio
from dataclasses import dataclass

from llmbatch.core.errors import BudgetReached
from llmbatch.core.money import to_usd
from llmbatch.spend.leases import DailyLimit


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is set aside for one request, nano-dollars, and the day on which it leaves."""

    nusd: int
    day: str


class RunLimit:
    """One run's, all its sessions together. Without a cap it only adds up."""

    def __init__(self, cap_nusd: int | None, spent_nusd: int) -> None:
        """`spent_nusd`: what the run has cost so far, and may have cost: a limit holds across sessions."""
        self._cap_nusd = cap_nusd
        self._spent_nusd = spent_nusd
        self._reserved_nusd = 0
        self._settled = asyncio.Event()

    @property
    def spent_nusd(self) -> int:
        """What the run has cost and may have cost."""
        return self._spent_nusd

    async def reserve(self, nusd: int) -> None:
        """Set aside what a request may cost at most.

        Raises:
            BudgetReached: it does not fit, and nothing is under way that could leave room for it.
        """
        while not self._fits(nusd):
            if self._reserved_nusd == 0:
                raise BudgetReached(
                    f"--max-cost ${to_usd(self._cap_nusd or 0):,.6g} is reached: ${to_usd(self._spent_nusd):,.6g} "
                    f"is spent or may be, and the next request may cost ${to_usd(nusd):,.6g}",
                    hint="run the same command with a higher --max-cost: finished rows are kept",
                )
            self._settled.clear()
            await self._settled.wait()
        self._reserved_nusd += nusd

    def settle(self, reserved_nusd: int, spent_nusd: int) -> None:
        """A request has ended: give back what was set aside, and count what it cost or may have cost."""
        self._reserved_nusd -= reserved_nusd
        self._spent_nusd += spent_nusd
        self._settled.set()

    def _fits(self, nusd: int) -> bool:
        return self._cap_nusd is None or self._spent_nusd + self._reserved_nusd + nusd <= self._cap_nusd


class Budget:
    """All limits of a session as one: a request leaves only where it fits into each."""

    def __init__(self, run: RunLimit, day: DailyLimit) -> None:
        self._run = run
        self._day = day

    async def reserve(self, nusd: int) -> Reservation:
        """Set aside what a request may cost at most.

        Raises:
            BudgetReached: it does not fit into one of the limits, and nothing is under way that could leave room.
            StorageFailed: what is left of the day is not known.
        """
        await self._run.reserve(nusd)
        try:
            return Reservation(nusd, await self._day.reserve(nusd))
        except BaseException:
            self._run.settle(nusd, 0)
            raise

    def settle(self, reservation: Reservation, spent_nusd: int) -> None:
        """A request has ended: give back what was set aside, and count what it cost or may have cost."""
        self._run.settle(reservation.nusd, spent_nusd)
        self._day.settle(reservation.day, reservation.nusd, spent_nusd)
