"""A row under way, and the ledger line that it ends as."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from llmbatch.ledger.line import FAILED, OK, REVIEW, LedgerLine, Retry, RowError, Status
from llmbatch.money import to_usd
from llmbatch.parser import Answer
from llmbatch.pipeline.money.bill import Bill
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.scoring import Score
from llmbatch.provider.completion import Completion
from llmbatch.provider.failures import Billed, Failure
from llmbatch.provider.finish import flags_of
from llmbatch.provider.retry import Attempts
from llmbatch.provider.shape import RequestShape
from llmbatch.redact import Redactor
from llmbatch.rows import Row
from llmbatch.send import Sent

if TYPE_CHECKING:
    from llmbatch.reuse import KeptAnswer

_LONGEST_KEPT_ANSWER = 2_000


@dataclass(slots=True)
class Job:
    """What a row's attempts have come to so far. Only its own task touches it."""

    row: Row
    key: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was first sent; waiting for a slot does not count."""
    started: float = field(default_factory=time.perf_counter)
    attempts: Attempts = field(default_factory=Attempts)
    retries: list[Retry] = field(default_factory=list)
    bill: Bill = field(default_factory=Bill)
    completion: Completion | None = None
    number: int = -1
    """Its place among the rows that this session asks of the same arm."""
    failed_before: str | None = None
    """How it failed in an earlier session, where it did."""
    refusal: Failure | None = None
    """What it was refused with, where that stopped the run and may be the row's own fault."""
    room: int = 0
    """Output tokens that its next answer may have, where one was cut; the run's own limit where that is more."""
    sent_as: RequestShape | None = None
    """The shape that the plan's requests had when it was last sent."""

    last_send: Sent | None = None
    """Its last request, once that has ended."""

    @property
    def may_have_cost(self) -> bool:
        """Whether it was answered, or may have been billed without an answer."""
        return self.completion is not None or self.bill.possibly_billed_attempts > 0


def answered_line(
    job: Job, plan: Plan, answer: Answer, score: Score, *, review_below: float, redact: Redactor
) -> LedgerLine:
    """The line of a row that has a label."""
    line = _line(job, plan, REVIEW if score.confidence < review_below else OK)
    labelled = replace(
        line,
        category=answer.category,
        confidence=score.confidence,
        confidence_raw=None if score.raw == score.confidence else score.raw,
        confidence_from=score.kind.value,
        runner_up=score.runner_up,
        reasoning=answer.reasoning,
        parse="repaired" if answer.repaired else "clean",
        answer=_kept(job.completion, redact) if answer.repaired else None,
        flags=(*line.flags, *(flags_of(job.completion) if job.completion else ()), *score.flags),
    )
    return _without_secrets(labelled, redact)


def failed_line(job: Job, plan: Plan, failure: Failure, *, redact: Redactor) -> LedgerLine:
    """The line of a row that has none. An answer that was paid for is kept, so that reading it again costs nothing."""
    line = _line(job, plan, FAILED)
    was_answered = failure.billed is Billed.YES
    code = None if failure.code is None else redact.hide(failure.code)
    failed = replace(
        line,
        error=RowError(failure.kind, code, redact(failure.message)),
        request_id=failure.request_id or line.request_id,
        parse=failure.kind if was_answered else None,
        answer=_kept(job.completion, redact) if was_answered else None,
    )
    return _without_secrets(failed, redact)


def unsent_line(row: Row, key: str, plan: Plan, kind: str, message: str) -> LedgerLine:
    """The line of a row that failed before anything was sent: it cost nothing."""
    return replace(_line(Job(row, key), plan, FAILED), latency_s=0.0, error=RowError(kind, None, message))


def earlier_line(row: Row, key: str, plan: Plan, answer: "KeptAnswer") -> LedgerLine:
    """The line of a row that an earlier run was answered about: it costs nothing now. Its confidence is the raw one."""
    return replace(
        _line(Job(row, key), plan, OK),
        category=answer.category,
        confidence=answer.confidence,
        confidence_from=answer.confidence_from,
        runner_up=answer.runner_up,
        reasoning=answer.reasoning,
        response_model=answer.response_model,
        request_id=answer.request_id,
        parse=answer.parse,
        latency_s=0.0,
        source="reused",
        reused_from=answer.run_id,
        saved_usd=to_usd(answer.cost_nusd or 0),
    )


def _line(job: Job, plan: Plan, status: Status) -> LedgerLine:
    completion, bill = job.completion, job.bill
    return LedgerLine(
        row=job.row.index,
        id=job.row.id,
        key=job.key,
        status=status,
        prompt=plan.prompt,
        model=plan.question.model,
        started_at=f"{job.started_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        arm=plan.arm,
        response_model=completion.model if completion else None,
        system_fingerprint=completion.system_fingerprint if completion else None,
        service_tier=completion.service_tier if completion else None,
        request_id=completion.request_id if completion else None,
        finish_reason=completion.finish_reason if completion else None,
        attempts=job.attempts.sends,
        retries=tuple(job.retries),
        input_tokens=bill.usage.input_tokens,
        cached_input_tokens=bill.usage.cached_input_tokens,
        cache_write_tokens=bill.usage.cache_write_tokens,
        output_tokens=bill.usage.output_tokens,
        reasoning_tokens=bill.usage.reasoning_tokens,
        cost_usd=None if bill.cost_nusd is None else to_usd(bill.cost_nusd),
        possibly_billed_usd=to_usd(bill.possibly_billed_nusd),
        possibly_billed_attempts=bill.possibly_billed_attempts,
        latency_s=round(time.perf_counter() - job.started, 6),
        flags=(*job.row.flags, *bill.flags),
    )


_TEXTS_OF_THE_SERVER = (
    "reasoning",
    "response_model",
    "system_fingerprint",
    "service_tier",
    "request_id",
    "finish_reason",
)


def _without_secrets(line: LedgerLine, redact: Redactor) -> LedgerLine:
    """The line as it may be written: the answer has been read by now, and a label is one of the task's."""
    texts = {name: text for name in _TEXTS_OF_THE_SERVER if (text := getattr(line, name)) is not None}
    changes: dict[str, Any] = {name: hidden for name, text in texts.items() if (hidden := redact.hide(text)) != text}
    if line.retries:
        changes["retries"] = tuple(
            retry if retry.code is None else replace(retry, code=redact.hide(retry.code)) for retry in line.retries
        )
    return replace(line, **changes) if changes else line


def _kept(completion: Completion | None, redact: Redactor) -> str | None:
    if completion is None or completion.content is None:
        return None
    return redact(completion.content, longest=_LONGEST_KEPT_ANSWER)
