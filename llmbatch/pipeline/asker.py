"""One row from question to ledger line: send, judge, repeat where that can help."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from llmbatch.errors import LLMBatchError
from llmbatch.ledger.line import INTERRUPTED, LedgerLine, Retry
from llmbatch.parser import Answer, AnswerParser, InvalidAnswerError
from llmbatch.pipeline.consequences import Consequences
from llmbatch.pipeline.job import Job, answered_line, failed_line
from llmbatch.pipeline.pacing.retry_budget import RetryBudget
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.scoring import Scorer
from llmbatch.pipeline.sender import Sender
from llmbatch.pipeline.stop import GivenUpError, Stop
from llmbatch.provider.completion import Completion
from llmbatch.provider.dialect import CHAT_COMPLETIONS
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.finish import judge_invalid
from llmbatch.provider.judge import judge_unexpected
from llmbatch.provider.retry import Attempts, RetryPolicy, retrying
from llmbatch.redact import Redactor
from llmbatch.rows import Row


class Asker:
    """Asks the model about rows, by one plan."""

    def __init__(
        self,
        *,
        plan: Plan,
        scorer: Scorer,
        sender: Sender,
        consequences: Consequences,
        retry_budget: RetryBudget,
        stop: Stop,
        halt: Callable[[LLMBatchError], None],
        policy: RetryPolicy,
        review_below: float,
        redact: Redactor,
        random: Random,
    ) -> None:
        """`halt` is told what all rows of this plan would fail with."""
        self._plan = plan
        self._scorer = scorer
        self._sender = sender
        self._consequences = consequences
        self._retry_budget = retry_budget
        self._stop = stop
        self._halt = halt
        self._policy = policy
        self._review_below = review_below
        self._redact = redact
        self._random = random
        self._parser = AnswerParser(plan.task)
        self.retries: Counter[str] = Counter()
        self.waiting = 0
        """Rows that wait for their next attempt; they hold no slot."""

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return self._consequences.labelled

    @property
    def window(self) -> int | None:
        """The model's window in tokens, where a refusal has stated it."""
        return self._consequences.window

    @property
    def token_ratio(self) -> float:
        """How many of the endpoint's tokens one of ours comes to, at most."""
        return self._sender.token_ratio

    async def ask(self, row: Row, key: str, *, failed_before: str | None = None) -> LedgerLine | None:
        """What became of the row, or None where it stays undone: the run stopped before the row cost anything.

        `failed_before` is how it failed in an earlier session, where it did.

        A failure that all rows would share halts this arm. A row that has cost something by then ends as a
        failed one, so that its cost is kept; so does one that may have been refused for its own sake.
        """
        job = Job(row, key, failed_before=failed_before)
        self._consequences.row_began(job)
        try:
            try:
                answer = await self._until_answered(job)
            except RequestFailedError as error:
                self._consequences.row_failed(error.failure)
                return failed_line(job, self._plan, error.failure, redact=self._redact)
        except GivenUpError:
            return self._given_up(job)
        except LLMBatchError as reason:
            self._halt(reason)
            return self._given_up(job)
        except asyncio.CancelledError:
            if not self._stop.is_set:
                raise
            return self._given_up(job)  # its grace is over
        self._consequences.row_labelled(job)
        score = self._scorer.score(answer, job.completion)
        return answered_line(job, self._plan, answer, score, review_below=self._review_below, redact=self._redact)

    async def _until_answered(self, job: Job) -> Answer:
        try:
            return await self._attempt(job.attempts, job)
        except RequestFailedError as failed:
            return await self._again(job, failed)

    async def _again(self, job: Job, failed: RequestFailedError) -> Answer:
        """Goes on after a first failure: most rows have none, and do without the retry loop's cost."""
        met_already = [failed]

        async def attempt(attempts: Attempts, job: Job) -> Answer:
            if met_already:
                raise met_already.pop()
            return await self._attempt(attempts, job)

        def note(failure: Failure, wait_s: float) -> None:
            self._consequences.will_be_repeated(failure, wait_s, job)
            self.retries[failure.kind] += 1
            after_s = time.perf_counter() - job.started
            job.retries.append(Retry(failure.kind, failure.status, failure.code, round(wait_s, 3), round(after_s, 3)))

        loop = retrying(self._policy, sleep=self._sleep, before_sleep=note, random=self._random)
        answer: Answer = await loop(attempt, job.attempts, job)
        return answer

    async def _attempt(self, attempts: Attempts, job: Job) -> Answer:
        try:
            paid = await self._pay_for_retry(attempts)
            completion = await self._sender.send(job, paid=paid)
            self._consequences.answered(job)
            return self._read(completion)
        except RequestFailedError as error:
            self._sender.write_down_end(job)
            raise RequestFailedError(self._consequences.attempt_failed(error.failure, job)) from error
        except (GivenUpError, LLMBatchError):
            raise
        except Exception as error:  # a bug of ours costs its row, is told, and five alike end the run
            raise RequestFailedError(self._consequences.attempt_failed(judge_unexpected(error), job)) from error

    async def _pay_for_retry(self, attempts: Attempts) -> float:
        """Only what the endpoint would see as load multiplied is paid for: not a re-ask after an answer."""
        last = attempts.failures[-1].action if attempts.failures else None
        if last not in (Action.RETRY, Action.THROTTLE):
            return 0.0
        self.waiting += 1
        try:
            return await self._retry_budget.spend(last)
        finally:
            self.waiting -= 1

    def _read(self, completion: Completion) -> Answer:
        unusable = CHAT_COMPLETIONS.judge_answer(completion)
        if unusable is not None:
            raise RequestFailedError(unusable)
        try:
            return self._parser.parse(completion.content or "")
        except InvalidAnswerError as error:
            raise RequestFailedError(judge_invalid(str(error), completion)) from None

    async def _sleep(self, seconds: float) -> None:
        self.waiting += 1
        try:
            await self._stop.sleep(self._consequences.wait_s(seconds))
        finally:
            self.waiting -= 1

    def _given_up(self, job: Job) -> LedgerLine | None:
        if job.refusal is not None:
            return failed_line(job, self._plan, job.refusal, redact=self._redact)
        if not job.may_have_cost:
            return None
        stopped = Failure(INTERRUPTED, Action.FAIL, "the run stopped before the row was done")
        return failed_line(job, self._plan, stopped, redact=self._redact)
