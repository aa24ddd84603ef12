"""Collects answers from batches: however a batch ends, both result files are read and matched with rows by key."""

import asyncio
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from llmbatch.core.errors import RunStopped, UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.files import replacing, storing
from llmbatch.core.ledger_line import CANARY, LedgerLine
from llmbatch.core.usage import Usage, UsageTotals
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.observe.events import (
    BatchCollected,
    BatchGivenUp,
    BatchProgress,
    BatchStalled,
    BatchUneven,
    BatchUsageDiffers,
)
from llmbatch.provider.batch_api import GONE, RemoteBatch
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.runs.batches.files import result_lines
from llmbatch.runs.batches.log import EXPORTED, Part, step
from llmbatch.runs.batches.token_limit import TOKEN_LIMIT
from llmbatch.session.batches.deps import BatchDeps
from llmbatch.session.batches.results import PartResults, ResultReader
from llmbatch.session.batches.submitting import Submitter

_LATE_WAITS_S = (2.0, 5.0, 10.0)
"""How long to wait for the files of a batch that has ended."""
_NEW_S = 120.0
"""How long a new batch may be unknown to parts of the endpoint."""
_HOUR_S = 3_600.0
_NOTED_EVERY_S = 0.5 * _HOUR_S
"""Minimum interval between records of progress."""
_STILL_S, _LONGEST_STILL_S = 6 * _HOUR_S, {"validating": _HOUR_S}
"""How long there may be no progress before that is reported; validating takes minutes."""
_LINES_AT_ONCE = 200
"""Lines that are processed before other tasks get their turn on the loop."""
_DIFFERENCE = 0.02
_ENDING = frozenset({"cancelling", EXPORTED})


