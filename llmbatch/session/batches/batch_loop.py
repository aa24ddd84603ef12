"""A session that sends its rows in batches: collects what is ready, submits what is pending, and exits or waits."""

import asyncio
import math
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from llmbatch.core.errors import BatchesPending, ComeBackLater, LLMBatchError, UsageError
from llmbatch.core.ledger_line import CONTROL, LedgerLine
from llmbatch.core.plurals import counted
from llmbatch.core.prices import PriceBook
from llmbatch.core.redact import Redactor
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.experiments.watch import Experiments
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.engine.tally import SessionTally
from llmbatch.observe.events import BatchRepeated
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.provider.batch_api import BatchApi
from llmbatch.provider.client import Endpoint
from llmbatch.provider.failures import Failure
from llmbatch.provider.shape import RequestShape
from llmbatch.runs.batches.log import EXPORTED, BatchLog
from llmbatch.runs.batches.lost import with_lost_rows
from llmbatch.runs.batches.options import BatchOptions
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.opening import OpenLedger
from llmbatch.session.batches.arms import BatchArm, asks_alone, batch_arms
from llmbatch.session.batches.collecting import Collector
from llmbatch.session.batches.deps import BatchDeps
from llmbatch.session.batches.drafts import Drafts
from llmbatch.session.batches.pending import PendingRows
from llmbatch.session.batches.submitting import Submitter
from llmbatch.session.session_plan import SessionPlan
from llmbatch.session.spending import Spending
from llmbatch.session.stop_handle import StopHandle

if TYPE_CHECKING:
    from llmbatch.cache.answers import AnswerCache

_FIRST_POLL_S, _LONGEST_POLL_S = 5.0, 60.0
_OFFLINE_POLL_S = 0.1
_SHOW_EVERY_S = 0.5


