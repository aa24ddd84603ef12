"""Submits parts to the provider. Each step is recorded before it is taken.

A part is never submitted twice: if it is unknown whether a batch was created for it, that batch is searched for.
"""

import asyncio
import secrets
import shutil
import time
from collections import Counter
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from llmbatch.core.errors import BudgetReached, ComeBackLater, RunStopped, StorageFailed
from llmbatch.core.filenames import quoted
from llmbatch.core.files import open_to_read, replacing
from llmbatch.core.ledger_line import CANARY
from llmbatch.core.money import to_usd
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.failure_policy import stopped_by
from llmbatch.observe.events import BatchAdopted, BatchExported, BatchOfFew, BatchPrepared, BatchRefused, BatchSubmitted
from llmbatch.provider.batch_api import NoSuchCallError, RemoteBatch
from llmbatch.provider.failures import Action, Billed, Failure, RequestFailedError
from llmbatch.runs.batches.files import PartDraft, PartFiles
from llmbatch.runs.batches.log import EXPORTED, Part, step
from llmbatch.runs.batches.options import FEW
from llmbatch.runs.batches.token_limit import TOKEN_LIMIT, stated_limit
from llmbatch.runs.folder import now_text
from llmbatch.session.batches.arms import BatchArm
from llmbatch.session.batches.deps import BatchDeps
from llmbatch.session.batches.drafts import Drafts, PartLimits
from llmbatch.session.batches.price_check import FIRST_ROWS
from llmbatch.spend.book import HOLD

