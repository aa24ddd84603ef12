"""One part's result lines become ledger lines, matched with rows by key.

A session that is killed in between leaves some of them in the ledger. Outcomes are pure functions of the lines, so the
next session reads all of them again, and writes what is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from llmbatch.core.ledger_line import CANARY, ESCALATION, FAILED, LedgerLine
from llmbatch.core.rows import Place, Row
from llmbatch.engine.batch_outcome import SentInBatch, Unanswered
from llmbatch.engine.reused_line import without_cost
from llmbatch.engine.tally import LedgerTotals
from llmbatch.provider.batch_api import RemoteBatch
from llmbatch.provider.failures import Action, Failure
from llmbatch.runs.batches.files import PartRow
from llmbatch.runs.batches.log import EXPIRED, INVALID, LINE, LOST, REFUSED, Part
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.session.batches.deps import BatchDeps

_MOST_TRIES = 3
"""Batches that may leave a row without an answer, for any temporary reason, before it fails."""
_NOWHERE = Place("", 0)


@dataclass(slots=True)
class PartResults:
    """What a part's result files have held so far."""

    seen: set[str] = field(default_factory=set)
    totals: LedgerTotals = field(default_factory=LedgerTotals)
    ok: int = 0
    failed: int = 0
    doubled: int = 0
    foreign: int = 0
    lost: int = 0
    """Rows that may have been billed, and whose answers are in no file or cannot be read."""
    lost_nanousd: int = 0
    """The most that these may have cost."""
    answered: int = 0
    """Lines of rows that had their turn."""
    reopened: dict[str, list[str]] = field(default_factory=dict)
    """Keys of rows that are pending again, by why."""

    def reopen(self, why: str, key: str) -> None:
        """Have a row pending again."""
        self.reopened.setdefault(why, []).append(key)

    def add(self, line: LedgerLine) -> None:
        """Count an outcome."""
        self.totals.add(line)
        self.failed += line.status == FAILED
        self.ok += line.status != FAILED


