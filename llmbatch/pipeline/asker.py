"""One row from question to ledger line: send, judge, repeat where that can help, count every token and cent."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NoReturn

from llmbatch.caller.client import Caller
from llmbatch.caller.completion import Completion
from llmbatch.caller.failures import (
    Action,
    Billed,
    Failure,
    RequestFailedError,
    judge_completion,
    judge_exception,
    judge_invalid,
)
from llmbatch.caller.profile import RequestShape, adapted
from llmbatch.caller.request import RequestEncoder
from llmbatch.caller.retry import Attempts, RetryPolicy, retrying
from llmbatch.errors import ComeBackLater, LLMBatchError, RunStopped
from llmbatch.ledger.line import FAILED, OK, REVIEW, LedgerLine, Retry, RowError
from llmbatch.ledger.sent import Sent, SentLog
from llmbatch.parser import Answer, AnswerParser, InvalidAnswerError
from llmbatch.pipeline.bill import Bill, Biller
from llmbatch.pipeline.budget import Budget
from llmbatch.pipeline.pace import Pace
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.rates import TokenEstimate
from llmbatch.pipeline.stop import GivenUpError, Stop
from llmbatch.redact import Redactor
from llmbatch.rows import Row

_MORE_ROOM = 4  # times the output ceiling, when an answer was cut
_LONGEST_KEPT_ANSWER = 2_000
_PAUSE_S = 1.0  # for everyone, when a server refuses by its rate and names no wait
_LONGEST_WAIT_S = 10 * 365 * 86400.0  # a server can name any number; a date cannot hold it


@dataclass(slots=True)
class _Job:
    """A row under way: what its attempts have come to so far."""

    row: Row
    key: str
    started_at: datetime
    """When it was first sent; waiting for a slot does not count."""
    started: float
    attempts: Attempts = field(default_factory=Attempts)
    retries: list[Retry] = field(default_factory=list)
    bill: Bill = field(default_factory=Bill)
    completion: Completion | None = None
    more_room: bool = False
    sent_as: RequestShape | None = None

    @property
    def may_have_cost(self) -> bool:
        return self.completion is not None or self.bill.possibly_billed_attempts > 0


class Asker:
    """Asks the model about rows, by one plan. Holds what all rows share: the shape that the endpoint takes."""

    def __init__(
        self,
        *,
        plan: Plan,
        caller: Caller,
        pace: Pace,
        budget: Budget,
        stop: Stop,
        sent: SentLog,
        biller: Biller,
        policy: RetryPolicy,
        review_below: float,
        redact: Redactor,
        random: Random,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._caller = caller
        self._pace = pace
        self._budget = budget
        self._stop = stop
        self._sent = sent
        self._biller = biller
        self._policy = policy
        self._review_below = review_below
        self._redact = redact
        self._random = random
        self._tell = tell
        self._encoder = RequestEncoder(plan.question)
        self._parser = AnswerParser(plan.task)
        self._tokens = TokenEstimate(plan.prefix_tokens)
        self._shape = plan.shape
        self._alike: tuple[str, int] = ("", 0)
        self.successes = 0
        self.retries: Counter[str] = Counter()
        self.waiting = 0

    async def ask(self, row: Row, key: str) -> LedgerLine | None:
        """What became of the row, or None where it stays undone: the run stopped before the row cost anything.

        A failure that all rows would share sets the run's stop. A row that has cost something by then ends as a
        failed one, so that its cost is kept.
        """
        job = _Job(row, key, datetime.now(UTC), time.perf_counter())
        try:
            answer = await self._until_answered(job)
        except RequestFailedError as error:
            return self._failed(job, error.failure)
        except GivenUpError:
            return self._given_up(job)
        except LLMBatchError as reason:
            self._stop.set(reason)
            return self._given_up(job)
        except asyncio.CancelledError:
            if not self._stop.is_set:
                raise
            return self._given_up(job)  # its grace is over
        self.successes += 1
        self._alike = ("", 0)
        status = REVIEW if answer.confidence < self._review_below else OK
        return replace(
            self._line(job, status, "repaired" if answer.repaired else "clean"),
            category=answer.category,
            confidence=answer.confidence,
            reasoning=answer.reasoning,
            answer=self._kept(job.completion) if answer.repaired else None,
        )

    async def _until_answered(self, job: _Job) -> Answer:
        def note(failure: Failure, wait_s: float) -> None:
            self.retries[failure.kind] += 1
            job.retries.append(Retry(failure.kind, failure.status, failure.code, round(wait_s, 3)))
            if failure.action is Action.THROTTLE and failure.wait_s is None:
                self._pace.hold(min(wait_s, _PAUSE_S))

        loop = retrying(self._policy, sleep=self._sleep, before_sleep=note, random=self._random)
        answer: Answer = await loop(self._attempt, job.attempts, job)
        return answer

    async def _attempt(self, attempts: Attempts, job: _Job) -> Answer:
        try:
            return self._read(await self._send(attempts, job))
        except RequestFailedError as error:
            failure = self._act_on(error.failure, job)
            attempts.note(failure)
            raise RequestFailedError(failure, error.completion) from error
        except (GivenUpError, LLMBatchError):
            raise
        except Exception as error:  # a bug of ours costs its row, is told, and five alike end the run
            failure = self._act_on(judge_exception(error), job)
            attempts.note(failure)
            raise RequestFailedError(failure) from error

    def _read(self, completion: Completion) -> Answer:
        unusable = judge_completion(completion)
        if unusable is not None:
            raise RequestFailedError(unusable, completion)
        try:
            return self._parser.parse(completion.content or "")
        except InvalidAnswerError as error:
            raise RequestFailedError(judge_invalid(str(error), completion.request_id), completion) from None

    async def _sleep(self, seconds: float) -> None:
        self.waiting += 1
        try:
            await self._stop.sleep(seconds)
        finally:
            self.waiting -= 1

    async def _send(self, attempts: Attempts, job: _Job) -> Completion:
        characters = len(job.row.text)
        async with self._pace.slot(self._tokens.of(characters, self._shape.max_output_tokens)):
            job.sent_as = self._shape
            shape = self._shape_for(job)
            body = self._encoder.encode(job.row.text, shape)
            if attempts.sends == 0:
                job.started_at, job.started = datetime.now(UTC), time.perf_counter()
            reserved_nusd = self._biller.most_nusd(body, shape)
            await self._budget.reserve(reserved_nusd)
            spent_nusd = reserved_nusd  # unless it becomes known, also where the task is cancelled on its way
            try:
                if self._stop.is_set:
                    spent_nusd = 0
                    raise GivenUpError
                attempts.sends += 1
                self._sent.record(Sent(job.key, attempts.sends, reserved_nusd))
                left_at = time.perf_counter()
                completion = await self._caller.send(body)
                self._pace.succeeded(time.perf_counter() - left_at)
                job.completion = completion
                spent_nusd = self._biller.charge(job.bill, completion, reserved_nusd)
                if completion.usage is not None:
                    self._tokens.learn(characters, completion.usage.input_tokens)
            except RequestFailedError as error:
                if error.failure.billed is Billed.UNKNOWN:
                    job.bill.may_be_billed(reserved_nusd)
                else:
                    spent_nusd = 0
                raise
            except asyncio.CancelledError:
                job.bill.may_be_billed(reserved_nusd)
                raise
            finally:
                self._budget.settle(reserved_nusd, spent_nusd)
        return completion

    def _shape_for(self, job: _Job) -> RequestShape:
        if not job.more_room:
            return self._shape
        return replace(self._shape, max_output_tokens=self._shape.max_output_tokens * _MORE_ROOM)

    def _act_on(self, failure: Failure, job: _Job) -> Failure:
        """Do what the failure asks of the whole run; returns it as it now stands for the row.

        Raises:
            RunStopped: it stops the run.
        """
        if failure.slow_down:
            self._pace.congested()
        if self.successes == 0 and failure.on_first is Action.STOP and failure.action is not Action.ADAPT:
            self._halt(failure)
        match failure.action:
            case Action.STOP:
                self._halt(failure)
            case Action.THROTTLE | Action.RETRY if failure.wait_s is not None:
                if failure.wait_s > self._policy.max_wait_s:
                    self._halt_until(failure.wait_s)
                self._pace.hold(failure.wait_s)
            case Action.ADAPT:
                failure = self._adapt(failure, job)
            case Action.REASK if failure.kind == "truncated":
                job.more_room = True
            case _:
                pass
        if (
            failure.action is Action.THROTTLE
            and job.attempts.throttled >= self._policy.throttled
            and not self.successes
        ):
            self._halt_until(None)
        self._count_alike(failure)
        return failure

    def _adapt(self, failure: Failure, job: _Job) -> Failure:
        """Take the next known shape. Where another row has taken it since this one was sent, that serves."""
        if job.sent_as != self._shape:
            return failure
        shape = adapted(self._shape, failure.parameter or "", failure.message)
        if shape is None or self._goes_in_circles(shape):
            if self.successes == 0:
                self._halt(failure)
            return replace(failure, action=Action.FAIL)
        what = _difference(self._shape, shape)
        self._tell(f"the endpoint refuses a parameter ({self._redact(failure.message)}): going on with {what}")
        self._shape = shape
        return failure

    def _goes_in_circles(self, shape: RequestShape) -> bool:
        """A limit parameter refused under both names would go back and forth for ever."""
        return shape.limit_parameter == self._plan.shape.limit_parameter != self._shape.limit_parameter

    def _count_alike(self, failure: Failure) -> None:
        if failure.alike_stops is None:
            return
        kind, count = self._alike
        self._alike = (failure.kind, count + 1 if kind == failure.kind else 1)
        if self._alike[1] >= failure.alike_stops and failure.action is not Action.ADAPT:
            self._halt(failure, f"{self._alike[1]} requests in a row failed alike: ")

    def _halt(self, failure: Failure, why: str = "") -> NoReturn:
        status = f" (HTTP {failure.status})" if failure.status else ""
        raise RunStopped(
            f"{why}{failure.kind}{status}: {self._redact(failure.message)}",
            hint=_HINTS.get(failure.kind),
            exit_code=failure.exit_code,
        )

    def _halt_until(self, wait_s: float | None) -> NoReturn:
        if wait_s is None:
            raise ComeBackLater(
                "the endpoint refuses every request by its rate limit",
                hint="run the same command again later",
            )
        then = datetime.now(UTC) + timedelta(seconds=min(wait_s, _LONGEST_WAIT_S))
        raise ComeBackLater(
            f"the endpoint asks to wait {wait_s:,.0f} s, longer than --max-wait {self._policy.max_wait_s:,.0f}",
            wait_s=wait_s,
            hint=f"run the same command again after {then:%Y-%m-%dT%H:%M:%SZ}",
        )

    def _failed(self, job: _Job, failure: Failure) -> LedgerLine:
        error = RowError(failure.kind, failure.code, self._redact(failure.message))
        parse = failure.kind if failure.billed is Billed.YES else None
        line = self._line(job, FAILED, parse)
        return replace(
            line,
            error=error,
            request_id=failure.request_id or line.request_id,
            answer=self._kept(job.completion) if parse is not None else None,
        )

    def _given_up(self, job: _Job) -> LedgerLine | None:
        if not job.may_have_cost:
            return None
        return self._failed(job, Failure("interrupted", Action.FAIL, "the run stopped before the row was done"))

    def _line(self, job: _Job, status: str, parse: str | None) -> LedgerLine:
        completion = job.completion
        return LedgerLine(
            row=job.row.index,
            id=job.row.id,
            key=job.key,
            status=status,
            prompt=self._plan.prompt,
            model=self._plan.question.model,
            started_at=f"{job.started_at:%Y-%m-%dT%H:%M:%S.%f}Z",
            response_model=completion.model if completion else None,
            request_id=completion.request_id if completion else None,
            finish_reason=completion.finish_reason if completion else None,
            attempts=job.attempts.sends,
            retries=tuple(job.retries),
            parse=parse,
            usage=job.bill.usage,
            cost_nusd=job.bill.cost_nusd,
            possibly_billed_nusd=job.bill.possibly_billed_nusd,
            possibly_billed_attempts=job.bill.possibly_billed_attempts,
            latency_s=time.perf_counter() - job.started,
            flags=("usage_missing",) if job.bill.usage_missing else (),
        )

    def _kept(self, completion: Completion | None) -> str | None:
        return None if completion is None or completion.content is None else completion.content[:_LONGEST_KEPT_ANSWER]


def _difference(before: RequestShape, after: RequestShape) -> str:
    changed = [
        f"{name}={getattr(after, name)}"
        for name in RequestShape.__slots__
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(changed)


_HINTS = {
    "quota": "top up the account or raise its limit, then run the same command again: finished rows are kept",
    "credentials": "check OPENAI_API_KEY (and the project's permissions), then run the same command again",
    "model_not_found": "check --model and --base-url: the endpoint does not serve this model to you",
    "bad_parameter": "the endpoint takes none of the request forms that llmbatch knows; check --model and --base-url",
    "not_a_completion": "check --base-url: it should end in /v1 and not lead to a login page or a proxy",
    "redirect": "give the final address as --base-url",
    "tls": "check the certificate, or the SSL_CERT_FILE that names your own authority",
}
