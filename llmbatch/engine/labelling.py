"""Labelling without a run: rows are processed as they arrive, and nothing is written to disk."""

import asyncio
import time
from collections.abc import Iterable
from random import Random

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook
from llmbatch.core.rows import Row
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.assembly import EngineDeps, assemble
from llmbatch.engine.budget.budget import Budget, RunLimit
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.engine.intake import Document, Intake
from llmbatch.engine.plan import Plan
from llmbatch.engine.preflight import preflight_warnings, unpriced
from llmbatch.engine.sending import Sending
from llmbatch.engine.sinks import NothingKept
from llmbatch.engine.tally import LedgerTotals
from llmbatch.observe.observer import Observer
from llmbatch.provider.client import Endpoint
from llmbatch.spend.leases import DailyLimit
from llmbatch.task.calibration import Calibration

_LONG = 20_000
"""Characters of a text whose tokens may take long to count: about a second per megabyte."""


class Labelling:
    """Processes rows, any number at once, with a shared throttle, retry budget and spending limit.

    Bound to the event loop that first uses it. Once stopped (by a guard, a limit, credentials), it sends nothing more.
    """

    def __init__(
        self,
        plan: Plan,
        endpoint: Endpoint,
        sending: Sending,
        *,
        calibrations: Iterable[Calibration],
        observer: Observer,
    ) -> None:
        """Nothing is sent yet.

        Args:
            plan: the plan.
            endpoint: the endpoint.
            sending: how requests are sent; of its budget, only the run's own limit applies.
            calibrations: calibrations of confidence.
            observer: notified of events.

        Raises:
            UsageError: there is a spending limit, but the model's price is unknown.
        """
        self.plan = plan
        prices = PriceBook(None if plan.offline else endpoint.base_url, sending.price)
        models, embedding_models = (plan.question.model,), (plan.embedding_model,)
        refusal = unpriced(models, sending.budget.limits, prices, embedding_models=embedding_models)
        if refusal is not None:
            raise refusal
        for event in preflight_warnings(plan, prices, endpoint.base_url):
            observer.event(event)
        self._cancellation, nothing_kept = Cancellation(), NothingKept()
        share = None if plan.offline else sending.rate_share
        self._rate_share = None if share is None else share()
        self._parts = assemble(
            plan,
            endpoint,
            sending,
            EngineDeps(
                outcomes=nothing_kept,
                sends=nothing_kept,
                cancellation=self._cancellation,
                prices=prices,
                surplus=Surplus(),
                budget=Budget(
                    RunLimit(sending.budget.max_cost_nanousd, 0), DailyLimit(None, None, sleep=self._cancellation.sleep)
                ),
                emit=observer.event,
                random=Random(),  # noqa: S311 - jitter, not secrets
                clock=time.monotonic,
                rate_share=self._rate_share,
            ),
            calibrations=tuple(calibrations),
        )
        self._intake = Intake(plan, plan, is_skipped=lambda _: False)
        self._guard = FailureRateGuard(sending.guard)
        self._observer = observer
        self._totals = LedgerTotals()

    @property
    def spent(self) -> UsageTotals:
        """Tokens and money so far, without requests in flight."""
        return self._totals.usage

    async def ask(self, row: Row) -> LedgerLine:
        """Process a row and return its outcome: a label, or the row's own failure.

        Raises:
            LLMBatchError: sending has stopped for this reason; the row may have been abandoned.
        """
        document = await asyncio.to_thread(self._document, row) if len(row.text) > _LONG else self._document(row)
        outcome = document.outcome
        if outcome is None:
            self._check()
            async for line in self._parts.arms.ask(document.row, document.key):
                self._totals.add(outcome := line)
        if outcome is None or outcome.is_abandoned:
            self._check()
            raise LLMBatchError("the labelling was stopped")
        self._observer.row(outcome)
        if (reason := self._guard.watch(outcome)) is not None:
            self._cancellation.set(reason)
        return outcome

    async def close(self) -> None:
        """Close the connections. Pending calls get no outcome."""
        self._cancellation.set(LLMBatchError("the labeler is closed"))
        for caller in self._parts.callers:
            await caller.close()
        if self._rate_share is not None:
            self._rate_share.close()

    def _document(self, row: Row) -> Document:
        (document,) = self._intake.prepared([row], batch=1)
        assert isinstance(document, Document)  # noqa: S101 - no row is skipped or rejected here
        return document

    def _check(self) -> None:
        if self._cancellation.reason is not None:
            raise self._cancellation.reason