class ResultReader:
    """Reads the result lines of one part."""

    def __init__(
        self, deps: BatchDeps, part: Part, batch: RemoteBatch, *, reasks: int, watch: Callable[[LedgerLine], None]
    ) -> None:
        """Args.

        deps: of the session.
        part: whose results they are.
        batch: as the provider shows it.
        reasks: how often a row is re-asked after an unusable answer.
        watch: is given each new outcome.

        Raises:
            UsageError: which rows the part has is not known.
        """
        self._deps = deps
        self._arm = deps.arm(part)
        self._batch = batch
        self._reasks = 0 if self._arm.plan.arm == CANARY else reasks  # the control is asked instead
        self._watch = watch
        self._rows = deps.files(part).read_rows()
        self._sent_at = datetime.fromisoformat(part.prepared.at).astimezone(UTC)
        self.found = PartResults()
        self.refusal: Failure | None = None
        """What all rows were refused for, where they were."""

    def take(self, result: dict[str, Any] | None) -> None:
        """Take in one line of a result file; None where it is no JSON object."""
        found, deps, arm = self.found, self._deps, self._arm
        key = None if result is None else result.get("custom_id")
        row = self._rows.get(key) if isinstance(key, str) else None
        if result is None or row is None:
            found.foreign += 1
            return
        if row.key in found.seen:
            found.doubled += 1
            return
        found.seen.add(row.key)
        sent = self._sent(row)
        outcome = arm.reader.outcome(sent, result, was_accepted=found.ok > 0)
        found.answered += not (isinstance(outcome, Unanswered) and outcome.is_unsent)
        if isinstance(outcome, Unanswered):
            if outcome.may_be_billed:
                found.lost += 1
                found.lost_nanousd += row.at_most_nusd
            if outcome.is_refused:
                self.refusal = self.refusal or outcome.failure
            if outcome.is_unsent or outcome.is_refused or not self._is_tried_enough(row.key):
                found.reopen(EXPIRED if outcome.is_unsent else REFUSED if outcome.is_refused else LINE, row.key)
                return
            outcome = arm.reader.failed(sent.state, outcome.failure, self._batch.id)
        if isinstance(outcome, LedgerLine):
            self._end(row, outcome)
        elif deps.log.reopened[arm.plan.arm, INVALID, row.key] >= self._reasks:
            self._end(row, outcome.line)
        else:
            self._keep(row, outcome.line)
            found.totals.add(outcome.line)
            found.reopen(INVALID, row.key)

    def end(self) -> None:
        """All lines are read: what becomes of the rows that are in no file."""
        found, batch = self.found, self._batch
        missing = [row for key, row in self._rows.items() if key not in found.seen]
        billed = self._most_billed(len(missing))
        found.lost += billed
        found.lost_nanousd += sum(sorted((row.at_most_nusd for row in missing), reverse=True)[:billed])
        if not billed:
            for row in missing:
                found.reopen(EXPIRED, row.key)
            return
        for row in missing:
            if self._is_tried_enough(row.key):
                failure = Failure("batch_line", Action.FAIL, f"its answer was missing from {_MOST_TRIES} batches")
                self._end(row, self._arm.reader.failed(self._sent(row).state, failure, batch.id))
            found.reopen(LOST, row.key)

    def _most_billed(self, missing: int) -> int:
        """How many rows that are in no file may have had their turn. Of a batch that was cut short, its counts say."""
        batch = self._batch
        if batch.status not in ("expired", "cancelled") or batch.completed is None or batch.failed is None:
            return missing
        return min(max(batch.completed + batch.failed - self.found.answered, 0), missing)

    def _end(self, row: PartRow, line: LedgerLine) -> None:
        """A row has its outcome in this arm."""
        deps, arm = self._deps, self._arm.plan.arm
        is_first = arm != ESCALATION or not deps.ledger.is_of_session(row.key)
        self._keep(row, line)
        self.found.add(line)
        if line.status == FAILED:
            deps.failed.add((arm, row.key))
        if is_first and not (arm == CANARY and line.status == FAILED):  # which the control is asked about
            deps.tally.settle(deps.ledger.latest(row.key) or line, was_asked=True)

    def _keep(self, row: PartRow, line: LedgerLine) -> None:
        """Write an answer's outcome, unless a killed session has done so."""
        ledger = self._deps.ledger
        earlier = ledger.latest(row.key)
        is_kept = earlier is not None and earlier.batch == self._batch.id
        if not is_kept:
            self._write(line)
        if line.status != FAILED:
            if not is_kept or (row.canary_key is not None and not ledger.is_done(row.canary_key)):
                self._keep_for_canary(row, line, earlier)
        elif line.arm == ESCALATION and not (is_kept and ledger.is_done(row.key)):
            self._restore(self._answer_before(row.key) if is_kept else earlier)

    def _keep_for_canary(self, row: PartRow, line: LedgerLine, earlier: LedgerLine | None) -> None:
        """What a canary's plan was answered counts for that plan, too; and what the stronger model says instead."""
        is_canary_s = line.arm == CANARY or (earlier is not None and earlier.arm == CANARY)
        if is_canary_s and row.canary_key is not None:
            self._deps.ledger.append(replace(without_cost(line), key=row.canary_key))

    def _restore(self, answer: LedgerLine | None) -> None:
        """Where the stronger model fails, what was known before has the last word."""
        if answer is not None:
            self._write(replace(without_cost(answer), batch=self._batch.id))

    def _answer_before(self, key: str) -> LedgerLine | None:
        """The answer that a row had before the stronger model failed, and its session was killed at that."""
        answer = None
        for _, line in read_lines(self._deps.ledger.path):
            if line.key == key and line.status != FAILED:
                answer = line
        return answer

    def _write(self, line: LedgerLine) -> None:
        deps = self._deps
        deps.ledger.append(line)
        if deps.ledger.trouble is not None:
            raise deps.ledger.trouble
        deps.tally.add(line)
        deps.on_row(line)
        self._watch(line)

    def _is_tried_enough(self, key: str) -> bool:
        tries, arm = self._deps.log.reopened, self._arm.plan.arm
        return tries[arm, LINE, key] + tries[arm, LOST, key] + 1 >= _MOST_TRIES

    def _sent(self, row: PartRow) -> SentInBatch:
        placed = Row(index=row.row, id=row.id, text="", place=_NOWHERE, fields={}, flags=row.flags)
        return SentInBatch(placed, row.key, self._batch.id, self._sent_at, row.size, row.at_most_nusd)
