"""One `--max-cost` for all shards of a run, however many processes label them.

The ledgers show what the run has cost. A store in the run folder records what the sessions in progress take from the
rest of the limit: the first of them creates it from the ledgers, and the others join.
"""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.observe.events import Event
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.options import RunOptions
from llmbatch.runs.shards import alone, merge_alone
from llmbatch.session.merging import spent_by_lines
from llmbatch.spend.book import WHOLE_RUN, Balance, SessionInfo
from llmbatch.spend.days import utc_now
from llmbatch.spend.liveness import SessionLock
from llmbatch.spend.store import SpendStore

_STORE = "max-cost.sqlite3"


def with_one_limit(options: RunOptions, whole: RunFolder, emit: Callable[[Event], None]) -> RunOptions:
    """The options of a shard whose limit applies to all shards together.

    Args:
        options: the user's. Batches have a limit for each shard.
        whole: the folder of the whole run.
        emit: called if a ledger had to be repaired.
    """
    budget = options.sending.budget
    if options.batch is not None or budget.max_cost_nanousd is None or budget.of_run is not None:
        return options
    budget = replace(budget, of_run=lambda: _ShardsStore(whole, emit))
    return replace(options, sending=replace(options.sending, budget=budget))


class _ShardsStore(SpendStore):
    """Records what the sessions in progress take from the limit."""

    _hint = "free it, or delete it while no shard is running: the next one creates it again from the ledgers"

    def __init__(self, whole: RunFolder, emit: Callable[[Event], None]) -> None:
        super().__init__(whole.path / _STORE)
        self._whole = whole
        self._emit = emit

    def begin_session(self, info: SessionInfo) -> SessionLock:
        """Register a session; the first one also records what the run has cost before."""
        with alone(self._whole):
            if not any(self.sign_of_life(session).is_held() for session, _ in self.open_sessions()):
                self._start_over()
            return super().begin_session(info)

    def _start_over(self) -> None:
        merge_alone(self._whole, self._emit)
        spent_nanousd, now = spent_by_lines(self._whole), f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"
        self.clear()
        before = SessionInfo("before", WHOLE_RUN, "", "", "", "", leased=True, started_at=now)
        super().begin_session(before).remove()
        self.record(before.id, {WHOLE_RUN: Balance(spent_nanousd, spent_nanousd)}, {}, ended_at=now)
