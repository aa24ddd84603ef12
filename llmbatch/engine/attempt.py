"""One attempt: takes a slot, reserves the money, logs the send, and charges the answer to the row."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from llmbatch.engine.budget.bill import Biller
from llmbatch.engine.budget.budget import Budget, Reservation
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_fallbacks import RequestFallbacks
from llmbatch.engine.row_state import RowState
from llmbatch.engine.sinks import Sends
from llmbatch.engine.throttle.rates import TokenEstimate
from llmbatch.engine.throttle.retry_budget import RetryBudget
from llmbatch.engine.throttle.throttle import Throttle
from llmbatch.provider.client import Caller
from llmbatch.provider.completion import Completion
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import Billed, RequestFailedError
from llmbatch.provider.shape import RequestShape
from llmbatch.task.candidates import NO_SHORTLIST
from llmbatch.tokens import count_tokens

PROMPT_CUT = "prompt_cut"
"""Flag of a row for which the server reports far less input than was sent, so it has truncated the prompt."""
_LEAST_SHARE = 0.4
_MOST_CHARACTERS = 8
"""Characters per token in ordinary text, an upper bound for any tokenizer: English has four or five."""

LIKE_OURS = 1.15
"""Ratio to our token count up to which an endpoint's count differs only by message framing."""
_COMPARED, _COUNTED_CHARACTERS = 20, 20_000
"""How many answers have their input tokens compared, and the longest text: counting takes a second per megabyte."""


