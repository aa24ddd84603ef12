"""Answers out of batches: however one ends, both result files are read line by line and matched with rows by key."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmbatch.core.errors import RunStopped, UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.files import replacing, storing
from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.core.rows import Place, Row
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.batch_outcome import SentInBatch, Unanswered, Unusable
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.engine.tally import LedgerTotals
from llmbatch.observe.events import BatchCollected, BatchGivenUp, BatchProgress, BatchUneven, BatchUsageDiffers
from llmbatch.provider.batch_api import GONE, RemoteBatch
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.runs.batches.files import PartRow, result_lines
from llmbatch.runs.batches.log import EXPIRED, INVALID, LINE, LOST, Part, step
from llmbatch.runs.batches.token_limit import TOKEN_LIMIT
from llmbatch.session.batches.deps import BatchDeps
from llmbatch.session.batches.submitting import Submitter

_MOST_TRIES = 3
"""Batches that leave a row without an answer, for whatever passes, before it fails."""
_LATE_WAITS_S = (2.0, 5.0, 10.0)
"""How long to wait for the files of a batch that has ended."""
_LINES_AT_ONCE = 200
"""Lines that are judged before others get their turn on the loop."""
_DIFFERENCE = 0.02
_NOWHERE = Place("", 0)


@dataclass(slots=True)
class _Found:
    """What a part's result files have held so far."""

    seen: set[str] = field(default_factory=set)
    totals: LedgerTotals = field(default_factory=LedgerTotals)
    ok: int = 0
    failed: int = 0
    doubled: int = 0
    foreign: int = 0
    reopened: dict[str, list[str]] = field(default_factory=dict)

    def reopen(self, why: str, key: str) -> None:
        self.reopened.setdefault(why, []).append(key)

    def add(self, line: LedgerLine) -> None:
        self.totals.add(line)
        self.failed += line.status == FAILED
        self.ok += line.status != FAILED


