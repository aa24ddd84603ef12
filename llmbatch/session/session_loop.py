"""A session while it sends: the engine and everything that runs concurrently with it, on one event loop."""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import ComeBackLater, Interrupted, LLMBatchError
from llmbatch.core.filenames import readable
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.assembly import Assembly, EngineDeps, assemble
from llmbatch.engine.attempt import LIKE_OURS
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.engine import Engine, EngineSettings
from llmbatch.engine.experiments.watch import Experiments
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.engine.feed import feed
from llmbatch.engine.intake import FailedBefore, Intake, skips
from llmbatch.engine.tally import SessionTally, merged
from llmbatch.observe.events import RunStopping
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.provider.client import Endpoint
from llmbatch.runs.folder import RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.checkpoint import Checkpoint, save_checkpoint
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.runs.opening import OpenLedger
from llmbatch.session.field_report import field_report
from llmbatch.session.rejections import Rejections
from llmbatch.session.rolling import keep_rolling
from llmbatch.session.session_plan import SessionPlan
from llmbatch.session.spending import Spending
from llmbatch.session.stop_handle import StopHandle

if TYPE_CHECKING:
    from llmbatch.cache.answers import AnswerCache

SYNC_EVERY_S = 1.0
_SHOW_EVERY_S = 0.25
_FIRST_LOOK_S = 0.5
_LOOK_AT_THE_CLOCK_S = 20.0
_READ_AHEAD = 64
_OTHER_TEXT = 1.1
"""How much more the ratio may differ in other texts."""
MILESTONE_BYTES = 26 << 20
"""Size of new ledger lines after which a checkpoint is written: some 80,000 lines, which are read in a second. For a
ledger of more than 200 MB, an eighth of it, so that hashing for all checkpoints together stays in proportion."""


