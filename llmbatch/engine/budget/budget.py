"""Hard spending limits: a request's maximum cost is reserved before it is sent.

At every instant `spent + reserved <= cap`, in whole nano-dollars and at any concurrency, for the run (`--max-cost`) and
for the day (`--daily-budget`, over all processes). What a request with an unknown outcome may have cost remains spent.
A request whose reservation does not fit waits for those in flight, which mostly cost less than was reserved for them;
if none is in flight, the limit is reached.
"""

import asyncio

from msgspec import Struct

from llmbatch.spend.leases import DailyLimit, SharedRunLimit, run_limit_reached


class Reservation(Struct, frozen=True, gc=False):
    """The reservation for one request, in nano-dollars, and the day on which it is sent."""

    nanousd: int
    day: str


class RunLimit:
    """The limit of one run over all its sessions, in a single process. Without a cap it only counts."""

    def __init__(self, cap_nanousd: int | None, spent_nanousd: int) -> None:
        """`spent_nanousd`: what the run has or may have cost so far, since a limit applies across sessions."""
        self._cap_nanousd = cap_nanousd
        self._spent_nanousd = spent_nanousd
        self._reserved_nanousd = 0
        self._settled = asyncio.Event()

    @property
    def spent_nanousd(self) -> int:
        """What the run has cost and may have cost."""
        return self._spent_nanousd

    async def reserve(self, nanousd: int) -> None:
        """Reserve the maximum cost of a request.

        Raises:
            BudgetReached: it does not fit, and nothing is in flight that could leave room for it.
        """
        while not self._fits(nanousd):
            if self._reserved_nanousd == 0:
                raise run_limit_reached(self._cap_nanousd or 0, self._spent_nanousd, nanousd)
            self._settled.clear()
            await self._settled.wait()
        self._reserved_nanousd += nanousd

    def settle(self, reserved_nanousd: int, spent_nanousd: int) -> None:
        """Release the reservation of a request that has ended, and count what it cost or may have cost."""
        self._reserved_nanousd -= reserved_nanousd
        self._spent_nanousd += spent_nanousd
        self._settled.set()

    def _fits(self, nanousd: int) -> bool:
        return self._cap_nanousd is None or self._spent_nanousd + self._reserved_nanousd + nanousd <= self._cap_nanousd


class Budget:
    """All limits of a session combined: a request is sent only if it fits in each."""

    def __init__(self, run: RunLimit | SharedRunLimit, day: DailyLimit) -> None:
        self._run = run
        self._day = day

    async def reserve(self, nanousd: int) -> Reservation:
        """Reserve the maximum cost of a request.

        Raises:
            BudgetReached: it does not fit into one of the limits, and nothing is in flight that could leave room.
            StorageFailed: the day's remaining budget is unknown.
        """
        await self._run.reserve(nanousd)
        try:
            return Reservation(nanousd, await self._day.reserve(nanousd))
        except BaseException:
            self._run.settle(nanousd, 0)
            raise

    def settle(self, reservation: Reservation, spent_nanousd: int) -> None:
        """Release the reservation of a request that has ended, and count what it cost or may have cost."""
        self._run.settle(reservation.nanousd, spent_nanousd)
        self._day.settle(reservation.day, reservation.nanousd, spent_nanousd)