_LOOK_AGAIN_S = 60.0
"""After this long, a created batch must be on the provider's list."""
_BEFORE_S = 600.0
"""How much the provider's clock may be behind ours."""
_FILE_WAITS_S = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""How long to wait for an uploaded file that is not known yet."""
_LONGEST_WAIT_S = 120.0
"""The longest wait that an endpoint may request before a create call; a longer one ends the command."""
_FIRST_REFUSAL_S, _LONGEST_REFUSAL_S = 300.0, 7_200.0
"""How long to wait for room at the provider: other users' batches may occupy it for hours."""
_MOST_LOOKINGS = 3
"""How many create calls of a part may have no effect, each searched for, before the command ends."""
_OF_PART = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Refusals of a create call that concern its content, and not the account or the time."""


class Submitter:
    """Prepares and submits parts."""

    def __init__(self, deps: BatchDeps) -> None:
        self._deps = deps
        self.refused: dict[str, float] = {}
        """Models for which the provider has no room, and when to try again unless something is collected before."""
        self._refusals: Counter[str] = Counter()
        self._lookings: Counter[int] = Counter()
        self.has_learnt = False
        """Whether a part was too large, so its rows go into smaller ones immediately."""
        self.no_room: RunStopped | None = None
        """Why rows stay unsubmitted."""

    @property
    def hold_prefix(self) -> str:
        """Prefix of the names of this run's reservations."""
        return f"{HOLD}{self._deps.run_id}:"

    async def resume(self) -> None:
        """Submit the parts that an earlier session left."""
        deps = self._deps
        for part in deps.log.open_parts:
            if part.batch_id is None and not deps.cancellation.is_set:
                await self._send(part)

    async def submit(self, drafts: Drafts) -> None:
        """Submit an arm's pending rows part by part, as far as limits allow."""
        deps, arm = self._deps, drafts.arm
        while not deps.cancellation.is_set and time.monotonic() >= self.refused.get(arm.model, 0.0):
            tokens = await asyncio.to_thread(drafts.next_tokens)
            if tokens is None or (limits := self._limits(arm, tokens)) is None:
                return
            number = deps.log.next_number
            draft = await asyncio.to_thread(drafts.write, PartFiles(deps.folder.batches, number), limits)
            if draft is None or not self._prepare(number, draft, arm):
                await self._note_no_room(drafts, limits)
                return
            if number == 1 and draft.rows < FEW and await asyncio.to_thread(drafts.next_tokens) is None:
                deps.emit(BatchOfFew(draft.rows))
            await self._send(deps.log.part(number))

    def room_is_free(self) -> None:
        """Try parts for which there was no room immediately, since something was collected."""
        self.refused.clear()
        self._refusals.clear()
        self.no_room = None

    def give_up(self, part: Part, why: str, *, limit: int = 0, limit_bytes: int = 0) -> None:
        """Record that a part was not processed and costs nothing: its rows are pending again."""
        deps = self._deps
        part = deps.log.append(step("given_up", part.number, why=why, limit=limit, limit_bytes=limit_bytes))
        deps.spending.settle_held(
            part.prepared.account, part.prepared.at[:_DAY], UsageTotals(), freed_nanousd=part.at_most_nanousd
        )
        deps.files(part).remove()

    def note_token_limit(self, part: Part, code: str, message: str) -> None:
        """Record that the provider has no room for a part: it may have for a smaller one, or later."""
        model, tokens = part.prepared.model, part.prepared.tokens
        others, known = self._tokens_there(model) - tokens, self._deps.log.limit_tokens.get(model)
        limit = stated_limit(message) or (others or tokens // 2)
        self._deps.emit(BatchRefused(part.number, code, self._deps.redact(message)))
        self.give_up(part, TOKEN_LIMIT, limit=limit)
        if (known is None or limit < known) and others < limit < others + tokens:
            return
        wait_s = min(_FIRST_REFUSAL_S * 2 ** self._refusals[model], _LONGEST_REFUSAL_S)
        self.refused[model] = time.monotonic() + wait_s
        self._refusals[model] += 1

    def _tokens_there(self, model: str) -> int:
        """Prompt tokens of a model's open parts."""
        return sum(part.prepared.tokens for part in self._deps.log.open_parts if part.prepared.model == model)

    def _limits(self, arm: BatchArm, next_tokens: int) -> PartLimits | None:
        """Limits of an arm's next part, whose first row has `next_tokens`; None if none can be submitted now."""
        deps = self._deps
        rows, measured = deps.options.most_rows, deps.log.collected(arm.fingerprint)
        is_judged = not deps.options.at_any_price and deps.options.export is None
        if is_judged and arm.price_check.needs_measuring(next_tokens):
            objection = arm.price_check.objection(measured)
            self.no_room = self.no_room or objection
            is_measured_now = any(part.prepared.fingerprint == arm.fingerprint for part in deps.log.open_parts)
            if objection is not None or (not measured.input_tokens and is_measured_now):
                return None
            rows = rows if measured.input_tokens else min(rows, FIRST_ROWS)
        allowed = (deps.options.most_tokens, deps.log.limit_tokens.get(arm.model))
        tokens = min((limit for limit in allowed if limit is not None), default=None)
        if tokens is not None:
            tokens -= self._tokens_there(arm.model)
            if tokens <= 0:
                return None
        return PartLimits(rows, deps.log.limit_bytes, tokens, deps.spending.room_nanousd())

    async def _note_no_room(self, drafts: Drafts, limits: PartLimits) -> None:
        need_nanousd, tokens = drafts.needs_nanousd, await asyncio.to_thread(drafts.next_tokens)
        if tokens is not None and limits.tokens is not None and tokens > limits.tokens:
            if not self._tokens_there(drafts.arm.model):
                self.no_room = RunStopped(
                    f"the next row has {tokens:,} prompt tokens, and {limits.tokens:,} may be enqueued",
                    hint="raise --batch-tokens, or leave out --batch for such rows",
                )
            return
        if need_nanousd is None or limits.nanousd is None:
            return
        if need_nanousd > limits.nanousd:
            left, need = to_usd(max(limits.nanousd, 0)), to_usd(need_nanousd)
            self.no_room = BudgetReached(
                f"${left:,.6g} is left of --max-cost or --daily-budget beside what is set aside for batches, and the "
                f"next row may cost ${need:,.6g}: rows stay unsubmitted",
                hint="run the same command with a higher limit, or once batches are collected: they mostly cost less",
            )

    def _prepare(self, number: int, draft: PartDraft, arm: BatchArm) -> bool:
        """Reserve the part's maximum cost and record the part. False if the budget no longer allows it."""
        deps = self._deps
        account = f"{self.hold_prefix}{number}-{secrets.token_hex(4)}"
        if not deps.spending.hold(account, draft.at_most_nanousd):
            return False
        deps.log.append(
            step(
                "prepared",
                number,
                rows=draft.rows,
                bytes=draft.size,
                tokens=draft.tokens,
                sha256=draft.sha256,
                at_most_nusd=draft.at_most_nanousd,
                account=account,
                fingerprint=arm.fingerprint,
                arm=arm.plan.arm,
                model=arm.model,
                form=arm.form,
                endpoint=deps.endpoint if deps.options.export is None else EXPORTED,
                file=f"llmbatch-{deps.run_id}-part-{number:04}-{draft.sha256[:8]}.jsonl",
            )
        )
        deps.emit(BatchPrepared(number, draft.rows, draft.size, draft.at_most_nanousd))
        return True

    async def _send(self, part: Part) -> None:
        if not part.is_exported:
            await self._submit(part)
        elif self._deps.options.export is not None:
            await asyncio.to_thread(self._export, part, self._deps.options.export)

    def _export(self, part: Part, folder: Path) -> None:
        """Write a part's request file into the folder, for someone else to run."""
        deps, name = self._deps, part.prepared.file
        target = folder / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open_to_read(deps.files(part).requests) as file, replacing(target) as copy:
                shutil.copyfileobj(file, copy)
        except OSError as error:
            raise StorageFailed(
                f"{target}: cannot write ({error.strerror})", hint="name another --batch-export"
            ) from None
        deps.log.append(step("created", part.number, batch_id=name.removesuffix(".jsonl"), status=EXPORTED))
        deps.files(part).remove_requests()
        deps.emit(BatchExported(part.number, part.prepared.rows, str(target)))

    async def _submit(self, part: Part) -> None:
        if part.file_id is None:
            uploaded = await self._upload(part)
            if uploaded is None:
                return
            part = uploaded
        if part.creating_at is not None:
            await self._look_for(part)
        else:
            await self._create(part)

    async def _upload(self, part: Part) -> Part | None:
        """The part with its file at the provider; None if the file was too large, so smaller ones are made."""
        deps, prepared = self._deps, part.prepared
        try:
            file_id = await deps.api.find_file(prepared.file)
            if file_id is None:
                with open_to_read(deps.files(part).requests) as file:
                    file_id = await deps.api.upload(file, prepared.file)
        except RequestFailedError as error:
            if part.prepared.rows > 1 and _is_too_large(error.failure):
                size = min(prepared.bytes, deps.log.limit_bytes)
                deps.emit(BatchRefused(part.number, error.failure.kind, deps.redact(error.failure.message)))
                self.give_up(part, "too large", limit_bytes=max(size // 2, 1))
                self.has_learnt = True
                return None
            raise self.stop(error.failure) from None
        except FileNotFoundError:
            raise RunStopped(
                f"{deps.files(part).requests}: no longer exists, and {part.name} has not been submitted",
                hint=f"llmbatch batch forget {quoted(deps.folder.path)} {part.number} makes its rows pending again",
            ) from None
        return deps.log.append(step("uploaded", part.number, file_id=file_id))

    async def _create(self, part: Part) -> None:
        deps = self._deps
        part = deps.log.append(step("creating", part.number))
        for wait_s in (*_FILE_WAITS_S, None):
            try:
                batch = await self._create_once(part)
            except RequestFailedError as error:
                failure = error.failure
                if failure.billed is Billed.UNKNOWN:
                    await self._look_for(part)
                    return
                part = deps.log.append(step("uploaded", part.number, file_id=part.file_id or ""))  # none was created
                if failure.code == TOKEN_LIMIT:
                    self.note_token_limit(part, failure.code, failure.message)
                    return
                passes = _is_unknown_file(failure) or failure.action is Action.THROTTLE
                if wait_s is None or not passes or (failure.wait_s or 0.0) > _LONGEST_WAIT_S:
                    self._not_made(part, failure)
                    return
                await deps.cancellation.sleep(failure.wait_s or wait_s)
                part = deps.log.append(step("creating", part.number))
            else:
                self._created(part, batch)
                return

    async def _create_once(self, part: Part) -> RemoteBatch:
        deps, prepared = self._deps, part.prepared
        metadata = {
            "llmbatch_run": deps.run_id,
            "llmbatch_part": str(part.number),
            "llmbatch_sha256": prepared.sha256,
        }
        return await deps.api.create(part.file_id or "", window=deps.options.window, metadata=metadata)

    async def _look_for(self, part: Part) -> None:
        """Find the batch that may have been created for a part; if there is none, create one."""
        deps = self._deps
        assert part.creating_at is not None  # noqa: S101 - why it is looked for
        since = datetime.fromisoformat(part.creating_at).timestamp() - _BEFORE_S
        for is_last in (False, True):
            try:
                made = await deps.api.made_since(since)
            except NoSuchCallError:
                raise self._not_listed(part) from None
            except RequestFailedError as error:
                raise self.stop(error.failure) from None
            if (found := next((batch for batch in made if _is_of(batch, part, deps.run_id)), None)) is not None:
                deps.emit(BatchAdopted(part.number, found.id))
                self._created(part, found, adopted=True)
                return
            if not is_last:
                await deps.cancellation.sleep(_LOOK_AGAIN_S)
        part = deps.log.append(step("uploaded", part.number, file_id=part.file_id or ""))
        self._lookings[part.number] += 1
        if self._lookings[part.number] >= _MOST_LOOKINGS:
            raise ComeBackLater(
                f"the endpoint does not create a batch for {part.name}: {_MOST_LOOKINGS} attempts had no effect",
                hint="run the same command again later; nothing is lost",
            )
        await self._create(part)

    def _not_made(self, part: Part, failure: Failure) -> None:
        """Handle a refused create call. If the refusal concerns the part, its rows are pending again.

        Raises:
            RunStopped: unless it is a canary's, which is then dropped.
        """
        reason = self.stop(failure)
        if failure.status not in _OF_PART:
            raise reason
        self.give_up(part, f"refused: {failure.kind}")
        if part.prepared.arm != CANARY:
            raise reason
        self._deps.drop_canary(reason.message)

    def _created(self, part: Part, batch: RemoteBatch, *, adopted: bool = False) -> None:
        deps = self._deps
        deps.log.append(
            step(
                "created",
                part.number,
                batch_id=batch.id,
                status=batch.status,
                expires_at=batch.expires_at or 0,
                adopted=adopted,
            )
        )
        deps.files(part).remove_requests()
        deps.emit(BatchSubmitted(part.number, part.prepared.rows, batch.id))

    def _not_listed(self, part: Part) -> RunStopped:
        run = quoted(self._deps.folder.path)
        return RunStopped(
            f"{part.name} may or may not have been submitted, and the endpoint does not list batches",
            hint=f"look for {part.prepared.file} at the provider, then llmbatch batch adopt {run} {part.number} BATCH, "
            f"or llmbatch batch forget {run} {part.number}",
        )

    def settle_left(self) -> None:
        """Settle money that a killed session reserved for a part that it did not record, or has collected."""
        deps = self._deps
        by_account = {part.prepared.account: part for part in deps.log.parts}
        for part in deps.log.parts:
            if not part.is_open:
                deps.files(part).remove()
            elif part.batch_id is not None:
                deps.files(part).remove_requests()
        for account in deps.spending.held(self.hold_prefix):
            known = by_account.get(account)
            if known is None:
                deps.spending.settle_held(account, now_text()[:_DAY], UsageTotals())
            elif known.end is not None:
                deps.spending.settle_held(account, known.prepared.at[:_DAY], UsageTotals.restored(known.end.usage))

    def stop(self, failure: Failure) -> RunStopped:
        """The error that ends the session after a call failed permanently; exit code 7 if trying later may help."""
        if failure.action in (Action.RETRY, Action.THROTTLE):
            return ComeBackLater(
                f"{failure.kind}: {self._deps.redact(failure.message)}",
                wait_s=failure.wait_s,
                hint="run the same command again later; nothing is lost",
            )
        return stopped_by(failure, self._deps.redact)


def _is_too_large(failure: Failure) -> bool:
    """Whether a request file was too large: proxies answer 413, OpenAI says so."""
    is_refused = failure.status == HTTPStatus.BAD_REQUEST and "too large" in failure.message.lower()
    return is_refused or failure.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _is_unknown_file(failure: Failure) -> bool:
    """Whether a create call was refused because the file is not known there yet."""
    is_refusal = failure.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
    return is_refusal and "file" in failure.message.lower()


def _is_of(batch: RemoteBatch, part: Part, run_id: str) -> bool:
    """Whether a batch belongs to a part: by its file, which every endpoint echoes, or by its metadata."""
    metadata = batch.metadata
    return batch.input_file_id == part.file_id or (
        metadata.get("llmbatch_run") == run_id
        and metadata.get("llmbatch_part") == str(part.number)
        and metadata.get("llmbatch_sha256") == part.prepared.sha256
    )


_DAY = len("2026-11-25")
