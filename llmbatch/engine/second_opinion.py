"""Second opinions on low-confidence answers: from a stronger model, or from a jury that votes."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.core.rows import Row
from llmbatch.engine.experiments.jury import missing, with_verdict, with_vote
from llmbatch.engine.reused_line import without_cost
from llmbatch.engine.row_worker import RowWorker
from llmbatch.task.label_space import LabelSpace


class SecondOpinion(Protocol):
    """Gets a second opinion on a low-confidence row."""

    @property
    def row_workers(self) -> Sequence[RowWorker]:
        """Who sends its requests."""

    def ask(self, row: Row, key: str, line: LedgerLine) -> AsyncIterator[LedgerLine]:
        """Yield each ledger line of the row after `line`, its latest; the last one is its outcome.

        No line if the run stopped before it cost anything more.
        """


class StrongerModel:
    """Its answer counts instead of the first one, unless it fails."""

    def __init__(self, row_worker: RowWorker) -> None:
        self.row_workers = (row_worker,)

    async def ask(self, row: Row, key: str, line: LedgerLine) -> AsyncIterator[LedgerLine]:
        """See `SecondOpinion`."""
        (row_worker,) = self.row_workers
        stronger = await row_worker.ask(row, key)
        if stronger is None:
            return
        yield stronger
        if stronger.status == FAILED:
            yield without_cost(line)  # the earlier outcome stands


class JuryPanel:
    """Models that vote on it, one after the other; each vote is kept as soon as it is cast, and none is paid twice."""

    def __init__(
        self,
        models: Sequence[str],
        row_workers: Mapping[str, RowWorker],
        space: LabelSpace,
        recalibrated: Callable[[LedgerLine], LedgerLine],
    ) -> None:
        """What it works with.

        Args:
            models: that vote, one as often as it does.
            row_workers: who asks each of them.
            space: the task's labels.
            recalibrated: gives a line the confidence that its calibration makes of it.
        """
        self._models = models
        self._by_model = row_workers
        self._space = space
        self._recalibrated = recalibrated

    @property
    def row_workers(self) -> Sequence[RowWorker]:
        """See `SecondOpinion`."""
        return tuple(self._by_model.values())

    async def ask(self, row: Row, key: str, line: LedgerLine) -> AsyncIterator[LedgerLine]:
        """See `SecondOpinion`. A vote that fails leaves the others to decide."""
        waiting = missing(self._models, line)
        while waiting:
            vote = await self._by_model[waiting.pop(0)].ask(row, key)
            if vote is None:
                return
            if vote.status == FAILED:
                yield vote
                line = without_cost(line)
            else:
                line = with_vote(line, vote)
            if not waiting and not vote.is_abandoned:
                line = self._recalibrated(with_verdict(line, self._space))
            yield line
            if vote.is_abandoned:
                return
