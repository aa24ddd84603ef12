"""The plan of a session, as one frozen object."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbatch.cache.options import Reuse
from llmbatch.core.errors import UsageError
from llmbatch.core.prices import PriceBook
from llmbatch.engine.experiments.watch import ExperimentPlan, Experiments
from llmbatch.engine.plan import Plan
from llmbatch.engine.preflight import preflight_warnings, unpriced
from llmbatch.engine.sending import Sending
from llmbatch.observe.events import Event
from llmbatch.provider.client import Endpoint
from llmbatch.runs.batches.options import BatchOptions
from llmbatch.runs.folder import RunRecord
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.options import Tolerance

if TYPE_CHECKING:
    from llmbatch.cache.answers import AnswerCache


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """The plan of a session. `asked` differs from `plan` if a retry sends the run's rows to another model."""

    record: RunRecord
    plan: Plan
    asked: Plan
    endpoint: Endpoint | None
    """None for the offline endpoint, which the session starts."""
    sending: Sending
    wanted: Callable[[Ledger, Experiments], Callable[[str], bool]]
    """Given the ledger and the experiments, returns which keys are to be sent."""
    is_settled: Callable[[str], bool]
    """Whether a person has decided a text's label: it is not sent."""
    command: str
    """The command that resumes."""
    leaves_rows: bool = False
    """Whether rows without an outcome may be skipped, as in a retry."""
    before: RunRecord | None = None
    """The folder's record of the previous session, if that had another plan: its finished rows are sent again."""
    experiments: ExperimentPlan = ExperimentPlan()
    strict: bool = False
    reuse: Reuse | None = None
    max_failed: Tolerance = Tolerance()
    salvage: bool = False
    batch: BatchOptions | None = None
    """How rows go in batches; None sends each by itself."""
    remarks: tuple[Event, ...] = ()
    """Events to report at its start."""

    @property
    def plans(self) -> tuple[Plan, ...]:
        """All plans in use: the run's, a canary's, and those for doubtful rows."""
        plans = (self.asked, self.experiments.canary, *self.experiments.second_opinions)
        return tuple(plan for plan in plans if plan is not None)

    def prices(self, endpoint: Endpoint) -> PriceBook:
        """Prices of models at the endpoint."""
        return PriceBook(None if self.endpoint is None else endpoint.base_url, self.sending.price)

    def preflight(self, prices: PriceBook, endpoint: Endpoint, emit: Callable[[Event], None]) -> UsageError | None:
        """Why nothing may be sent, if so; otherwise reports doubtful settings."""
        models = [one.question.model for one in self.plans]
        embedding_models = [one.embedding_model for one in self.plans]
        refusal = unpriced(models, self.sending.budget.limits, prices, embedding_models=embedding_models)
        if refusal is None:
            for event in preflight_warnings(self.asked, prices, endpoint.base_url):
                emit(event)
        return refusal

    async def answer_cache(self, emit: Callable[[Event], None]) -> "AnswerCache | None":
        """The answer cache, if it is requested and can be read."""
        if self.reuse is None:
            return None
        from llmbatch.cache.answers import open_answer_cache  # noqa: PLC0415 - SQLite, and few runs ask for it

        record = self.record
        return await asyncio.to_thread(
            open_answer_cache, self.reuse, endpoint=record.endpoint, run_id=record.run_id, emit=emit
        )