class Collector:
    """Collects the parts that are ready."""

    def __init__(self, deps: BatchDeps, submitter: Submitter, guard: FailureRateGuard, *, reasks: int) -> None:
        """`reasks`: how often a row is re-asked after an unusable answer."""
        self._deps = deps
        self._reasks = reasks
        self._submitter = submitter
        self._guard = guard
        self.stop: RunStopped | None = None
        """Why nothing more is to be submitted, found while collecting."""

    async def collect(self) -> int:
        """Collect what is ready. Returns how many parts have ended.

        Raises:
            RunStopped: a batch is gone, or the endpoint cannot be asked.
        """
        ended = 0
        for part in self._deps.log.open_parts:
            if part.batch_id is None or part.is_exported:
                continue
            if self._deps.cancellation.is_set:
                break
            ended += await self._look(part, part.batch_id)
        return ended

    async def import_results(self, paths: tuple[Path, ...]) -> None:
        """Take the answers to exported parts out of result files. What is not answered there is pending again.

        Raises:
            UsageError: a file is not there, or none of its lines belongs to an exported part.
        """
        parts = {part.number: part for part in self._deps.log.open_parts if part.is_exported}
        exported = {number: self._deps.files(part).read_rows() for number, part in parts.items()}
        for path in paths:
            keys = {line.get("custom_id") for line in result_lines(path, must_exist=True) if line is not None}
            found = [number for number, rows in exported.items() if not keys.isdisjoint(rows)]
            if not found:
                raise UsageError(
                    f"{path}: no line belongs to an exported part of this run that is open",
                    hint="llmbatch batch list RUN shows them; a file can be imported once",
                )
            for number in found:
                part = parts[number]
                elsewhere = {key for other, rows in exported.items() if other != number for key in rows}
                # The bill is with those who ran it: a row that is missing was not asked.
                whole = RemoteBatch(part.batch_id or part.prepared.file, "expired", completed=0, failed=0)
                await self._read(part, whole, (path,), frozenset(elsewhere))
            exported = {number: rows for number, rows in exported.items() if number not in found}

    async def _look(self, part: Part, batch_id: str) -> bool:
        deps = self._deps
        batch = await self._retrieved(part, batch_id)
        if batch.status != part.status:
            deps.log.append(step("seen", part.number, status=batch.status, expires_at=batch.expires_at or 0))
            done = (batch.completed or 0) + (batch.failed or 0)
            deps.emit(BatchProgress(part.number, batch.status, done, part.prepared.rows))
        if not batch.is_final:
            return False
        if batch.status == "failed":
            self._failed(part, batch)
            return True
        for wait_s in _LATE_WAITS_S:
            if not _is_late(batch):
                break
            await deps.cancellation.sleep(wait_s)
            batch = await self._retrieved(part, batch_id)
        if _is_late(batch):
            return False
        for file_id, path in (
            (batch.output_file_id, deps.files(part).output),
            (batch.error_file_id, deps.files(part).errors),
        ):
            if file_id is not None and not path.exists():  # as a session leaves it that is killed while it reads it
                await self._download(file_id, path)
        await self._read(part, batch, (deps.files(part).output, deps.files(part).errors))
        return True

    async def _retrieved(self, part: Part, batch_id: str) -> RemoteBatch:
        deps = self._deps
        try:
            return await deps.api.retrieve(batch_id)
        except RequestFailedError as error:
            failure = error.failure
        if failure.status in GONE:
            run = quoted(deps.folder.path)
            raise RunStopped(
                f"{part.name}: the endpoint does not know {batch_id}; {part.prepared.rows:,} rows wait for it",
                hint=f"check the key and --base-url ({deps.endpoint}): another project's batches are not shown; "
                f"llmbatch batch forget {run} {part.number} gives it up",
            )
        raise self._submitter.stop(failure)

    async def _download(self, file_id: str, path: Path) -> None:
        """Fetch a result file, whole or not at all. One that is gone holds nothing."""
        try:
            with storing(path), replacing(path) as file:
                await self._deps.api.download(file_id, file)
        except RequestFailedError as error:
            if error.failure.status not in GONE:
                raise self._submitter.stop(error.failure) from None

    def _failed(self, part: Part, batch: RemoteBatch) -> None:
        """Nothing was worked on, and nothing is charged."""
        deps = self._deps
        error = batch.errors[0] if batch.errors else None
        limited = next((one for one in batch.errors if one.code == TOKEN_LIMIT), None)
        if limited is not None:
            self._submitter.note_token_limit(part, limited.code, limited.message)
            return
        why = "the provider says no more" if error is None else deps.redact(f"{error.code}: {error.message}")
        line = "" if error is None or error.line is None else f", line {error.line} of the request file"
        self._submitter.give_up(part, f"failed: {why}")
        deps.emit(BatchGivenUp(part.number, why, part.prepared.rows))
        self.stop = RunStopped(
            f"{part.name} failed at the provider ({why}{line}); nothing was charged",
            hint="fix the cause, then run the same command again: its rows are pending",
        )

    async def _read(
        self, part: Part, batch: RemoteBatch, paths: tuple[Path, ...], elsewhere: frozenset[str] = frozenset()
    ) -> None:
        """Take a part's answers out of result files; lines of `elsewhere`, keys of other parts, are passed over."""
        deps, files = self._deps, self._deps.files(part)
        rows, found = files.read_rows(), _Found()
        sent_at = datetime.fromisoformat(part.prepared.at).astimezone(UTC)
        number = 0
        for path in paths:
            for result in result_lines(path):
                if result is not None and result.get("custom_id") in elsewhere:
                    continue
                self._take(result, rows, found, batch.id, sent_at)
                number += 1
                if number % _LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        lost_nanousd = self._reopen_missing(batch, rows, found, sent_at)
        await asyncio.to_thread(deps.ledger.sync)
        lost = len(found.reopened.get(LOST, ()))
        usage = with_lost(found.totals.usage, lost, lost_nanousd)
        deps.log.append(
            step(
                "collected",
                part.number,
                ok=found.ok,
                failed=found.failed,
                doubled=found.doubled,
                foreign=found.foreign,
                cost_nusd=usage.priced_nanousd,
                lost=lost,
                lost_nusd=lost_nanousd,
                reopened=found.reopened,
                usage=usage.stored(),
            )
        )
        deps.spending.settle_held(
            part.prepared.account,
            part.prepared.at[:_DAY],
            usage,
            freed_nanousd=part.at_most_nanousd - usage.most_nanousd,
        )
        self._tell(part, batch, found, lost_nanousd)
        files.remove()
        await self._delete_there(part, batch)

    def _take(
        self,
        result: dict[str, Any] | None,
        rows: dict[str, PartRow],
        found: _Found,
        batch: str,
        sent_at: datetime,
    ) -> None:
        """One line of a result file."""
        deps = self._deps
        key = None if result is None else result.get("custom_id")
        row = rows.get(key) if isinstance(key, str) else None
        if result is None or row is None:
            found.foreign += 1
            return
        if row.key in found.seen:
            found.doubled += 1
            return
        found.seen.add(row.key)
        latest = deps.ledger.latest(row.key)
        if latest is not None and latest.batch == batch:  # a killed session has got so far
            found.add(latest)
            return
        sent = _sent(row, batch, sent_at)
        outcome = deps.reader.outcome(sent, result)
        if isinstance(outcome, Unanswered):
            why = EXPIRED if outcome.is_unsent else LINE
            if outcome.is_unsent or not self._is_tried_enough(row.key):
                found.reopen(why, row.key)
                return
            outcome = deps.reader.failed(sent.state, outcome.failure, batch)
        if not isinstance(outcome, Unusable):
            self._append(outcome, found)
        elif deps.log.reopened[INVALID, row.key] >= self._reasks:
            self._append(outcome.line, found)
        else:
            self._reask(outcome.line, found)

    def _reask(self, line: LedgerLine, found: _Found) -> None:
        """Keep what an unusable answer cost, and have its row asked again."""
        self._write(line)
        found.totals.add(line)
        found.reopen(INVALID, line.key)
        self._deps.reasked.add(line.key)

    def _append(self, line: LedgerLine, found: _Found) -> None:
        """A row has its outcome."""
        self._write(line)
        found.add(line)
        self._deps.reasked.discard(line.key)
        self._deps.tally.settle(line, was_asked=True)

    def _write(self, line: LedgerLine) -> None:
        deps = self._deps
        deps.ledger.append(line)
        if deps.ledger.trouble is not None:
            raise deps.ledger.trouble
        deps.tally.add(line)
        deps.on_row(line)
        self.stop = self.stop or self._guard.watch(line)

    def _reopen_missing(self, batch: RemoteBatch, rows: dict[str, PartRow], found: _Found, sent_at: datetime) -> int:
        """Rows that are in no file. Returns what they may have been billed, at most, nano-dollars."""
        missing = [row for key, row in rows.items() if key not in found.seen]
        counted = None if batch.completed is None or batch.failed is None else batch.completed + batch.failed
        was_cut_short = batch.status in ("expired", "cancelled")
        if was_cut_short and counted is not None and counted <= len(found.seen):
            for row in missing:
                found.reopen(EXPIRED, row.key)
            return 0
        lost_nanousd = 0
        for row in missing:
            lost_nanousd += row.at_most_nusd
            if self._is_tried_enough(row.key):
                failure = Failure("batch_line", Action.FAIL, f"its answer was missing from {_MOST_TRIES} batches")
                self._append(self._deps.reader.failed(_sent(row, batch.id, sent_at).state, failure, batch.id), found)
            found.reopen(LOST, row.key)
        return lost_nanousd

    def _is_tried_enough(self, key: str) -> bool:
        tries = self._deps.log.reopened
        return tries[LINE, key] + tries[LOST, key] + 1 >= _MOST_TRIES

    def _tell(self, part: Part, batch: RemoteBatch, found: _Found, lost_nanousd: int) -> None:
        deps, usage = self._deps, found.totals.usage
        lost = len(found.reopened.get(LOST, ()))
        deps.emit(
            BatchCollected(
                part.number,
                found.ok,
                found.failed,
                sum(map(len, found.reopened.values())),
                usage.cached_share or 0.0,
                usage.priced_nanousd,
            )
        )
        if lost or found.doubled or found.foreign:
            deps.emit(BatchUneven(part.number, lost, found.doubled, found.foreign, lost_nanousd))
        theirs = 0 if batch.usage is None else batch.usage.input_tokens
        if theirs > usage.input_tokens * (1 + _DIFFERENCE) and not lost:
            deps.emit(BatchUsageDiffers(part.number, theirs, usage.input_tokens))

    async def _delete_there(self, part: Part, batch: RemoteBatch) -> None:
        """People's texts need not lie at the provider any longer. Where they cannot be deleted, they expire."""
        for file_id in (part.file_id, batch.output_file_id, batch.error_file_id):
            if file_id is not None:
                try:
                    await self._deps.api.delete_file(file_id)
                except RequestFailedError:
                    continue


def _is_late(batch: RemoteBatch) -> bool:
    """Whether answers exist whose file is not named yet."""
    if batch.output_file_id is not None:
        return False
    if batch.completed is None:
        return batch.error_file_id is None
    return batch.completed > 0


def _sent(row: PartRow, batch: str, sent_at: datetime) -> SentInBatch:
    placed = Row(index=row.row, id=row.id, text="", place=_NOWHERE, fields={}, flags=row.flags)
    return SentInBatch(placed, row.key, batch, sent_at, row.size, row.at_most_nusd)


def with_lost(usage: UsageTotals, requests: int, nanousd: int) -> UsageTotals:
    """Totals with rows that may have been billed, and whose answers are lost."""
    return usage + UsageTotals(requests=requests, possibly_billed_requests=requests, possibly_billed_nanousd=nanousd)


_DAY = len("2026-11-25")
