"""The rows of a run that go into batches now: neither done nor at the provider, each assigned to an arm."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from llmbatch.core.errors import UsageError
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import CANARY, CONTROL, ESCALATION, FAILED, LedgerLine
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.cascade import known_to_canary
from llmbatch.engine.experiments.watch import Experiments
from llmbatch.engine.intake import Document, FailedBefore, Intake, Skipped, skips
from llmbatch.observe.events import Event
from llmbatch.runs.batches.log import EXPIRED
from llmbatch.runs.batches.options import BatchFallback
from llmbatch.runs.folder import RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.session.batches.deps import BatchDeps
from llmbatch.session.field_report import field_report
from llmbatch.session.rejections import Rejections
from llmbatch.session.session_plan import SessionPlan

if TYPE_CHECKING:
    from llmbatch.cache.answers import AnswerCache

_LOOKED_UP_AT_ONCE = 64


class PendingRows:
    """Reads the input again for each arm of each round. Blocks, so it runs in another thread while the loop waits."""

    def __init__(
        self,
        plan: SessionPlan,
        source: RunInput,
        record: RunRecord,
        deps: BatchDeps,
        *,
        experiments: Experiments,
        earlier: "AnswerCache | None",
        emit: Callable[[Event], None],
    ) -> None:
        """Args.

        plan: of the session.
        source: the run's input.
        record: the run's.
        deps: of the session.
        experiments: decide which rows are a canary's, and which are doubtful.
        earlier: answers of earlier runs; None if none are used.
        emit: takes events.
        """
        self._plan = plan
        self._source = source
        self._record = record
        self._deps = deps
        self._canary = experiments.canary
        self._earlier = earlier
        self._emit = emit
        self._rejections = Rejections(emit)
        self._is_wanted = plan.wanted(deps.ledger, experiments)
        self._is_first_pass = True
        self.fallback_keys: set[str] = set()
        """Keys of rows to be sent as single requests, because they kept expiring."""

    def of(self, arm: str) -> Iterator[Document]:
        """The rows for an arm. Rows that need no request get their outcome meanwhile."""
        deps, there = self._deps, KeyIndex()
        for part in deps.log.open_parts:
            for key in deps.files(part).read_rows():
                there[short(key)] = 1
        for document in self._documents():
            key = document.key
            if there.get(short(key)) is not None or self._arm_of(document) != arm or (arm, key) in deps.failed:
                continue
            if (known := self._known(document, arm)) is not None:
                self._settle(known)
            elif self._falls_back(arm, key):
                self.fallback_keys.add(key)
            else:
                yield document

    def end(self) -> None:
        """Report unreadable rows that have not been reported yet."""
        self._rejections.end()

    def _documents(self) -> Iterator[Document]:
        ledger, plan, is_first = self._deps.ledger, self._plan, self._is_first_pass
        self._is_first_pass = False
        intake = Intake(
            plan.plan,
            plan.asked,
            skips(ledger, self._is_wanted),
            self._earlier,
            self._record.reread,
            plan.is_settled,
            FailedBefore(ledger, self._read_again),
            ledger.is_done if plan.leaves_rows else None,
        )
        rows = self._source.rows(field_report(self._emit)) if is_first else self._read_again()
        for item in intake.prepared(rows, batch=1 if self._earlier is None else _LOOKED_UP_AT_ONCE):
            if self._deps.cancellation.is_set:
                return
            if isinstance(item, Document):
                yield item
            elif is_first:
                self._count(item)

    def _arm_of(self, document: Document) -> str | None:
        """The next arm for a row; None if the row already has its outcome."""
        ledger, key = self._deps.ledger, document.key
        if not self._is_wanted(key):
            return None
        opinions = self._plan.experiments.second_opinions
        if opinions and ledger.is_done(key):
            return opinions[0].arm
        is_new = not ledger.was_written(key)
        return CANARY if is_new and self._canary is not None and self._canary.takes(document.row) else CONTROL

    def _known(self, document: Document, arm: str) -> LedgerLine | None:
        """The outcome of a row that needs no request."""
        canary, ledger = self._plan.experiments.canary, self._deps.ledger
        if document.outcome is not None:
            return None if arm == ESCALATION else document.outcome
        if arm != CANARY or canary is None:
            return None
        return known_to_canary(ledger, canary.key_of(document.row.text), document.row, document.key)

    def _settle(self, line: LedgerLine) -> None:
        deps = self._deps
        deps.ledger.append(line)
        if line.status == FAILED:  # the next session retries it
            deps.failed.add((CONTROL, line.key))
        deps.tally.add(line)
        deps.tally.settle(line)
        deps.on_row(line)

    def _falls_back(self, arm: str, key: str) -> bool:
        options = self._deps.options
        is_tired = self._deps.log.reopened[arm, EXPIRED, key] >= options.patience
        return options.fallback != BatchFallback.NONE and is_tired

    def _read_again(self) -> Iterator[Row | Rejection]:
        return self._source.read_again(lambda _: None)

    def _count(self, item: Rejection | Skipped) -> None:
        tally = self._deps.tally
        if isinstance(item, Skipped):
            tally.skipped += item.count - item.left
            tally.left += item.left
            return
        if self._plan.strict:
            raise UsageError(f"{item.place}: {item.message}", hint="without --strict, such rows go to failed.jsonl")
        tally.rejected += 1
        self._rejections.add(item)