class BatchLoop:
    """Processes a session's rows, once."""

    def __init__(
        self,
        folder: RunFolder,
        plan: SessionPlan,
        options: BatchOptions,
        source: RunInput,
        opened: OpenLedger,
        *,
        tally: SessionTally,
        experiments: Experiments,
        spending: Spending,
        handle: StopHandle,
        observer: Observer,
        began: float,
    ) -> None:
        """Nothing is sent yet.

        Args:
            folder: the run's.
            plan: of the session.
            options: how rows are sent to the provider.
            source: the run's input.
            opened: its ledger.
            tally: the session's counts.
            experiments: receive each line.
            spending: limits and accounts.
            handle: stops the session.
            observer: notified of events.
            began: when the session began, by `time.perf_counter`.
        """
        self._folder = folder
        self._plan = plan
        self._options = options
        self._source = source
        self._opened = opened
        self._tally = tally
        self._experiments = experiments
        self._spending = spending
        self._handle = handle
        self._observer = observer
        self._began = began
        self.is_hurried = False
        """Whether it was interrupted a second time."""
        self.fallback_keys: set[str] = set()
        """Keys of rows to be sent as single requests, because they kept expiring."""
        self.asks_alone = False
        """Whether doubtful rows are sent to the stronger model as single requests."""
        self.set_aside_nanousd = 0
        """What the session has spent and reserved at its end, nano-dollars."""
        self.record: RunRecord = opened.record
        """The run's record, including what its batches may have been billed for."""

    async def ask(self, endpoint: Endpoint) -> Exception | None:
        """Collect and submit. Returns why rows are still pending, if any are."""
        cancellation, plan = Cancellation(), self._plan
        prices = plan.prices(endpoint)
        if (refusal := plan.preflight(prices, endpoint, self._observer.event)) is not None:
            return refusal
        self._opened.ledger.begin_session()
        earlier = await plan.answer_cache(self._observer.event)
        deps = self._deps(endpoint, cancellation, prices, earlier)
        pending = PendingRows(
            plan,
            self._source,
            self.record,
            deps,
            experiments=self._experiments,
            earlier=earlier,
            emit=self._observer.event,
        )
        held_nanousd = sum(part.at_most_nanousd for part in deps.log.open_parts)
        self._spending.budget(self._opened.spent_nanousd + held_nanousd, cancellation)
        background = [asyncio.create_task(self._spending.keep()), asyncio.create_task(self._show(deps))]
        try:
            with self._handle.stopping(cancellation, self._observer):
                return await self._until_hurried(self._work(deps, pending), cancellation)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await deps.api.close()
            if earlier is not None:
                await earlier.close()
            pending.end()
            self.fallback_keys = pending.fallback_keys
            self.asks_alone = asks_alone(plan, deps.arms)
            self.record = with_lost_rows(self.record, deps.log.parts).updated(**self._learnt(deps))
            there_nanousd = sum(part.at_most_nanousd for part in deps.log.open_parts)
            self.set_aside_nanousd = self._tally.totals.usage.most_nanousd + there_nanousd

    async def _until_hurried(
        self, work: Coroutine[None, None, Exception | None], cancellation: Cancellation
    ) -> Exception | None:
        """The work's result. A second interrupt abandons the call in flight, which the log records."""
        working, hurried = asyncio.create_task(work), asyncio.create_task(cancellation.wait_hurried())
        await asyncio.wait({working, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if working.done():
            return working.result()
        self.is_hurried = True
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return cancellation.reason

    async def _work(self, deps: BatchDeps, pending: PendingRows) -> Exception | None:
        """Run until all rows have their outcome, or it is time to exit."""
        submitter = Submitter(deps)
        sending = self._plan.sending
        collector = Collector(
            deps,
            submitter,
            FailureRateGuard(sending.guard),
            reasks=sending.policy.reasks,
        )
        until, first_poll_s = self._until(), _OFFLINE_POLL_S if self._is_offline else _FIRST_POLL_S
        poll_s = first_poll_s
        try:
            self._forget_offline_parts(deps, submitter)
            self._check_parts(deps)
            submitter.settle_left()
            if self._options.imports:
                await collector.import_results(self._options.imports)
            if self._options.imports and self._options.export is None:
                return collector.stop or self._why_pending(deps, submitter)
            while True:
                if await collector.collect():
                    submitter.room_is_free()
                    poll_s = first_poll_s
                if collector.stop is not None:
                    return collector.stop
                await self._submit(deps, pending, collector, submitter)
                if deps.cancellation.is_set:
                    return deps.cancellation.reason
                left_s = until - time.monotonic()
                is_done = not deps.log.open_parts and not submitter.refused
                if is_done or left_s <= 0 or self._options.export is not None:
                    return self._why_pending(deps, submitter)
                await deps.cancellation.sleep(min(poll_s, left_s))
                poll_s = min(poll_s * 2, _LONGEST_POLL_S)
        except RunCancelledError:
            return deps.cancellation.reason
        except LLMBatchError as error:
            return error

    def _learnt(self, deps: BatchDeps) -> dict[str, RequestShape]:
        """What was learnt about the endpoint, recorded as for single requests: the form of the plan's requests."""
        plan = self._plan
        if plan.asked is not plan.plan:
            return {}
        shape = deps.arms[CONTROL].fallbacks.shape
        return {"shape": replace(shape, service_tier=plan.asked.shape.service_tier)}

    async def _submit(self, deps: BatchDeps, pending: PendingRows, collector: Collector, submitter: Submitter) -> None:
        """Submit each arm's pending rows, given what has been collected."""
        self._experiments.end_batch()
        if (canary := self._experiments.canary) is not None and canary.is_dropped():
            await collector.cancel_canary()
        await submitter.resume()
        for arm in deps.arms.values():
            await submitter.submit(self._drafts(deps, pending, arm))
            while submitter.has_learnt:
                submitter.has_learnt = False
                await submitter.submit(self._drafts(deps, pending, arm))

    def _until(self) -> float:
        """When to exit, by `time.monotonic`."""
        wait_s = math.inf if self._is_offline else self._options.wait_s
        if (deadline := self._plan.sending.deadline) is not None:
            wait_s = min(wait_s, (deadline - datetime.now(UTC)).total_seconds())
        return time.monotonic() + wait_s

    def _why_pending(self, deps: BatchDeps, submitter: Submitter) -> LLMBatchError | None:
        if submitter.no_room is not None:
            return submitter.no_room
        parts = deps.log.open_parts
        if parts:
            rows = sum(part.prepared.rows for part in parts)
            where = "exported" if all(part.is_exported for part in parts) else "at the provider"
            there = f"{counted(rows, 'row')} in {counted(len(parts), 'part')} are {where}"
            if (expires_at := min((part.expires_at for part in parts if part.expires_at), default=None)) is not None:
                there += f"; the next one expires {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}"
            run_it = "run them, then import the results with --batch-import FILE"
            again = "run the same command again: it collects them and continues"
            return BatchesPending(there, hint=run_it if where == "exported" else again)
        if submitter.refused:
            return ComeBackLater(
                "the provider cannot enqueue more tokens at present",
                hint="run the same command again later, or set a limit: --batch-tokens",
            )
        return None

    @property
    def _is_offline(self) -> bool:
        """Whether the endpoint and its batches end with the session, so the session must wait for them."""
        return self._plan.endpoint is None

    def _forget_offline_parts(self, deps: BatchDeps, submitter: Submitter) -> None:
        for part in deps.log.open_parts if self._is_offline else ():
            if not part.is_exported:
                submitter.give_up(part, "the offline endpoint has ended")

    def _check_parts(self, deps: BatchDeps) -> None:
        """Refuse to continue if parts were submitted with another plan or to another endpoint.

        Raises:
            UsageError: nothing was sent.
        """
        for part in deps.log.open_parts:
            arm = deps.arms.get(part.prepared.arm)
            for name, there, now in (
                ("prompt, labels or model", part.prepared.fingerprint, None if arm is None else arm.fingerprint),
                ("--base-url", part.prepared.endpoint, deps.endpoint),
            ):
                if there not in (now, EXPORTED):
                    raise UsageError(
                        f"{part.prepared.rows:,} rows ({part.name}) are at the provider with another {name}; "
                        "nothing was sent",
                        hint="collect them first with the command that submitted them, or llmbatch batch cancel them",
                    )

    def _deps(
        self, endpoint: Endpoint, cancellation: Cancellation, prices: PriceBook, earlier: "AnswerCache | None"
    ) -> BatchDeps:
        plan, redact, canary = self._plan, Redactor((endpoint.api_key,)), self._experiments.canary

        def report_repeat(failure: Failure, wait_s: float) -> None:
            self._observer.event(BatchRepeated(failure.kind, redact(failure.message), wait_s))

        return BatchDeps(
            folder=self._folder,
            run_id=self.record.run_id,
            arms=batch_arms(plan, self.record, endpoint, prices, redact, self._observer.event),
            endpoint=self.record.endpoint if self._is_offline else endpoint.base_url,
            options=self._options,
            api=BatchApi(
                endpoint,
                plan.sending.policy,
                sleep=cancellation.sleep,
                on_repeat=report_repeat,
                random=Random(),  # noqa: S311 - jitter, not secrets
            ),
            log=BatchLog.open(self._folder),
            ledger=self._opened.ledger,
            tally=self._tally,
            spending=self._spending,
            cancellation=cancellation,
            failed=set(),
            drop_canary=lambda why: None if canary is None else canary.drop(why),
            redact=redact,
            emit=self._observer.event,
            on_row=partial(self._note_row, earlier),
        )

    def _drafts(self, deps: BatchDeps, pending: PendingRows, arm: BatchArm) -> Drafts:
        marks = arm.price_check.marks_prefix(deps.log.collected(arm.fingerprint))
        shape = arm.fallbacks.shape
        shape = replace(shape, marks_prefix=shape.marks_prefix and marks)
        return Drafts(pending.of(arm.plan.arm), arm, shape, deps.api.line_url)

    def _note_row(self, earlier: "AnswerCache | None", line: LedgerLine) -> None:
        self._experiments.watch(line)
        self._observer.row(line)
        if earlier is not None:
            earlier.note(line)

    async def _show(self, deps: BatchDeps) -> None:
        total, shard = await asyncio.to_thread(self._source.count), self.record.shard
        if total is not None and shard is not None:
            total = round(total / shard.total)
        while True:
            tally, usage = self._tally, self._tally.totals.usage
            self._observer.update(
                Progress(
                    total=total,
                    done=tally.skipped + tally.answered + tally.rejected,
                    skipped=tally.skipped,
                    failed=tally.failed + tally.rejected,
                    review=tally.review,
                    waiting=sum(part.prepared.rows for part in deps.log.open_parts),
                    input_tokens=usage.input_tokens,
                    cached_input_tokens=usage.cached_input_tokens,
                    cache_unreported_tokens=usage.cache_unreported_tokens,
                    cost_nanousd=usage.cost_nanousd,
                    elapsed_s=time.perf_counter() - self._began,
                )
            )
            await asyncio.sleep(_SHOW_EVERY_S)
