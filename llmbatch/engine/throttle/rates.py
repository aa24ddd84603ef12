"""Requests and tokens per second: when the next request may be sent under the known limits."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from llmbatch.engine.throttle.allowance import USED_SHARE, Allowance
from llmbatch.engine.throttle.inferred_rate import InferredRateLimit
from llmbatch.provider.limits import Kind, RateLimits, StatedLimit

_BURST_S = 0.3
"""How far behind schedule requests may catch up."""
_FIRST_BURST_S = 0.7
"""Like `_BURST_S`, for the first requests, which meet a full bucket, if each takes little of it."""
_EVEN_S = 0.1
_BUCKET_S = 1.0
"""The minimum size of an endpoint's bucket, in seconds of its rate: a request that takes this much leaves no slack."""
_WIDER = 1.02
"""If the bucket holds only one request, one that arrives with less than the usual delay is too early."""
_LEARNING = 0.05
_CAUTION = 2.0
"""How many times its usual error is added to an estimate."""


@dataclass(slots=True)
class _Meter:
    """Spaces requests evenly (the generic cell rate algorithm, ITU-T I.371)."""

    per_s: float | None = None
    last_at: float = -math.inf
    owed: float = 0.0
    """The amount that the last request took, plus what requests later turned out to have taken in addition."""
    is_first: bool = True
    """Whether nothing has been sent under a known rate yet: then the endpoint's bucket is full."""
    is_catching_up: bool = True
    """Whether the first requests are still behind schedule."""

    def due_at(self, now: float, most_per_s: float | None = None) -> float:
        """When the next request is due. The last one counts even if the rate became known only after it."""
        if self.per_s is None and most_per_s is None:
            return now
        per_s = min(rate for rate in (self.per_s, most_per_s) if rate is not None)
        spacing_s = self.owed / per_s
        if spacing_s > _BUCKET_S / 2:
            spacing_s *= _WIDER
        slack_s = self._slack_s(spacing_s)
        first_s = slack_s if self.is_first and self.per_s is not None else 0.0
        return max(self.last_at + spacing_s - first_s, now - slack_s)

    def take(self, now: float, due_at: float, amount: float) -> None:
        if self.per_s is not None:
            self.is_first = False
            self.is_catching_up = self.is_catching_up and now - due_at > _BURST_S
        self.last_at, self.owed = due_at, amount

    def _slack_s(self, spacing_s: float) -> float:
        """How far behind schedule the next request may be."""
        is_first_burst = self.is_catching_up and self.per_s is not None and spacing_s <= _EVEN_S
        return min(_FIRST_BURST_S if is_first_burst else _BURST_S, max(_BUCKET_S - spacing_s, 0.0))


@dataclass(slots=True)
class _Limited:
    """The limits of requests, or of tokens: the user's own limit, otherwise all that the endpoint states."""

    kind: Kind
    own_per_s: float | None
    meter: _Meter = field(default_factory=_Meter)
    stated: dict[str, Allowance] = field(default_factory=dict)
    """By their names in headers."""

    def learn(self, stated: StatedLimit, now: float) -> None:
        if self.own_per_s is None:
            self.stated.setdefault(stated.name, Allowance(stated)).learn(stated, now)

    @property
    def standing(self) -> list[Allowance]:
        return [allowance for allowance in self.stated.values() if not allowance.is_void]

    def per_s(self, now: float) -> float | None:
        if self.own_per_s is not None:
            return self.own_per_s * USED_SHARE
        if not self.stated:
            return None
        lowest = min((allowance.rate_per_s(now) for allowance in self.standing), default=math.inf)
        return lowest if math.isfinite(lowest) else None

    def wait_s(self, now: float, amount: float, most_per_s: float | None = None) -> float:
        self.meter.per_s = self.per_s(now)
        if self.meter.per_s is None and most_per_s is None and not self.stated:
            return 0.0
        waits = [allowance.wait_s(now, amount) for allowance in self.standing]
        return max(self.meter.due_at(now, most_per_s) - now, *waits, 0.0)

    def take(self, now: float, amount: float, most_per_s: float | None = None) -> None:
        self.meter.per_s = self.per_s(now)
        self.meter.take(now, self.meter.due_at(now, most_per_s), amount)
        for allowance in self.stated.values():
            allowance.take(now, amount)

    def ended(self, amount: float) -> None:
        for allowance in self.stated.values():
            allowance.ended(amount)

    def source(self, now: float, amount: float) -> str:
        """The limit that the next request waits for, in words."""
        if self.own_per_s is not None:
            return f"{self.own_per_s * 60:,.4g} {self.kind}/min, set by you"
        standing = self.standing
        if not standing:
            return ""
        tightest = max(standing, key=lambda allowance: (allowance.wait_s(now, amount), -allowance.rate_per_s(now)))
        return f"{tightest.words}, stated by the endpoint"


@dataclass(frozen=True, slots=True)
class LimitedBy:
    """The limit that makes the next request wait."""

    which: Literal["requests", "tokens", "inferred"]
    words: str


