"""Objects that the workers of a Ray run share: an actor keeps them, and workers call them through proxies.

The keeper runs on the driver's machine, where the user's own stores are, and ends with the driver.
"""

import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from llmbatch.core.errors import LLMBatchError, StorageFailed
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.throttle.shared_rate import RateShare, Taken
from llmbatch.runs.options import RunOptions
from llmbatch.spend.book import WHOLE_RUN, Balance, DayTotal, SessionInfo, Settlement, SpendBook
from llmbatch.spend.days import utc_now
from llmbatch.spend.liveness import SignOfLife, Unproven
from llmbatch.spend.store import SpendStore


class Keeper:
    """Runs as an actor, which answers one call at a time."""

    def __init__(self, opens: Mapping[str, Callable[[], Any]]) -> None:
        """Open the kept objects, each by name."""
        self._kept = {name: open_kept() for name, open_kept in opens.items()}

    def call(self, name: str, method: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Call a method of a kept object."""
        return getattr(self._kept[name], method)(*arguments, **named)

    def begin_session(self, name: str, info: SessionInfo) -> None:
        """Begin a session of a spend book. A lock held here would show that this process is alive, not the session."""
        self._kept[name].begin_session(info).remove()


@dataclass(frozen=True)
class _Remote:
    """A worker's proxy for a kept object. It opens itself, and need not be closed."""

    keeper: Any = field(repr=False)
    name: str

    def __call__(self) -> Self:
        return self

    def close(self) -> None:
        """Do nothing: nothing is open here."""

    def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        return self._answer(self.keeper.call.remote(self.name, method, arguments, named))

    def _answer(self, reference: Any) -> Any:
        import ray  # noqa: PLC0415 - an extra
        from ray.exceptions import RayError, RayTaskError  # noqa: PLC0415

        try:
            return ray.get(reference)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, LLMBatchError) else error from None
        except RayError as error:
            raise StorageFailed(
                f"the driver's actor for rates and budgets does not answer ({type(error).__name__})",
                hint="call ray_classify again: it resumes",
            ) from error


class RemoteRates(_Remote):
    """A `RateShare`."""

    def take(self, limit: str, seconds: float) -> Taken:
        """See `RateShare`."""
        taken: Taken = self._ask("take", limit, seconds)
        return taken


class RemoteBook(_Remote):
    """A `SpendBook`."""

    def sign_of_life(self, session: str) -> SignOfLife:  # noqa: ARG002 - of none is anything known
        """See `SpendBook`."""
        return Unproven()

    def begin_session(self, info: SessionInfo) -> SignOfLife:
        """See `SpendBook`."""
        self._answer(self.keeper.begin_session.remote(self.name, info))
        return Unproven()

    def hold(self, info: SessionInfo, day: str, nanousd: int, cap_nanousd: int | None) -> bool:
        """See `SpendBook`."""
        return bool(self._ask("hold", info, day, nanousd, cap_nanousd))

    def take(self, info: SessionInfo, day: str, cap_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
        """See `SpendBook`."""
        return int(self._ask("take", info, day, cap_nanousd, need_nanousd=need_nanousd, want_nanousd=want_nanousd))

    def record(
        self, session: str, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals], *, ended_at: str | None
    ) -> None:
        """See `SpendBook`."""
        self._ask("record", session, balances, figures, ended_at=ended_at)

    def total(self, book: str, day: str) -> DayTotal:
        """See `SpendBook`."""
        total: DayTotal = self._ask("total", book, day)
        return total

    def open_sessions(self) -> list[tuple[str, str]]:
        """See `SpendBook`."""
        return list(self._ask("open_sessions"))

    def settle(self, session: str, settlement: Settlement, *, ended_at: str) -> None:
        """See `SpendBook`."""
        self._ask("settle", session, settlement, ended_at=ended_at)

    def claim_alert(self, book: str, day: str, cap_nanousd: int, percent: float) -> bool:
        """See `SpendBook`."""
        return bool(self._ask("claim_alert", book, day, cap_nanousd, percent))


def shared(options: RunOptions, spent_nanousd: int) -> RunOptions:
    """The options of the workers, which share the limits of the user and of the run.

    Args:
        options: the run's, with stores of this machine.
        spent_nanousd: what the run has cost so far, and may have cost.
    """
    budget, rates = options.sending.budget, options.sending.rate_share
    opens = {_RATES: rates, _DAY: budget.store, _RUN: _RunBook(spent_nanousd)}
    keeper = _keeper({name: open_kept for name, open_kept in opens.items() if open_kept is not None})
    budget = replace(
        budget, store=None if budget.store is None else RemoteBook(keeper, _DAY), of_run=RemoteBook(keeper, _RUN)
    )
    rate_share = None if rates is None else RemoteRates(keeper, _RATES)
    return replace(options, sending=replace(options.sending, budget=budget, rate_share=rate_share))


def _keeper(opens: Mapping[str, Callable[[], RateShare | SpendBook]]) -> Any:
    import ray  # noqa: PLC0415 - an extra
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here).remote(opens)


_RATES, _DAY, _RUN = "rates", "day", "run"


@dataclass(frozen=True, slots=True)
class _RunBook:
    """Opens a spend book for one run, which lives as long as the driver and begins with what the run has cost."""

    spent_nanousd: int

    def __call__(self) -> SpendBook:
        folder = tempfile.TemporaryDirectory(prefix="llmbatch-")
        store = SpendStore(Path(folder.name) / "run.sqlite3", is_synced=False)
        weakref.finalize(store, folder.cleanup)
        now = f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
        before = SessionInfo("before", WHOLE_RUN, "", "", "", "", leased=True, started_at=now)
        store.begin_session(before)
        spent = {WHOLE_RUN: Balance(self.spent_nanousd, self.spent_nanousd)}
        store.record(before.id, spent, {}, ended_at=now)
        return store
