"""One session on a run folder, under its lock: opens the ledger, runs the engine, writes the views, summarises."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from threading import Lock

from llmbatch.core.errors import Interrupted, LLMBatchError, StorageFailed, UsageError
from llmbatch.core.filenames import readable, stored
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.engine import ROWS_PER_SLOT
from llmbatch.engine.experiments.watch import begin_experiments
from llmbatch.engine.sending import Sending
from llmbatch.engine.tally import SessionTally
from llmbatch.engine.throttle.concurrency import Concurrency
from llmbatch.observe.events import InputPutRight, PrefixPlanned, SentInTheClear
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.summary import Summary, summary_json
from llmbatch.readers import FieldChoice
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.folder import RunFolder, now_text
from llmbatch.runs.folder_remarks import shrunk_logs
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.checkpoint import WORTHWHILE_BYTES, save_checkpoint
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.reserve import Reserve
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.runs.opening import LedgerOpening, OpenLedger
from llmbatch.runs.outputs import OutputCounts, RunRows, check_outputs, write_outputs
from llmbatch.session.batches.batch_loop import BatchLoop
from llmbatch.session.batches.single_rows import has_single_rows, single_events, single_plan
from llmbatch.session.event_loop import loop_factory
from llmbatch.session.offline import served_endpoint
from llmbatch.session.session_loop import SessionLoop
from llmbatch.session.session_plan import SessionPlan
from llmbatch.session.signals import signals_handled
from llmbatch.session.spending import Spending
from llmbatch.session.stop_handle import StopHandle
from llmbatch.session.summarise import Ending, summarise
from llmbatch.spend.book import OFFLINE, REAL, SessionInfo


class Session:
    """Runs once. The caller holds the folder's lock."""

    def __init__(
        self, folder: RunFolder, source: RunInput, plan: SessionPlan, observer: Observer, handle: StopHandle
    ) -> None:
        self._folder = folder
        self._source = source
        self._plan = plan
        self._observer = observer
        self._record = plan.record
        self._experiments = begin_experiments(
            plan.experiments,
            prompt=plan.record.prompt,
            model=plan.record.model,
            review=plan.record.review,
            emit=observer.event,
            since="" if plan.record.canary is None else plan.record.canary.since,
            parts_of=plan.record.task.label_space.parts_of,
        )
        self._tally = SessionTally(plan.record.review)
        self._sent = SentLog(folder.sent_log)
        self._id = f"{now_text()}-{secrets.token_hex(6)}"
        self._spending = Spending(plan.sending.budget, self._spender(), self._tally, observer.event)
        self._handle = handle
        self._reserve = Reserve(folder.reserve, rows=_rows_at_once(plan.sending))
        self._is_hurried = False
        self._writing = Lock()
        """Held while the outputs are written."""
        self._began = time.perf_counter()

    def run(self) -> Summary:
        """Execute the plan and summarise. A guard's stop or a signal is in the summary, not raised.

        Raises:
            UsageError: the ledger is damaged, or the input cannot be read from its first row on.
            Exception: a bug, after an orderly end of everything else.
        """
        with signals_handled(self._handle):
            self._introduce()
            opened = self._open()
            ledger = opened.ledger
            try:
                self._begin(opened)
                try:
                    reason = self._ask(opened)
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
            self._sent.close(settled=recorded and ledger.trouble is None)
            self._tally.lost = ledger.lost
            summary = self._sum_up(opened, counts, ledger.trouble or reason)
            if ledger.trouble is None and not self._is_hurried:
                _keep_checkpoint(opened)
        if isinstance(reason, UsageError) and not (self._tally.answered or self._tally.skipped):
            raise reason  # nothing was done: report the mistake instead of a summary
        return summary

    def _introduce(self) -> None:
        self._observer.started(self._introduction())
        prefix = self._plan.asked.prefix
        self._observer.event(PrefixPlanned(prefix.tokens, prefix.cached_tokens, prefix.pool_examples, prefix.why))
        if self._plan.endpoint is not None and self._plan.endpoint.in_the_clear:
            self._observer.event(SentInTheClear(self._plan.record.endpoint))
        for remark in self._plan.remarks:
            self._observer.event(remark)

    def _open(self) -> OpenLedger:
        check_outputs(self._folder.path)
        for shrunk in shrunk_logs(self._folder):
            self._observer.event(shrunk)
        opening = LedgerOpening(self._folder, self._record, self._sent, self._reserve, emit=self._observer.event)
        watch = self._experiments.watch if self._experiments.needs_lines else None
        opened = opening.open(salvages=self._plan.salvage, watch=watch, check=self._handle.check)
        self._record = opened.record
        return opened

    def _begin(self, opened: OpenLedger) -> None:
        self._spending.begin()  # it settles what killed sessions left, so it must read the file before it is rewritten
        self._record.save(self._folder)
        self._sent.begin(opened.ledger.size, self._id)
        self._reserve.take()

    def _ask(self, opened: OpenLedger) -> Exception | None:
        session_loop = self._loop(opened)
        try:
            with ExitStack() as stack:
                endpoint = stack.enter_context(served_endpoint(self._plan.endpoint, self._plan.sending))
                with asyncio.Runner(loop_factory=loop_factory()) as runner:
                    reason = runner.run(session_loop.ask(endpoint))
                    if isinstance(session_loop, BatchLoop) and has_single_rows(session_loop, reason):
                        session_loop = self._single_rows_loop(opened, session_loop)
                        reason = runner.run(session_loop.ask(endpoint)) or reason
                    return reason
        finally:
            self._record, self._is_hurried = session_loop.record, session_loop.is_hurried

    def _loop(self, opened: OpenLedger) -> SessionLoop | BatchLoop:
        if self._plan.batch is not None:
            return BatchLoop(
                self._folder,
                self._plan,
                self._plan.batch,
                self._source,
                opened,
                tally=self._tally,
                experiments=self._experiments,
                spending=self._spending,
                handle=self._handle,
                observer=self._observer,
                began=self._began,
            )
        return self._single_loop(self._plan, opened)

    def _single_rows_loop(self, opened: OpenLedger, batches: BatchLoop) -> SessionLoop:
        """A session loop for the rows that are now sent as single requests."""
        plan = single_plan(self._plan, batches)
        for event in single_events(self._plan, batches):
            self._observer.event(event)
        self._tally.skipped, self._tally.left = -self._tally.answered, 0  # it reads all rows once more
        return self._single_loop(
            plan, replace(opened, record=batches.record, set_aside_nanousd=batches.set_aside_nanousd)
        )

    def _single_loop(self, plan: SessionPlan, opened: OpenLedger) -> SessionLoop:
        return SessionLoop(
            plan,
            self._source,
            opened,
            sent=self._sent,
            tally=self._tally,
            experiments=self._experiments,
            spending=self._spending,
            handle=self._handle,
            observer=self._observer,
            write_outputs=self._roll_outputs,
            began=self._began,
        )

    def _finish(self, ledger: Ledger, reason: Exception | None) -> tuple[OutputCounts | None, Exception | None]:
        """Write the views after the ledger is synced. After a second interrupt, do not wait for them."""
        try:
            self._reserve.release()
            ledger.sync()
            counts = None if self._is_hurried else self._make_views(ledger)
            self._handle.end()
        except LLMBatchError as error:
            self._handle.end()
            return None, reason or error
        return counts, reason

    def _introduction(self) -> RunStarted:
        record = self._record
        return RunStarted(
            run_id=record.run_id,
            folder=readable(self._folder.path),
            model=self._plan.asked.question.model,
            task=record.task.name,
            prompt=record.prompt,
            endpoint=record.endpoint,
            offline=record.offline,
            llmbatch=record.llmbatch,
            review_below=record.review_below,
            review=record.review,
        )

    def _spender(self) -> SessionInfo:
        plan, asked = self._plan, self._plan.plans
        return SessionInfo(
            id=self._id,
            book=REAL if plan.endpoint is not None else OFFLINE,
            run=stored(self._folder.path.absolute()),
            model=" + ".join(dict.fromkeys(one.question.model for one in asked)),
            task=plan.record.task.name,
            prompt=" + ".join(dict.fromkeys(one.prompt for one in asked)),
            leased=plan.sending.budget.daily_budget_nanousd is not None,
            started_at=now_text(),
        )

    def _roll_outputs(self) -> None:
        """Write the outputs of the rows answered so far. A persistent error is reported at the session's end."""
        with suppress(LLMBatchError):
            ledger = Ledger.open_to_read(
                self._folder.ledger,
                on_line=lambda *_: None,
                reread=self._record.reread,
                labels=self._record.task.label_space,
            )
            with closing(ledger):
                self._make_views(ledger)

    def _make_views(self, ledger: Ledger) -> OutputCounts:
        with self._writing, closing(DecisionLog(self._folder.decisions)) as decisions:
            rows = RunRows(
                self._read_again,
                self._plan.plan.key,
                ledger,
                TaskDecisions(decisions, self._record.task.label_space),
                self._record.view_options,
            )
            return write_outputs(self._folder.path, rows)

    def _read_again(self, on_fields: Callable[[FieldChoice], None]) -> Iterator[Row | Rejection]:
        for row in self._source.read_again(on_fields):
            self._handle.check()
            yield row

    def _sum_up(self, opened: OpenLedger, counts: OutputCounts | None, reason: LLMBatchError | None) -> Summary:
        opened.totals.merge(self._tally.totals)
        for file, remarks in self._source.remarks().items():
            self._observer.event(InputPutRight(file, remarks))
        changes = self._source.changes()
        for change in changes:
            self._observer.event(change)
        self._record = self._record.updated(inputs_read=self._source.identities(), fields=self._source.fields())
        ending = Ending(
            reason=reason,
            tally=self._tally,
            elapsed_s=time.perf_counter() - self._began,
            max_failed=self._plan.max_failed,
            command=self._plan.command,
            prefix=self._plan.asked.prefix,
            experiments=self._experiments.report(),
            input_changes=changes,
        )
        summary = summarise(self._folder, self._record, counts, opened.totals, ending)
        try:
            if opened.ledger.is_in_place:  # otherwise the folder now belongs to another run
                self._save(summary)
        except StorageFailed as error:
            ending = replace(ending, reason=reason or error)
            summary = summarise(self._folder, self._record, counts, opened.totals, ending)
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


def _keep_checkpoint(opened: OpenLedger) -> None:
    """Write a checkpoint, so that the next session need not read all of a long ledger."""
    ledger = opened.ledger
    if ledger.size - opened.checkpointed >= WORTHWHILE_BYTES:
        save_checkpoint(ledger.path, ledger.checkpoint(opened.totals.as_json()))


def _rows_at_once(sending: Sending) -> int:
    """How many rows may still end once nothing more is sent: in flight, or waiting for a retry."""
    return Concurrency(sending.concurrency).most * ROWS_PER_SLOT * sending.rows_per_request