class SessionLoop:
    """Sends a session's rows, once."""

    def __init__(
        self,
        plan: SessionPlan,
        source: RunInput,
        opened: OpenLedger,
        *,
        sent: SentLog,
        tally: SessionTally,
        experiments: Experiments,
        spending: Spending,
        handle: StopHandle,
        observer: Observer,
        write_outputs: Callable[[], None],
        began: float,
    ) -> None:
        """Nothing is sent yet.

        Args:
            plan: of the session.
            source: the run's input.
            opened: its ledger.
            sent: the log of requests.
            tally: the session's counts.
            experiments: in addition to the plan.
            spending: limits and accounts.
            handle: stops the session.
            observer: notified of events.
            write_outputs: writes the outputs of the outcomes so far; blocks.
            began: when the session began, by `time.perf_counter`.

        Raises:
            UsageError: the database of the rate store cannot be used.
        """
        self._plan = plan
        self._source = source
        self._opened = opened
        self._sent = sent
        self._tally = tally
        self._experiments = experiments
        self._spending = spending
        self._handle = handle
        self._observer = observer
        self._write_outputs = write_outputs
        self._began = began
        share = None if plan.endpoint is None else plan.sending.rate_share
        self._rate_share = None if share is None else share()
        self._total: int | None = _rows_at_the_last_end(opened.record)
        self._standing = _standing(plan, opened.record, opened)
        """Rows that are already done, before the reader has reached them; 0 once it has reached them all."""
        self.record = opened.record
        """The run's record, with the rate limits that applied."""
        self._rejections = Rejections(observer.event)
        self.is_hurried = False
        """Whether it was interrupted a second time."""

    async def ask(self, endpoint: Endpoint) -> Exception | None:
        """Send until the rows end or the run is stopped. Returns the reason of a stop."""
        cancellation, plan = Cancellation(), self._plan
        prices = plan.prices(endpoint)
        if (refusal := plan.preflight(prices, endpoint, self._observer.event)) is not None:
            return refusal
        earlier = await plan.answer_cache(self._observer.event)
        self._opened.ledger.begin_session()
        is_skipped = skips(self._opened.ledger, plan.wanted(self._opened.ledger, self._experiments))
        parts = self._assembled(endpoint, cancellation, prices)
        background = [asyncio.create_task(task) for task in self._background(parts, cancellation, earlier)]
        try:
            with self._handle.stopping(cancellation, self._observer), _lasting_objects_spared():
                batch = 1 if self._source.is_stream else _READ_AHEAD
                background += await self._first_look(is_skipped, prices)
                intake = Intake(
                    plan.plan,
                    plan.asked,
                    is_skipped,
                    earlier,
                    self.record.reread,
                    plan.is_settled,
                    FailedBefore(self._opened.ledger, None if self._source.is_stream else self._read_again),
                    self._opened.ledger.is_done if plan.leaves_rows else None,
                )
                rows = intake.prepared(self._source.rows(field_report(self._observer.event)), batch=batch)
                await self._engine(parts, cancellation, earlier).run(feed(rows, batch=batch))
                if not cancellation.is_set:
                    self._standing = 0
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            for caller in parts.callers:
                await caller.close()
            if earlier is not None:
                await earlier.close()
            if self._rate_share is not None:
                self._rate_share.close()
            self._rejections.end()
            self._show_once(parts)
            self.record = self.record.updated(limits=parts.paces[0].limits, **self._learnt(parts))
            self.is_hurried = cancellation.is_hurried
        return cancellation.reason

    def _learnt(self, parts: Assembly) -> dict[str, Any]:
        """What was learnt about the endpoint, to be recorded: for the run's own plan, not for another model."""
        if self._plan.asked is not self._plan.plan:
            return {}
        control, choice = parts.control, self.record.choice
        ratio = choice.token_ratio
        if control.token_ratio > max(LIKE_OURS, ratio):
            ratio = control.token_ratio * _OTHER_TEXT
        window = control.window or choice.window
        return {"shape": parts.requests.shape, "choice": replace(choice, window=window, token_ratio=round(ratio, 3))}

    def _read_again(self) -> Iterator[Row | Rejection]:
        return self._source.read_again(lambda _: None)

    def _assembled(self, endpoint: Endpoint, cancellation: Cancellation, prices: PriceBook) -> Assembly:
        return assemble(
            self._plan.asked,
            endpoint,
            self._plan.sending,
            EngineDeps(
                outcomes=self._opened.ledger,
                sends=self._sent,
                cancellation=cancellation,
                prices=prices,
                surplus=Surplus(self._opened.totals.dearest_nanousd, self._opened.totals.longest_beyond),
                budget=self._spending.budget(self._opened.spent_nanousd, cancellation),
                emit=self._observer.event,
                random=Random(),  # noqa: S311 - jitter, not secrets
                clock=time.monotonic,
                rate_share=self._rate_share,
            ),
            calibrations=self.record.calibrations,
            experiments=self._experiments,
            beside=self._plan.experiments,
            shape=self.record.shape if self._plan.asked is self._plan.plan else None,
        )

    def _engine(self, parts: Assembly, cancellation: Cancellation, earlier: "AnswerCache | None") -> Engine:
        sending = self._plan.sending
        return Engine(
            arms=parts.arms,
            outcomes=self._opened.ledger,
            cancellation=cancellation,
            tally=self._tally,
            guard=FailureRateGuard(sending.guard),
            on_row=partial(self._note_row, earlier),
            on_rejection=self._rejections.add,
            settings=EngineSettings(parts.most_in_flight, strict=self._plan.strict, grace_s=sending.grace_s),
        )

    def _background(
        self, parts: Assembly, cancellation: Cancellation, earlier: "AnswerCache | None"
    ) -> list[Coroutine[None, None, None]]:
        return [
            self._sync(cancellation),
            self._show(parts),
            self._spending.keep(),
            self._report_stop(cancellation),
            self._keep_deadline(cancellation),
            *([self._count_rows()] if self._observer.is_watching else []),
            *([] if earlier is None else [earlier.flush_often()]),
            *([self._roll_outputs()] if self._source.is_stream else []),
        ]

    async def _first_look(self, is_skipped: Callable[[str], bool], prices: PriceBook) -> "list[asyncio.Task[None]]":
        """Report the effect of a changed plan, then the run's estimate, unless that would delay requests too long."""
        if not self._observer.is_watching:
            return []
        if self._plan.before is not None:
            await asyncio.to_thread(self._tell_change, self._plan.before, is_skipped, prices)
        look = asyncio.create_task(asyncio.to_thread(self._tell_estimate, is_skipped, prices))
        await asyncio.wait({look}, timeout=_FIRST_LOOK_S)
        return [look]

    def _tell_change(self, before: RunRecord, is_skipped: Callable[[str], bool], prices: PriceBook) -> None:
        from llmbatch.session.changed import plan_changed  # noqa: PLC0415 - it takes an estimate

        rows = self._source.read_again(lambda _: None)  # for standard input, the last session's copy
        with suppress(LLMBatchError):
            change = plan_changed(self._plan, before, rows, self._opened.ledger, is_skipped, prices)
            if change is not None:
                self._observer.event(change)

    def _tell_estimate(self, is_skipped: Callable[[str], bool], prices: PriceBook) -> None:
        if self._source.is_stream:
            return  # it can be read only once
        from llmbatch.estimate.arm_jobs import Beside  # noqa: PLC0415 - a quiet run has no estimate
        from llmbatch.estimate.estimate import quick_estimate  # noqa: PLC0415

        plan, rows = self._plan, self._read_again()
        with suppress(LLMBatchError):  # errors in the input are reported when it is read
            estimate = quick_estimate(
                plan.plan,
                plan.asked,
                rows,
                is_skipped,
                plan.is_settled,
                Beside(plan.experiments, self.record.review_below, self._is_waiting),
                sending=plan.sending,
                prices=prices,
                standing=self.record,
            )
            self._observer.event(estimate)
            if estimate.is_whole and not plan.leaves_rows:
                self._standing = estimate.done

    def _is_waiting(self, key: str) -> bool:
        """Whether a row has an answer and only waits for the stronger model or the jury."""
        ledger = self._opened.ledger
        return ledger.is_done(key) and self._experiments.takes(ledger.latest(key))

    def _note_row(self, earlier: "AnswerCache | None", line: LedgerLine) -> None:
        self._sent.settle(line.key, line.attempts)
        self._experiments.watch(line)
        self._observer.row(line)
        if earlier is not None:
            earlier.note(line)

    async def _sync(self, cancellation: Cancellation) -> None:
        """Sync finished rows in groups, outside the loop."""
        ledger = self._opened.ledger
        milestone = ledger.size
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            try:
                await asyncio.to_thread(self._sent.sync)
                await asyncio.to_thread(ledger.sync)
                if ledger.size - milestone >= max(MILESTONE_BYTES, milestone // 8):
                    milestone = ledger.size
                    await asyncio.to_thread(save_checkpoint, ledger.path, self._milestone())
            except LLMBatchError as error:
                cancellation.set(error)
                return

    def _milestone(self) -> Checkpoint:
        """Create a checkpoint, so that after a kill the next session need not read all lines of a long session."""
        ledger = self._opened.ledger
        ledger.sync()  # sync the last lines now: nothing may be added between the sync and the sums
        self._sent.begin_again(ledger.size, {day: usage.stored() for day, usage in self._tally.days.usage().items()})
        totals = merged((self._opened.totals, self._tally.totals))
        return ledger.checkpoint(totals.as_json()).kept_apart()

    async def _show(self, parts: Assembly) -> None:
        while True:
            self._show_once(parts)
            await asyncio.sleep(_SHOW_EVERY_S)

    async def _roll_outputs(self) -> None:
        folder = readable(self._opened.ledger.path.parent)
        await keep_rolling(self._write_outputs, lambda: self._tally.answered, folder, self._observer.event)

    async def _report_stop(self, cancellation: Cancellation) -> None:
        await cancellation.wait()
        if isinstance(cancellation.reason, LLMBatchError) and not isinstance(cancellation.reason, Interrupted):
            self._observer.event(RunStopping(cancellation.reason.message, int(cancellation.reason.exit_code)))

    async def _keep_deadline(self, cancellation: Cancellation) -> None:
        """Stop at the deadline by the wall clock, which continues while a machine is suspended or the user confirms."""
        if (deadline := self._plan.sending.deadline) is None:
            return
        while (left_s := (deadline - datetime.now(UTC)).total_seconds()) > 0:  # noqa: ASYNC110 - only the clock knows
            await asyncio.sleep(min(left_s, _LOOK_AT_THE_CLOCK_S))
        cancellation.set(ComeBackLater("the --deadline has passed", hint="run the same command again: it resumes"))

    async def _count_rows(self) -> None:
        total, shard = await asyncio.to_thread(self._source.count), self.record.shard
        self._total = total if total is None or shard is None else round(total / shard.total)

    def _show_once(self, parts: Assembly) -> None:
        tally, usage = self._tally, self._tally.totals.usage
        skipped = max(tally.skipped, self._standing)
        done = skipped + tally.answered + tally.rejected
        outage = max(parts.paces, key=lambda throttle: throttle.outage_s)
        self._observer.update(
            Progress(
                total=None if self._total is None else max(self._total - tally.left, done),
                done=done,
                skipped=skipped,
                failed=tally.failed + tally.rejected,
                review=tally.review,
                retries=parts.arms.retries,
                in_flight=sum(throttle.in_flight for throttle in parts.paces),
                limit=sum(throttle.limit for throttle in parts.paces),
                waiting=parts.arms.waiting,
                retry_kind=parts.arms.retry_kind,
                held_s=max(throttle.held_s for throttle in parts.paces),
                limited_by=next((throttle.limited_by for throttle in parts.paces if throttle.limited_by), ""),
                outage_s=outage.outage_s,
                outage_kind=outage.outage_kind,
                next_try_s=outage.next_probe_s if outage.outage_s else parts.arms.next_try_s,
                input_tokens=usage.input_tokens,
                cached_input_tokens=usage.cached_input_tokens,
                cache_unreported_tokens=usage.cache_unreported_tokens,
                cost_nanousd=usage.cost_nanousd,
                canary=None if self._experiments.canary is None else self._experiments.canary.progress(),
                elapsed_s=time.perf_counter() - self._began,
            )
        )


def _rows_at_the_last_end(record: RunRecord) -> int | None:
    """The number of input rows that the last session counted, until they are counted again; None if none has ended."""
    return None if record.totals is None else int(record.totals["rows"]["total"])


def _standing(plan: SessionPlan, record: RunRecord, opened: OpenLedger) -> int:
    """Rows with a label, as counted by the last session that ended in an orderly way, otherwise by the ledger."""
    if plan.before is not None:
        return 0
    if record.totals is None:
        return opened.totals.usage.labelled
    return int(record.totals["rows"]["ok"])  # those in review may be sent again


@contextmanager
def _lasting_objects_spared() -> Iterator[None]:
    """Exclude imports and plans, which live as long as the run, from garbage collection."""
    if _caller_freezes():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@cache
def _caller_freezes() -> bool:
    """Whether the caller has frozen objects of its own, as servers do before they fork: `unfreeze` would undo that.

    Looked at once, since it takes 50 ms for half a million objects.
    """
    return gc.get_freeze_count() > 0
