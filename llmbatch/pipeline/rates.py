"""Requests and tokens a second: when the next request may leave, by the limits that are known."""

from dataclasses import dataclass

from llmbatch.caller.limits import RateLimits

_SHARE = 0.99
"""Of a stated limit, what is used: clocks differ a little."""
_BURST_S = 0.1
"""How far behind schedule requests may catch up: a limit with less slack than that is not known."""
_FIRST_TOKENS_PER_CHARACTER = 0.3
_LEARNING = 0.05


@dataclass(slots=True)
class _Meter:
    """Spaces requests evenly (the generic cell rate algorithm, ITU-T I.371)."""

    per_s: float | None = None
    next_at: float = 0.0

    def due_at(self, now: float) -> float:
        return now if self.per_s is None else max(self.next_at, now - _BURST_S)

    def take(self, due_at: float, amount: float) -> None:
        if self.per_s is not None:
            self.next_at = due_at + amount / self.per_s


class Rates:
    """Schedules requests under limits that the user states or the endpoint does; the user's win."""

    def __init__(self, stated: RateLimits = RateLimits()) -> None:
        self._stated = stated
        self._requests = _Meter(_used(stated.requests_per_s))
        self._tokens = _Meter(_used(stated.tokens_per_s))

    def learn(self, limits: RateLimits) -> None:
        """Take over what an answer's headers say."""
        if self._stated.requests_per_s is None and limits.requests_per_s is not None:
            self._requests.per_s = _used(limits.requests_per_s)
        if self._stated.tokens_per_s is None and limits.tokens_per_s is not None:
            self._tokens.per_s = _used(limits.tokens_per_s)

    def reserve(self, now: float, tokens: float) -> float:
        """Schedule a request of so many tokens. Returns the seconds until it may leave."""
        due_at = max(self._requests.due_at(now), self._tokens.due_at(now))
        self._requests.take(due_at, 1)
        self._tokens.take(due_at, tokens)
        return max(due_at - now, 0.0)


class TokenEstimate:
    """Tokens of a request before it is sent, from its length; learns from the answers how many a character comes to."""

    def __init__(self, prefix_tokens: int) -> None:
        self._prefix_tokens = prefix_tokens
        self._per_character = _FIRST_TOKENS_PER_CHARACTER

    def of(self, characters: int, max_output_tokens: int) -> float:
        """What a limit on tokens counts: the prompt, and the output limit as if it were used."""
        return self._prefix_tokens + characters * self._per_character + max_output_tokens

    def learn(self, characters: int, input_tokens: int) -> None:
        """Take note of what a request came to."""
        if characters > 0:
            seen = max(input_tokens - self._prefix_tokens, 0) / characters
            self._per_character += _LEARNING * (seen - self._per_character)


def _used(limit_per_s: float | None) -> float | None:
    return None if limit_per_s is None else limit_per_s * _SHARE