class AttemptSender:
    """Sends rows' requests, one attempt at a time."""

    def __init__(
        self,
        *,
        plan: Plan,
        dialect: Dialect,
        caller: Caller,
        throttle: Throttle,
        fallbacks: RequestFallbacks,
        retry_budget: RetryBudget,
        budget: Budget,
        sends: Sends,
        biller: Biller,
        cancellation: Cancellation,
        clock: Callable[[], float],
        is_withdrawn: Callable[[], bool],
        timeout_s: Callable[[str | None], float],
    ) -> None:
        """Set the parts used for sending.

        `is_withdrawn`: whether the plan has been withdrawn, which may happen while a row waits.
        `timeout_s`: how long a request may take, by its service tier.
        """
        self._caller = caller
        self._throttle = throttle
        self._fallbacks = fallbacks
        self._retry_budget = retry_budget
        self._budget = budget
        self._sends = sends
        self._biller = biller
        self._cancellation = cancellation
        self._clock = clock
        self._is_withdrawn = is_withdrawn
        self._timeout_s = timeout_s
        self._encoder_of = dialect.encoder
        self._question = plan.question
        self._encoders = {("", NO_SHORTLIST.counts): dialect.encoder(plan.question)}
        """Encoders by the list of labels in the prefix, if there is one, and by how many labels are listed."""
        self._tokens = TokenEstimate(plan.prefix_tokens)
        self._first = asyncio.Lock()
        """Held by the single request in flight until an answer has shown the real cost, since an endpoint may ignore
        limits."""
        self._cost_is_known = asyncio.Event()
        self._prefix_tokens = plan.prefix_tokens
        self._compared = 0
        self.token_ratio = plan.choice.token_ratio
        """Highest ratio of the endpoint's token count to ours."""

    async def send(self, state: RowState, *, paid: float) -> Completion:
        """Send the row's request as soon as the throttle allows.

        Args:
            state: the row, with its bill.
            paid: what the retry budget charged for this attempt.

        Raises:
            RequestFailedError: the request failed; the failure is classified.
            RunCancelledError: the run stopped, or the plan was withdrawn, before it was sent.
            BudgetReached: it could exceed the budget.
            StorageFailed: the send could not be logged.
        """
        if not self._cost_is_known.is_set():
            async with self._first:
                if not self._cost_is_known.is_set():
                    return await self._send(state, paid)
        return await self._send(state, paid)

    async def _send(self, state: RowState, paid: float) -> Completion:
        self._caller.open()
        text = state.before + state.row.text
        characters = len(text)
        estimated = self._tokens.of(characters, max(self._fallbacks.shape.max_output_tokens, state.room))
        async with self._throttle.slot(estimated, asked_before=state.attempts.sends > 0):
            if self._is_withdrawn():
                raise RunCancelledError
            state.sent_as = self._fallbacks.shape
            shape = state.sent_as.with_room(state.room)
            body = self._body(state, shape)
            if state.attempts.sends == 0:
                state.started_at, state.started = datetime.now(UTC), time.perf_counter()
            completion = await self._within_budget(state, body, shape, paid)
        if completion.usage is not None and completion.usage.input_tokens:
            self._tokens.learn(characters, completion.usage.input_tokens)
            self._compare_counts(text, completion.usage.input_tokens)
            if completion.usage.input_tokens < self._least_tokens(text):
                state.bill.flag(PROMPT_CUT)
            self._throttle.took(estimated=estimated, tokens=completion.usage.input_tokens + shape.max_output_tokens)
        return completion

    def _body(self, state: RowState, shape: RequestShape) -> bytes:
        """The request body. A list of labels shared by many rows is part of the prefix, so that it is cached."""
        listed = state.shortlist
        shared = listed.text if listed.is_shared else ""
        encoder = self._encoders.get((shared, listed.counts))
        if encoder is None:
            encoder = self._encoder_of(self._question.listing(shared, listed.choices))
            self._encoders[shared, listed.counts] = encoder
        return encoder.encode(state.row.text, shape, before="" if shared else state.before)

    async def _reserved(self, body: bytes, shape: RequestShape) -> Reservation:
        """Reserve the request's maximum cost, including any surplus learned while it waited for room."""
        bound_nanousd = self._biller.most_nanousd(body, shape)
        while True:
            reservation = await self._budget.reserve(bound_nanousd + self._biller.surplus_nanousd())
            if bound_nanousd + self._biller.surplus_nanousd() <= reservation.nanousd:
                return reservation
            self._budget.settle(reservation, 0)

    def _compare_counts(self, text: str, input_tokens: int) -> None:
        """Learn how the endpoint counts: another tokenizer may produce more tokens."""
        if self._compared < _COMPARED and len(text) < _COUNTED_CHARACTERS:
            self._compared += 1
            if may_count_otherwise(text, input_tokens, self._prefix_tokens):
                self.token_ratio = max(self.token_ratio, input_tokens / (self._prefix_tokens + count_tokens(text)))

    def _least_tokens(self, text: str) -> float:
        """Minimum input tokens for a server that read everything, whatever its tokenizer."""
        return _LEAST_SHARE * _fewest_tokens(text, self._prefix_tokens)

    async def _within_budget(self, state: RowState, body: bytes, shape: RequestShape, paid: float) -> Completion:
        reservation = await self._reserved(body, shape)
        reserved_nanousd = reservation.nanousd
        spent_nanousd, is_billed = reserved_nanousd, True  # until more is known; also if the task is cancelled
        try:
            if self._cancellation.is_set:
                spent_nanousd, is_billed = 0, False
                raise RunCancelledError
            state.attempts.sends += 1
            self._sends.record(*state.sent(reserved_nanousd))
            state.completion = self._biller.bounded(await self._answered(body, shape, paid), len(body), shape)
            spent_nanousd = self._biller.charge(
                state.bill, state.completion, reserved_nanousd, asked_tier=shape.service_tier
            )
            self._cost_is_known.set()
        except RequestFailedError as error:
            if error.failure.billed is Billed.UNKNOWN:
                state.bill.may_be_billed(reserved_nanousd)
            else:
                spent_nanousd, is_billed = 0, False
            raise
        except asyncio.CancelledError:
            state.bill.may_be_billed(reserved_nanousd)
            raise
        finally:
            self._budget.settle(reservation, spent_nanousd)
            state.last_sends = state.sent(spent_nanousd, ended=True, billed=is_billed)
        return state.completion

    async def _answered(self, body: bytes, shape: RequestShape, paid: float) -> Completion:
        left_at = self._clock()
        completion = await self._caller.send(body, timeout_s=self._timeout_s(shape.service_tier))
        self._retry_budget.succeeded(paid)
        if self._throttle.answered(self._clock() - left_at):
            self._retry_budget.refill()
        return completion


def may_count_otherwise(text: str, input_tokens: int, prefix_tokens: int) -> bool:
    """Whether this number of reported input tokens suggests a different tokenizer from ours.

    Only then is counting worthwhile: loading the table takes 0.2 s and 80 MB.
    """
    return input_tokens > LIKE_OURS * _fewest_tokens(text, prefix_tokens)


def _fewest_tokens(text: str, prefix_tokens: int) -> float:
    return prefix_tokens + len(text) / _MOST_CHARACTERS
