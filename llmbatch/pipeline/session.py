"""One session on a run folder, under its lock: open the ledger, run the engine, make the views, sum up."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from llmbatch.caller.client import Endpoint
from llmbatch.caller.sdk import load_sdk
from llmbatch.decisions import DecisionLog
from llmbatch.drift.profile import Asked
from llmbatch.errors import ComeBackLater, Interrupted, LLMBatchError, StorageFailed, UsageError
from llmbatch.events import (
    Event,
    FieldsChosen,
    LedgerSalvaged,
    LedgerTorn,
    PossiblyBilledFound,
    PrefixPlanned,
    RunStopping,
)
from llmbatch.files import storing
from llmbatch.ledger.checkpoint import WORTHWHILE_BYTES, Checkpoint, load_checkpoint, save_checkpoint
from llmbatch.ledger.line import LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.ledger.recover import cut_torn_tail, salvage, write_again
from llmbatch.ledger.reserve import Reserve
from llmbatch.ledger.sent import SentLog
from llmbatch.observer import Observer, RunStarted
from llmbatch.pipeline.assembly import Assembly, Surroundings, assemble
from llmbatch.pipeline.concurrency import Concurrency
from llmbatch.pipeline.engine import ROWS_PER_SLOT
from llmbatch.pipeline.estimate import quick_estimate
from llmbatch.pipeline.feed import feed
from llmbatch.pipeline.folder import PossiblyBilled, RunFolder, RunRecord, now_text
from llmbatch.pipeline.forewarning import forewarnings
from llmbatch.pipeline.input import RunInput
from llmbatch.pipeline.intake import Intake, skips
from llmbatch.pipeline.offline import offline_endpoint
from llmbatch.pipeline.options import Reuse, Sending, Tolerance
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.report import Ending, summarise
from llmbatch.pipeline.signals import Signals
from llmbatch.pipeline.spending import Spending
from llmbatch.pipeline.stop import Stop
from llmbatch.pipeline.tally import Expenses, SessionTally
from llmbatch.pipeline.trial import TrialPlan, begin_trial
from llmbatch.prices import PriceBook
from llmbatch.progress import Progress
from llmbatch.readers import FieldChoice
from llmbatch.spend.store import OFFLINE, REAL, SessionInfo
from llmbatch.summary import Summary, summary_json
from llmbatch.views import ViewCounts, ViewOptions, make_views

if TYPE_CHECKING:
    from llmbatch.pipeline.reuse import EarlierAnswers

_SYNC_EVERY_S = 1.0
_SHOW_EVERY_S = 0.25
_FIRST_LOOK_S = 0.5
_READ_AHEAD = 64


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session is to do. `asked` differs from `plan` where a retry asks another model for the run's rows."""

    record: RunRecord
    plan: Plan
    asked: Plan
    endpoint: Endpoint | None
    """None for the offline endpoint, which the session starts."""
    sending: Sending
    wanted: Callable[[Ledger], Callable[[str], bool]]
    """Given the ledger, tells which keys are to be asked."""
    command: str
    """The command that goes on."""
    trial: TrialPlan = TrialPlan()
    strict: bool = False
    reuse: Reuse | None = None
    max_failed: Tolerance = Tolerance()
    salvage: bool = False
    remarks: tuple[Event, ...] = ()
    """What is to be told at its beginning."""


