"""A spending limit that holds: what a request may cost is set aside before it leaves.

At every instant `spent + reserved <= cap`, in whole nano-dollars and at any concurrency. What a request with an
unknown outcome may have cost stays spent. A request whose reservation does not fit waits for those under way, which
mostly cost less than was set aside for them; when none is under way, the limit is reached.
"""

import asyncio

from llmbatch.errors import BudgetReached
from llmbatch.money import to_usd


class Budget:
    """One run's limit. Without a cap it only adds up."""

    def __init__(self, cap_nusd: int | None, spent_nusd: int) -> None:
        """`spent_nusd`: what the run has cost so far, and may have cost: a limit holds across sessions."""
        self._cap_nusd = cap_nusd
        self._spent_nusd = spent_nusd
        self._reserved_nusd = 0
        self._settled = asyncio.Event()

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