class Rates:
    """Schedules requests under limits from the user or the endpoint; the user's take precedence."""

    def __init__(self, own: RateLimits = RateLimits()) -> None:
        self._requests = _Limited("requests", own.requests_per_s)
        self._tokens = _Limited("tokens", own.tokens_per_s)
        self._inferred = InferredRateLimit()

    def learn(self, limits: Iterable[StatedLimit], now: float) -> None:
        """Process the limits in an answer's headers."""
        for stated in limits:
            (self._requests if stated.kind == "requests" else self._tokens).learn(stated, now)

    @property
    def wants_every_answer(self) -> bool:
        """Whether there is a limit of which little remains, or whose meaning requires more readings."""
        kinds = (kind for kind in (self._requests, self._tokens) if kind.stated)
        return any(allowance.wants_every_answer for kind in kinds for allowance in kind.standing)

    @property
    def are_the_users(self) -> bool:
        """Whether the user has set a limit, which applies whatever the endpoint says."""
        return self._requests.own_per_s is not None or self._tokens.own_per_s is not None

    @property
    def are_inferred(self) -> bool:
        """Whether refusals have shown a limit that is not stated."""
        return self._inferred.is_on

    def limits(self, now: float) -> RateLimits:
        """The limits in effect, per second; None if no limit is known."""
        return RateLimits(self._requests.per_s(now), self._tokens.per_s(now))

    def seconds(self, tokens: float) -> float:
        """How much of the limits' time a request with this many tokens uses; 0 if no limit is known.

        Based on the limits at the last call of `wait_s`.
        """
        of_requests, of_tokens = self._requests.meter.per_s, self._tokens.meter.per_s
        return max(1 / of_requests if of_requests else 0.0, tokens / of_tokens if of_tokens else 0.0)

    def wait_s(self, now: float, tokens: float) -> float:
        """Seconds until the next request, with this many tokens, may be sent."""
        requests_s = self._requests.wait_s(now, 1, self._inferred.per_s(now))
        return max(requests_s, self._tokens.wait_s(now, tokens))

    def limited_by(self, now: float, tokens: float) -> LimitedBy:
        """The limit that makes the next request wait."""
        inferred = self._inferred.per_s(now)
        requests_s, tokens_s = self._requests.wait_s(now, 1, inferred), self._tokens.wait_s(now, tokens)
        if tokens_s > requests_s:
            return LimitedBy("tokens", self._tokens.source(now, tokens))
        known = self._requests.per_s(now)
        if inferred is not None and (known is None or inferred < known):
            return LimitedBy("inferred", f"about {inferred:,.3g} requests/s, inferred from refusals")
        return LimitedBy("requests", self._requests.source(now, 1))

    def take(self, now: float, tokens: float) -> None:
        """A request of this many tokens is sent now."""
        self._requests.take(now, 1, self._inferred.per_s(now))
        self._inferred.sent(now)
        self._tokens.take(now, tokens)

    def ended(self, tokens: float) -> None:
        """A request of this many tokens has ended."""
        self._requests.ended(1)
        self._tokens.ended(tokens)

    def answered(self, now: float) -> None:
        """A request passed the endpoint's limits."""
        self._inferred.answered(now)
        for allowance in (*self._requests.stated.values(), *self._tokens.stated.values()):
            allowance.passed()

    def refused(self, now: float) -> None:
        """A request was refused by rate limit: there is a limit below the stated ones."""
        self._inferred.refused(now)
        for allowance in (*self._requests.stated.values(), *self._tokens.stated.values()):
            allowance.refused(now)

    def used_up_s(self, now: float) -> float:
        """Seconds until an exhausted stated limit lets another request pass; 0 if none is exhausted."""
        standing = (*self._requests.standing, *self._tokens.standing)
        return max((allowance.used_up_s(now) for allowance in standing), default=0.0)

    def correct(self, tokens: float) -> None:
        """A request took this many more tokens than estimated, or fewer if negative."""
        self._tokens.meter.owed += tokens


class TokenEstimate:
    """Estimates a request's tokens before it is sent, from its length; learns the tokens per character from answers.

    A line is fitted to the latest answers (least squares, with lower weight for older ones), since the constant part,
    such as the fence, matters much for short documents and little for long ones. Estimates are rather too high than too
    low: unused tokens are returned with the answer, while missing ones cause a refusal.
    """

    def __init__(self, prefix_tokens: int) -> None:
        self._prefix_tokens = prefix_tokens
        # Means over the answers of characters, tokens, characters squared and their product; two assumed answers
        # (ordinary English, a document of 2,000 characters and an empty one) until real ones outweigh them.
        self._characters, self._tokens, self._squares, self._products = 1000.0, 300.0, 2e6, 5.8e5
        self._answers = 2
        self._error = 0.2
        """Root mean square of the estimates' relative errors."""

    def of(self, characters: int, max_output_tokens: int) -> float:
        """What a token limit counts: the prompt, and the output limit as if it were used."""
        likely = self._document_tokens(characters)
        return self._prefix_tokens + likely * (1 + _CAUTION * self._error) + max_output_tokens

    def learn(self, characters: int, input_tokens: int) -> None:
        """Record a request's outcome."""
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
