"""Turns one part's result lines into ledger lines, matched with rows by key.

A session that is killed meanwhile leaves some of them in the ledger. Outcomes are pure functions of the lines, so the
next session reads all of them again, and writes those that are missing.
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
"""How many batches may leave a row without an answer, for any temporary reason, before it fails."""
_NOWHERE = Place("", 0)


@dataclass(slots=True)
class PartResults:
    """The content of a part's result files so far."""

    seen: set[str] = field(default_factory=set)
    totals: LedgerTotals = field(default_factory=LedgerTotals)
    ok: int = 0
    failed: int = 0
    doubled: int = 0
    foreign: int = 0
    lost: int = 0
    """Rows that may have been billed but whose answers are in no file or cannot be read."""
    lost_nanousd: int = 0
    """Upper bound of their cost."""
    answered: int = 0
    """Lines of rows that have already been processed."""
    reopened: dict[str, list[str]] = field(default_factory=dict)
    """Keys of rows that are pending again, by reason."""

    def reopen(self, why: str, key: str) -> None:
        """Make a row pending again."""
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
        part: the part.
        batch: the provider's batch object.
        reasks: how often a row is re-asked after an unusable answer.
        watch: called with each new outcome.

        Raises:
            UsageError: the part's rows are not known.
        """
        self._deps = deps
        self._arm = deps.arm(part)
        self._batch = batch
        self._reasks = 0 if self._arm.plan.arm == CANARY else reasks  # the control answers instead
        self._watch = watch
        self._rows = deps.files(part).read_rows()
        self._sent_at = datetime.fromisoformat(part.prepared.at).astimezone(UTC)
        self.found = PartResults()
        self.refusal: Failure | None = None
        """The reason for which all rows were refused, if they were."""

    def take(self, result: dict[str, Any] | None) -> None:
        """Process one line of a result file; None if it is not a JSON object."""
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
        """After all lines, handle the rows that are in no file."""
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
        """How many of the missing rows may have been billed; for a batch that ended early, by its counts."""
        batch = self._batch
        if batch.status not in ("expired", "cancelled") or batch.completed is None or batch.failed is None:
            return missing
        return min(max(batch.completed + batch.failed - self.found.answered, 0), missing)

    def _end(self, row: PartRow, line: LedgerLine) -> None:
        """Record a row's outcome in this arm."""
        deps, arm = self._deps, self._arm.plan.arm
        is_first = arm != ESCALATION or not deps.ledger.is_of_session(row.key)
        self._keep(row, line)
        self.found.add(line)
        if line.status == FAILED:
            deps.failed.add((arm, row.key))
        if is_first and not (arm == CANARY and line.status == FAILED):  # the control answers these rows
            deps.tally.settle(deps.ledger.latest(row.key) or line, was_asked=True)

    def _keep(self, row: PartRow, line: LedgerLine) -> None:
        """Write an answer's outcome, unless a killed session already has."""
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
        """Also write a canary's answer for its own plan; and the stronger model's answer that replaces it."""
        is_canary_s = line.arm == CANARY or (earlier is not None and earlier.arm == CANARY)
        if is_canary_s and row.canary_key is not None:
            self._deps.ledger.append(replace(without_cost(line), key=row.canary_key))

    def _restore(self, answer: LedgerLine | None) -> None:
        """If the stronger model fails, restore the earlier answer as the latest."""
        if answer is not None:
            self._write(replace(without_cost(answer), batch=self._batch.id))

    def _answer_before(self, key: str) -> LedgerLine | None:
        """The answer of a row from before the stronger model failed, if the session was killed at that point."""
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