class Session:
    """Runs once. The caller holds the folder's lock."""

    def __init__(self, folder: RunFolder, source: RunInput, plan: SessionPlan, observer: Observer) -> None:
        self._folder = folder
        self._source = source
        self._plan = plan
        self._observer = observer
        self._record = plan.record
        self._trial = begin_trial(
            plan.trial,
            Asked(plan.record.prompt, plan.record.model),
            review_below=plan.record.review_below,
            tell=observer.tell,
        )
        self._expenses = Expenses()
        self._checkpointed = 0
        """Bytes of the ledger that were taken from its checkpoint."""
        self._tally = SessionTally()
        self._sent = SentLog(folder.sent_log)
        self._id = f"{now_text()}-{secrets.token_hex(6)}"
        self._spending = Spending(plan.sending.budget, self._spender(), self._tally, observer.tell)
        self._signals = Signals(observer)
        self._reserve = Reserve(folder.reserve, rows=_rows_at_once(plan.sending))
        self._is_hurried = False
        self._began = time.perf_counter()
        self._total: int | None = None

    def run(self) -> Summary:
        """Do what the plan says and sum up. A guard's stop or a signal is in the summary, not raised.

        Raises:
            UsageError: the ledger is damaged, or the input cannot be read from its first row on.
            Exception: a bug, after everything was brought to its end in order.
        """
        with self._signals.handled():
            self._observer.started(self._introduction())
            prefix = self._plan.asked.prefix
            self._observer.tell(PrefixPlanned(prefix.tokens, prefix.cached_tokens, prefix.pool_examples, prefix.why))
            for remark in self._plan.remarks:
                self._observer.tell(remark)
            ledger = self._open_ledger()
            try:
                self._begin(ledger)
                try:
                    reason = self._ask(ledger)
                except Interrupted as interrupted:
                    reason = interrupted
                counts, reason = self._finish(ledger, reason)
            finally:
                self._reserve.release()
                try:
                    ledger.close()
                finally:
                    recorded = self._spending.end()
            if reason is not None and not isinstance(reason, LLMBatchError):
                raise reason
            with self._signals.deferred():
                self._sent.close(settled=recorded and ledger.trouble is None)
                self._tally.lost = ledger.lost
                summary = self._sum_up(counts, ledger.trouble or reason)
                if ledger.trouble is None and not self._is_hurried:
                    self._keep_checkpoint(ledger)
        if isinstance(reason, UsageError) and not (self._tally.answered or self._tally.skipped):
            raise reason  # nothing came of it: a mistake to be told, not a run to be summed up
        return summary

    def _finish(self, ledger: Ledger, reason: Exception | None) -> tuple[ViewCounts | None, Exception | None]:
        """Make the views, once their ledger is on the disk. Whoever has asked twice to leave does not wait for them."""
        try:
            self._reserve.release()
            ledger.sync()
            return None if self._is_hurried else self._make_views(ledger), reason
        except LLMBatchError as error:
            return None, reason or error

    def _introduction(self) -> RunStarted:
        record = self._record
        return RunStarted(
            run_id=record.run_id,
            folder=str(self._folder.path),
            model=self._plan.asked.question.model,
            task=record.task.name,
            prompt=record.prompt,
            endpoint=record.endpoint,
            offline=record.offline,
            llmbatch=record.llmbatch,
        )

    def _spender(self) -> SessionInfo:
        plan, asked = self._plan, self._asked()
        return SessionInfo(
            id=self._id,
            book=REAL if plan.endpoint is not None else OFFLINE,
            run=str(self._folder.path.absolute()),
            model=" + ".join(dict.fromkeys(one.question.model for one in asked)),
            task=plan.record.task.name,
            prompt=" + ".join(dict.fromkeys(one.prompt for one in asked)),
            leased=plan.sending.budget.daily_budget_nusd is not None,
            started_at=now_text(),
        )

    def _open_ledger(self) -> Ledger:
        if self._plan.salvage:
            with storing(self._folder.ledger):
                cut_torn_tail(self._folder.ledger)
                moved = salvage(self._folder.ledger)
            if moved:
                self._observer.tell(LedgerSalvaged(moved))
        left = self._sent.leftovers()
        if left is not None:
            with storing(self._folder.ledger):
                write_again(self._folder.ledger, left.ledger_offset)
        settled: Counter[str] = Counter()

        def note(offset: int, line: LedgerLine) -> None:
            self._expenses.add(line)
            self._trial.watch(line)
            if left is not None and offset >= left.ledger_offset:
                settled[line.key] += line.attempts

        checkpoint = self._checkpoint(at_most=None if left is None else left.ledger_offset)
        ledger, torn = Ledger.open(
            self._folder.ledger,
            on_line=note,
            reread=self._record.reread,
            reserve=self._reserve,
            checkpoint=checkpoint,
        )
        if torn is not None:
            self._observer.tell(LedgerTorn(torn.name))
        if left is not None and (lost := left.unsettled(settled)):
            billed = PossiblyBilled(requests=len(lost), at_most_nusd=sum(sent.at_most_nusd for sent in lost))
            self._record = self._record.updated(
                possibly_billed={**self._record.possibly_billed, left.started_at: billed}
            )
            self._observer.tell(PossiblyBilledFound(billed.requests, billed.at_most_nusd))
        return ledger

    def _checkpoint(self, *, at_most: int | None) -> Checkpoint | None:
        """What earlier sessions knew of the ledger; not of lines behind `at_most`, which are looked at one by one."""
        checkpoint = load_checkpoint(self._folder.ledger)
        if checkpoint is None or (at_most is not None and checkpoint.size > at_most):
            return None
        try:
            self._expenses = Expenses.restored(checkpoint.sums)
        except (TypeError, ValueError):
            return None
        self._checkpointed = checkpoint.size
        return checkpoint

    def _keep_checkpoint(self, ledger: Ledger) -> None:
        if ledger.size - self._checkpointed >= WORTHWHILE_BYTES:
            save_checkpoint(ledger.path, ledger.checkpoint(self._expenses.as_json()))

    def _begin(self, ledger: Ledger) -> None:
        self._spending.begin()  # it settles what killed sessions left, and for that reads the file that begins anew
        self._record.save(self._folder)
        self._sent.begin(ledger.size, self._id)
        self._reserve.take()

    def _ask(self, ledger: Ledger) -> Exception | None:
        with ExitStack() as stack:
            endpoint = self._plan.endpoint
            if endpoint is None:
                arguments = self._plan.sending.offline_arguments
                url = stack.enter_context(offline_endpoint(arguments, meanwhile=load_sdk))
                endpoint = Endpoint(url, "offline", on_loopback=True)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                return runner.run(self._work(ledger, endpoint))

    async def _work(self, ledger: Ledger, endpoint: Endpoint) -> Exception | None:
        stop, sending = Stop(), self._plan.sending
        prices = PriceBook(None if self._plan.endpoint is None else endpoint.base_url, sending.price)
        model = self._plan.asked.question.model
        if (unknown := self._without_price(prices)) and (limits := sending.budget.limits):
            return UsageError(
                f"{limits[0]} cannot hold: the price of {unknown} is not known",
                hint="give it with --price INPUT,CACHED,OUTPUT, in USD per million tokens",
            )
        for event in forewarnings(model, prices.price(model), endpoint.base_url):
            self._observer.tell(event)
        earlier = await self._earlier_answers()
        is_skipped = skips(ledger, self._plan.wanted(ledger))
        parts = assemble(
            self._plan.asked,
            endpoint,
            sending,
            Surroundings(
                ledger=ledger,
                sent=self._sent,
                tally=self._tally,
                stop=stop,
                prices=prices,
                budget=self._spending.budget(self._spent_before(), stop),
                tell=self._observer.tell,
                on_row=partial(self._note_row, earlier),
                random=Random(),  # noqa: S311 - jitter, not secrets
                clock=time.monotonic,
            ),
            calibrations=self._record.calibrations,
            review_below=self._record.review_below,
            strict=self._plan.strict,
            trial=self._trial,
            beside=self._plan.trial,
        )
        background = [
            asyncio.create_task(self._sync(ledger, stop)),
            asyncio.create_task(self._show(parts)),
            asyncio.create_task(self._count_rows()),
            asyncio.create_task(self._spending.keep()),
            asyncio.create_task(self._tell_stop(stop)),
            asyncio.create_task(self._keep_deadline(stop)),
            *([] if earlier is None else [asyncio.create_task(earlier.flush_often())]),
        ]
        try:
            with self._signals.stopping(stop):
                batch = 1 if self._source.is_stream else _READ_AHEAD
                background.append(await self._first_look(is_skipped, prices))
                record = self._record
                intake = Intake(
                    self._plan.plan, self._plan.asked, record.review_below, is_skipped, earlier, record.reread
                )
                rows = intake.prepared(self._source.rows(self._tell_fields), batch=batch)
                await parts.engine.run(feed(rows, batch=batch))
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            self._record = self._record.updated(limits=parts.paces[0].limits)
            for caller in parts.callers:
                await caller.close()
            if earlier is not None:
                await earlier.close()
            self._show_once(parts)
        self._is_hurried = stop.is_hurried
        return stop.reason

    async def _first_look(self, is_skipped: Callable[[str], bool], prices: PriceBook) -> "asyncio.Task[None]":
        """Tell the run's estimate, before the first request unless it takes long."""
        look = asyncio.create_task(asyncio.to_thread(self._tell_estimate, is_skipped, prices))
        await asyncio.wait({look}, timeout=_FIRST_LOOK_S)
        return look

    def _tell_estimate(self, is_skipped: Callable[[str], bool], prices: PriceBook) -> None:
        if self._source.is_stream:
            return  # which can be read only once
        plan, rows = self._plan, self._source.read_again(lambda _: None)
        with suppress(LLMBatchError):  # what is wrong with the input is told when its turn comes
            estimate = quick_estimate(
                plan.plan, plan.asked, rows, is_skipped, sending=plan.sending, prices=prices, standing=self._record
            )
            self._observer.tell(estimate)

    def _without_price(self, prices: PriceBook) -> str | None:
        """A model that the run asks, and whose price is not known."""
        models = (plan.question.model for plan in self._asked())
        return next((model for model in models if prices.price(model) is None), None)

    def _asked(self) -> list[Plan]:
        """All plans that are asked: the run's, and those of a canary and of a stronger model."""
        plans = (self._plan.asked, self._plan.trial.canary, self._plan.trial.escalation)
        return [plan for plan in plans if plan is not None]

    def _spent_before(self) -> int:
        """What earlier sessions cost and may have cost, nano-dollars."""
        killed = sum(session.at_most_nusd for session in self._record.possibly_billed.values())
        return self._expenses.priced_nusd + self._expenses.possibly_billed_nusd + killed

    async def _earlier_answers(self) -> "EarlierAnswers | None":
        if self._plan.reuse is None:
            return None
        from llmbatch.pipeline.reuse import earlier_answers  # noqa: PLC0415 - SQLite, and few runs ask for it

        record, tell = self._record, self._observer.tell
        return await asyncio.to_thread(
            earlier_answers, self._plan.reuse, endpoint=record.endpoint, run_id=record.run_id, tell=tell
        )

    def _note_row(self, earlier: "EarlierAnswers | None", line: LedgerLine) -> None:
        self._trial.watch(line)
        self._observer.row(line)
        if earlier is not None:
            earlier.note(line)

    async def _sync(self, ledger: Ledger, stop: Stop) -> None:
        """Bring finished rows to the disk in groups, off the loop."""
        while True:
            await asyncio.sleep(_SYNC_EVERY_S)
            try:
                await asyncio.to_thread(ledger.sync)
            except StorageFailed as error:
                stop.set(error)
                return

    async def _show(self, parts: Assembly) -> None:
        while True:
            self._show_once(parts)
            await asyncio.sleep(_SHOW_EVERY_S)

    async def _tell_stop(self, stop: Stop) -> None:
        await stop.wait()
        if isinstance(stop.reason, LLMBatchError) and not isinstance(stop.reason, Interrupted):
            self._observer.tell(RunStopping(stop.reason.message, int(stop.reason.exit_code)))

    async def _keep_deadline(self, stop: Stop) -> None:
        if (deadline_s := self._plan.sending.deadline_s) is not None:
            await asyncio.sleep(deadline_s)
            stop.set(
                ComeBackLater("the --deadline has passed", hint="run the same command again: it goes on where it stood")
            )

    async def _count_rows(self) -> None:
        self._total = await asyncio.to_thread(self._source.count)

    def _show_once(self, parts: Assembly) -> None:
        tally, expenses = self._tally, self._tally.expenses
        self._observer.update(
            Progress(
                total=self._total,
                done=tally.skipped + tally.answered + tally.rejected,
                skipped=tally.skipped,
                failed=tally.failed + tally.rejected,
                review=tally.review,
                retries=parts.arms.retries,
                in_flight=sum(pace.in_flight for pace in parts.paces),
                limit=sum(pace.limit for pace in parts.paces),
                waiting=parts.arms.waiting,
                held_s=max(pace.held_s for pace in parts.paces),
                outage_s=max(pace.outage_s for pace in parts.paces),
                input_tokens=expenses.usage.input_tokens,
                cached_input_tokens=expenses.usage.cached_input_tokens,
                cost_nusd=expenses.cost_nusd,
                canary=None if self._trial.canary is None else self._trial.canary.progress(),
                elapsed_s=time.perf_counter() - self._began,
            )
        )

    def _tell_fields(self, choice: FieldChoice) -> None:
        if choice.detected:
            self._observer.tell(FieldsChosen(choice.file, choice.text_fields, choice.id_field))

    def _make_views(self, ledger: Ledger) -> ViewCounts:
        options = ViewOptions(self._record.review_below, self._record.keep, self._record.sample)
        with closing(DecisionLog(self._folder.decisions)) as decisions:
            return make_views(
                self._folder.path,
                self._source.read_again,
                key=self._plan.plan.key,
                ledger=ledger,
                decisions=decisions,
                options=options,
            )

    def _sum_up(self, counts: ViewCounts | None, reason: LLMBatchError | None) -> Summary:
        self._expenses.merge(self._tally.expenses)
        ending = Ending(
            reason=reason,
            tally=self._tally,
            elapsed_s=time.perf_counter() - self._began,
            max_failed=self._plan.max_failed,
            command=self._plan.command,
            prefix=self._plan.asked.prefix,
            trial=self._trial.report(),
        )
        summary = summarise(self._folder, self._record, counts, self._expenses, ending)
        try:
            self._save(summary)
        except StorageFailed as error:
            ending = replace(ending, reason=reason or error)
            summary = summarise(self._folder, self._record, counts, self._expenses, ending)
        self._observer.ended(summary)
        return summary

    def _save(self, summary: Summary) -> None:
        record = self._record.updated(
            state=summary.state,
            exit_code=summary.exit_code,
            reason=summary.reason,
            totals=summary_json(summary),
        )
        record.save(self._folder)


def _rows_at_once(sending: Sending) -> int:
    """Rows whose outcome may be still to come once nothing more is sent: in flight, or waiting for a retry."""
    return Concurrency(sending.concurrency).most * ROWS_PER_SLOT


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (the extra `uvloop`)."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
