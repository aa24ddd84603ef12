"""Requests and tokens a second: when the next request may leave, by the limits that are known."""

import math
from dataclasses import dataclass

from llmbatch.pipeline.pacing.found_rate import FoundRate
from llmbatch.provider.limits import RateLimits

_SHARE = 0.99
"""Of a stated limit, what is used: clocks differ a little."""
_BURST_S = 0.3
"""How far behind schedule requests may catch up."""
_BUCKET_S = 1.0
"""What endpoints let gather at least, in seconds of their rate: one request that takes as much leaves no slack."""
_WIDER = 1.02
"""Where the bucket holds one request, one that overtakes the usual delay on its way comes too early."""
_LEARNING = 0.05
_CAUTION = 2.0
"""How many times its usual error is added to an estimate."""


@dataclass(slots=True)
class _Meter:
    """Spaces requests evenly (the generic cell rate algorithm, ITU-T I.371)."""

    per_s: float | None = None
    last_at: float = -math.inf
    owed: float = 0.0
    """What the last request took, and what turned out later to have been taken on top."""

    def due_at(self, now: float, most_per_s: float | None = None) -> float:
        """When the next request is due. The last one counts, also where the rate became known only after it."""
        per_s = min((rate for rate in (self.per_s, most_per_s) if rate is not None), default=None)
        if per_s is None:
            return now
        spacing_s = self.owed / per_s
        if spacing_s > _BUCKET_S / 2:
            spacing_s *= _WIDER
        slack_s = min(_BURST_S, max(_BUCKET_S - spacing_s, 0.0))
        return max(self.last_at + spacing_s, now - slack_s)

    def take(self, due_at: float, amount: float) -> None:
        self.last_at, self.owed = due_at, amount


class Rates:
    """Schedules requests under limits that the user states or the endpoint does; the user's win."""

    def __init__(self, stated: RateLimits = RateLimits()) -> None:
        self._stated = stated
        self._requests = _Meter(_used(stated.requests_per_s))
        self._tokens = _Meter(_used(stated.tokens_per_s))
        self._found = FoundRate()

    def learn(self, limits: RateLimits) -> None:
        """Take over what an answer's headers say."""
        if self._stated.requests_per_s is None and limits.requests_per_s is not None:
            self._requests.per_s = _used(limits.requests_per_s)
        if self._stated.tokens_per_s is None and limits.tokens_per_s is not None:
            self._tokens.per_s = _used(limits.tokens_per_s)

    @property
    def limits(self) -> RateLimits:
        """What is kept to, per second; None where no limit is known."""
        return RateLimits(self._requests.per_s, self._tokens.per_s)

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may leave."""
        return max(self._requests.due_at(now, self._found.per_s(now)) - now, self._tokens.due_at(now) - now, 0.0)

    def take(self, now: float, tokens: float) -> None:
        """A request of so many tokens leaves now."""
        self._requests.take(self._requests.due_at(now, self._found.per_s(now)), 1)
        self._tokens.take(self._tokens.due_at(now), tokens)

    def answered(self, now: float) -> None:
        """A request passed the endpoint's limits."""
        self._found.answered(now)

    def refused(self, now: float) -> None:
        """One was refused for its rate: there is a limit below the stated ones."""
        self._found.refused(now)

    def correct(self, tokens: float) -> None:
        """A request that left took so many tokens more than was thought, or less where negative."""
        self._tokens.owed += tokens


class TokenEstimate:
    """Tokens of a request before it is sent, from its length; learns from the answers what a character comes to.

    A line through the latest answers (least squares, the older the lighter): what comes on top of each document, as
    its fence, weighs much in short ones and little in long ones. Rather too much than too little: what was not used
    comes back with the answer, and what is missing is a refusal.
    """

    def __init__(self, prefix_tokens: int) -> None:
        self._prefix_tokens = prefix_tokens
        # Means over the answers of characters, tokens, characters squared and their product; two made-up answers
        # (ordinary English, a document of 2,000 characters and an empty one) until real ones outweigh them.
        self._characters, self._tokens, self._squares, self._products = 1000.0, 300.0, 2e6, 5.8e5
        self._answers = 2
        self._error = 0.2
        """Root mean square of how far off the estimates were, as a share of them."""

    def of(self, characters: int, max_output_tokens: int) -> float:
        """What a limit on tokens counts: the prompt, and the output limit as if it were used."""
        likely = self._document_tokens(characters)
        return self._prefix_tokens + likely * (1 + _CAUTION * self._error) + max_output_tokens

    def learn(self, characters: int, input_tokens: int) -> None:
        """Take note of what a request came to."""
        tokens = max(input_tokens - self._prefix_tokens, 0)
        likely = max(self._document_tokens(characters), 1.0)
        self._answers += 1
        share = max(1 / self._answers, _LEARNING)
        self._error = math.sqrt((1 - share) * self._error**2 + share * (tokens / likely - 1) ** 2)
        self._characters += share * (characters - self._characters)
        self._tokens += share * (tokens - self._tokens)
        self._squares += share * (characters * characters - self._squares)
        self._products += share * (characters * tokens - self._products)

    def _document_tokens(self, characters: int) -> float:
        spread = self._squares - self._characters**2
        per_character = (self._products - self._characters * self._tokens) / spread if spread >= 1 else 0.0
        return max(self._tokens + per_character * (characters - self._characters), 0.0)


def _used(limit_per_s: float | None) -> float | None:
    return None if limit_per_s is None else limit_per_s * _SHARE
