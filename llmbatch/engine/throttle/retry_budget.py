"""A budget for retries, shared by the run, so that a struggling endpoint's load is not multiplied.

After the AWS SDKs' retry quota: a full budget is 500, a retry after a transient failure costs 14, after a refusal by
rate 5; a retry that succeeds gives its cost back, any other success gives 1. Where the SDKs would fail the request, a
batch can wait: for successes, or for up to a second, since one more retry per second is always allowed.
"""

import asyncio
from collections.abc import Callable

from llmbatch.engine.cancellation import Cancellation
from llmbatch.provider.failures import Action

_FULL = 500.0
_COSTS = {Action.RETRY: 14.0, Action.THROTTLE: 5.0}
_SUCCESS = 1.0
_PER_S = 14.0
"""One transient retry a second, whatever happens: rows never wait for a success that only their retries can bring."""


class RetryBudget:
    """Spent by retries, filled by successes and slowly by time."""

    def __init__(self, cancellation: Cancellation, *, clock: Callable[[], float]) -> None:
        self._cancellation = cancellation
        self._clock = clock
        self._level = _FULL
        self._filled_at = clock()
        self._turn = asyncio.Lock()
        self._credited = asyncio.Event()

    @property
    def level(self) -> float:
        """The remaining budget."""
        now = self._clock()
        self._level = min(self._level + (now - self._filled_at) * _PER_S, _FULL)
        self._filled_at = now
        return self._level

    async def spend(self, action: Action) -> float:
        """Pay for a retry, waiting in turn until it can be paid for. Returns its cost.

        Raises:
            RunCancelledError: the run stopped meanwhile.
        """
        cost = _COSTS.get(action, 0.0)
        if not cost:
            return cost
        async with self._turn:
            while (missing := cost - self.level) > 0:
                self._credited.clear()
                await self._cancellation.sleep(missing / _PER_S, or_until=self._credited)
            self._level -= cost
        return cost

    def succeeded(self, paid: float) -> None:
        """Record that a request was answered, for which `paid` was spent (0 if it was not a retry)."""
        self._level = min(self.level + max(paid, _SUCCESS), _FULL)
        self._credited.set()

    def refill(self) -> None:
        """Refill after an outage, when what was learned is out of date."""
        self._level = _FULL
        self._credited.set()
