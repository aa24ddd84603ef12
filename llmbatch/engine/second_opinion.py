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
        """The workers that send its requests."""

    def ask(self, row: Row, key: str, line: LedgerLine) -> AsyncIterator[LedgerLine]:
        """Yield each new ledger line of the row, whose latest is `line`; the last one is its outcome.

        Yields none if the run stopped before the row cost anything more.
        """


class StrongerModel:
    """Asks a stronger model, whose answer replaces the first one unless it fails."""

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
    """Models that vote on a row, one after the other. Each vote is stored at once, so none is paid for twice."""

    def __init__(
        self,
        models: Sequence[str],
        row_workers: Mapping[str, RowWorker],
        space: LabelSpace,
        recalibrated: Callable[[LedgerLine], LedgerLine],
    ) -> None:
        """Set the parts.

        Args:
            models: the models that vote; one that votes several times is listed as often.
            row_workers: the worker for each model.
            space: the task's label space.
            recalibrated: applies the current calibrations to a line's confidence.
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
        """See `SecondOpinion`. If a vote fails, the others decide."""
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