class Collector:
    """Collects the parts that are ready."""

    def __init__(
        self,
        deps: BatchDeps,
        submitter: Submitter,
        guard: FailureRateGuard,
        *,
        reasks: int,
    ) -> None:
        """`reasks`: how often a row is re-asked after an unusable answer."""
        self._deps = deps
        self._reasks = reasks
        self._submitter = submitter
        self._guard = guard
        self.stop: RunStopped | None = None
        """Why nothing more may be submitted, found while collecting."""

    async def collect(self) -> int:
        """Collect what is ready. Returns how many parts were collected.

        Raises:
            RunStopped: the endpoint cannot be reached or refuses.
        """
        collected = 0
        for part in self._deps.log.open_parts:
            if part.batch_id is None or part.is_exported:
                continue
            if self._deps.cancellation.is_set:
                break
            collected += await self._look(part, part.batch_id)
        return collected

    async def cancel_canary(self) -> None:
        """Cancel a dropped canary's parts. What was answered until then is collected."""
        deps = self._deps
        for part in deps.log.open_parts:
            if part.prepared.arm == CANARY and part.batch_id is not None and part.status not in _ENDING:
                try:
                    batch = await deps.api.cancel(part.batch_id)
                except RequestFailedError:
                    continue  # the batch has ended meanwhile
                deps.log.append(step("seen", part.number, status=batch.status))

    async def import_results(self, paths: tuple[Path, ...]) -> None:
        """Import the answers to exported parts from result files. Unanswered rows are pending again.

        Raises:
            UsageError: a file does not exist, or none of its lines belongs to an exported part.
        """
        parts = {part.number: part for part in self._deps.log.open_parts if part.is_exported}
        exported = {number: self._deps.files(part).read_rows() for number, part in parts.items()}
        for path in paths:
            keys = {line.get("custom_id") for line in result_lines(path, must_exist=True) if line is not None}
            found = [number for number, rows in exported.items() if not keys.isdisjoint(rows)]
            if not found:
                raise UsageError(
                    f"{path}: no line belongs to an open exported part of this run",
                    hint="llmbatch batch list RUN shows them; each file can be imported once",
                )
            for number in found:
                part = parts[number]
                elsewhere = {key for other, rows in exported.items() if other != number for key in rows}
                # Whoever ran it pays for it: a missing row counts as not sent.
                whole = RemoteBatch(part.batch_id or part.prepared.file, "expired", completed=0, failed=0)
                await self._read(part, whole, (path,), frozenset(elsewhere))
            exported = {number: rows for number, rows in exported.items() if number not in found}

    async def _look(self, part: Part, batch_id: str) -> bool:
        deps = self._deps
        batch = await self._retrieved(part, batch_id)
        if batch is None:
            return False
        self._note_progress(part, batch)
        if not batch.is_final:
            return False
        if batch.status == "failed":
            self._failed(part, batch)
            return False
        for wait_s in _LATE_WAITS_S:
            if not _is_late(batch):
                break
            await deps.cancellation.sleep(wait_s)
            batch = await self._retrieved(part, batch_id) or batch
        if _is_late(batch):
            return False
        for file_id, path in (
            (batch.output_file_id, deps.files(part).output),
            (batch.error_file_id, deps.files(part).errors),
        ):
            if file_id is not None and not path.exists():  # exists if a session was killed while reading it
                await self._download(file_id, path)
        await self._read(part, batch, (deps.files(part).output, deps.files(part).errors))
        return True

    def _note_progress(self, part: Part, batch: RemoteBatch) -> None:
        """Record a batch's progress from time to time, and report once if there is none."""
        deps, done = self._deps, (batch.completed or 0) + (batch.failed or 0)
        still_s = time.time() - datetime.fromisoformat(part.moved_at).timestamp()
        seen = partial(step, "seen", part.number, status=batch.status, done=done, expires_at=batch.expires_at or 0)
        if batch.status != part.status:
            deps.log.append(seen())
            deps.emit(BatchProgress(part.number, batch.status, done, part.prepared.rows))
        elif done != part.done:
            if still_s >= _NOTED_EVERY_S:
                deps.log.append(seen())
        elif not (batch.is_final or part.is_stalled) and still_s >= _LONGEST_STILL_S.get(batch.status, _STILL_S):
            deps.log.append(seen(stalled=True))
            cancel = f"llmbatch batch cancel {quoted(deps.folder.path)} {part.number}"
            deps.emit(BatchStalled(part.number, batch.status, still_s / _HOUR_S, done, part.prepared.rows, cancel))

    async def _retrieved(self, part: Part, batch_id: str) -> RemoteBatch | None:
        """A batch's state; None if a new batch is unknown to the endpoint, which for an older one ends the session."""
        deps = self._deps
        try:
            return await deps.api.retrieve(batch_id)
        except RequestFailedError as error:
            failure = error.failure
        if failure.status not in GONE:
            raise self._submitter.stop(failure)
        if time.time() - datetime.fromisoformat(part.created_at).timestamp() > _NEW_S:
            run = quoted(deps.folder.path)
            self.stop = self.stop or RunStopped(
                f"{part.name}: the endpoint does not know {batch_id}; {part.prepared.rows:,} rows depend on it",
                hint=f"check the key and --base-url ({deps.endpoint}): another project's batches are not shown; "
                f"llmbatch batch forget {run} {part.number} abandons it",
            )
        return None

    async def _download(self, file_id: str, path: Path) -> None:
        """Fetch a result file atomically. One that no longer exists counts as empty."""
        try:
            with storing(path), replacing(path) as file:
                await self._deps.api.download(file_id, file)
        except RequestFailedError as error:
            if error.failure.status not in GONE:
                raise self._submitter.stop(error.failure) from None

    def _failed(self, part: Part, batch: RemoteBatch) -> None:
        """Handle a batch that failed as a whole: nothing was processed, and nothing is charged."""
        deps = self._deps
        error = batch.errors[0] if batch.errors else None
        limited = next((one for one in batch.errors if one.code == TOKEN_LIMIT), None)
        if limited is not None:
            self._submitter.note_token_limit(part, limited.code, limited.message)
            return
        why = "the provider gave no details" if error is None else deps.redact(f"{error.code}: {error.message}")
        line = "" if error is None or error.line is None else f", line {error.line} of the request file"
        self._submitter.give_up(part, f"failed: {why}")
        deps.emit(BatchGivenUp(part.number, why, part.prepared.rows))
        if part.prepared.arm == CANARY:
            deps.drop_canary(f"its {part.name} failed at the provider ({why}{line})")
            return
        self.stop = RunStopped(
            f"{part.name} failed at the provider ({why}{line}); nothing was charged",
            hint="fix the cause, then run the same command again: its rows are pending",
        )

    async def _read(
        self, part: Part, batch: RemoteBatch, paths: tuple[Path, ...], elsewhere: frozenset[str] = frozenset()
    ) -> None:
        """A batch's state; None if the endpoint does not know it yet. If it should, this ends the session."""
        deps, number = self._deps, 0
        reader = ResultReader(deps, part, batch, reasks=self._reasks, watch=self._watch)
        for path in paths:
            for result in result_lines(path):
                if result is not None and result.get("custom_id") in elsewhere:
                    continue
                reader.take(result)
                number += 1
                if number % _LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        reader.end()
        await asyncio.to_thread(deps.ledger.sync)
        found = reader.found
        usage = with_lost(found.totals.usage, found.lost, found.lost_nanousd)
        deps.log.append(
            step(
                "collected",
                part.number,
                ok=found.ok,
                failed=found.failed,
                doubled=found.doubled,
                foreign=found.foreign,
                cost_nusd=usage.priced_nanousd,
                lost=found.lost,
                lost_nusd=found.lost_nanousd,
                reopened=found.reopened,
                usage=usage.stored(),
                provider_usage=_stored(batch.usage),
            )
        )
        deps.spending.settle_held(
            part.prepared.account,
            part.prepared.at[:_DAY],
            usage,
            freed_nanousd=part.at_most_nanousd - usage.most_nanousd,
        )
        self._tell(part, batch, found)
        if reader.refusal is not None:
            self._refused(part, reader.refusal)
        deps.files(part).remove()
        await self._delete_there(part, batch)

    def _refused(self, part: Part, failure: Failure) -> None:
        """Handle a refusal of all rows: they go into the next part in another form, or nothing more is submitted."""
        deps, arm = self._deps, self._deps.arm(part)
        if failure.action is Action.ADAPT:
            was_adapted = part.prepared.form != arm.form  # since it was submitted
            if was_adapted or arm.fallbacks.adapt(failure, arm.fallbacks.shape):
                return
        reason = self._submitter.stop(failure)
        if part.prepared.arm == CANARY:
            deps.drop_canary(reason.message)
        else:
            self.stop = self.stop or reason

    def _watch(self, line: LedgerLine) -> None:
        self.stop = self.stop or self._guard.watch(line)

    def _tell(self, part: Part, batch: RemoteBatch, found: PartResults) -> None:
        deps, usage = self._deps, found.totals.usage
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
        if found.lost or found.doubled or found.foreign:
            deps.emit(BatchUneven(part.number, found.lost, found.doubled, found.foreign, found.lost_nanousd))
        if (theirs := batch.usage) is not None and theirs.input_tokens and not found.lost:
            ours = (usage.input_tokens, usage.output_tokens)
            if any(map(_differ, (theirs.input_tokens, theirs.output_tokens), ours)):
                deps.emit(BatchUsageDiffers(part.number, theirs.input_tokens, ours[0], theirs.output_tokens, ours[1]))

    async def _delete_there(self, part: Part, batch: RemoteBatch) -> None:
        """Delete users' texts at the provider. If this fails, they expire."""
        for file_id in (part.file_id, batch.output_file_id, batch.error_file_id):
            if file_id is not None:
                try:
                    await self._deps.api.delete_file(file_id)
                except RequestFailedError:
                    continue


def _differ(theirs: int, ours: int) -> bool:
    """Whether two token totals differ significantly."""
    return abs(theirs - ours) > ours * _DIFFERENCE


def _stored(usage: Usage | None) -> dict[str, int]:
    return {} if usage is None else {"input": usage.input_tokens, "output": usage.output_tokens}


def _is_late(batch: RemoteBatch) -> bool:
    """Whether there are answers whose file is not named yet."""
    if batch.output_file_id is not None:
        return False
    if batch.completed is None:
        return batch.error_file_id is None
    return batch.completed > 0


def with_lost(usage: UsageTotals, requests: int, nanousd: int) -> UsageTotals:
    """Totals including rows that may have been billed but whose answers are lost."""
    return usage + UsageTotals(requests=requests, possibly_billed_requests=requests, possibly_billed_nanousd=nanousd)


_DAY = len("2026-11-25")
