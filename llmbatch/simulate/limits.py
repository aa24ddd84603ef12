"""Rate limits: token buckets that hold one second's worth, and the headers that state them."""

from collections.abc import Callable
from dataclasses import dataclass

# What is reported, and not enforced, if no limit is set.
_REPORTED_RPM, _REPORTED_TPM = 600_000, 10_000_000_000

_ROUNDING = 1e-6
"""Tolerance for rounding: a client that waited for exactly the stated time must pass."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that a request exceeds. `wait_s` is how long until it would pass; None if waiting does not help."""

    kind: str
    limit: int
    used: int
    requested: int
    wait_s: float | None


class TokenBucket:
    """Fills at a steady rate up to one second's worth.

    A larger need passes when the bucket is full and leaves it in debt, so that the rate holds.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._per_second = per_minute / 60
        self._capacity = max(self._per_second, 1.0)
        self._level = self._capacity
        self._clock = clock
        self._filled_at = clock()

    def wait_s(self, need: int) -> float:
        """Seconds until `need` can be taken; 0 if it can be taken now."""
        self._fill()
        missing = min(need, self._capacity) - self._level
        return missing / self._per_second if missing > _ROUNDING else 0.0

    def take(self, need: int) -> None:
        """Take `need`, after `wait_s` has returned 0."""
        self._level -= need

    @property
    def remaining(self) -> int:
        """What can be taken immediately."""
        self._fill()
        return max(int(self._level), 0)

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is full."""
        self._fill()
        return (self._capacity - self._level) / self._per_second

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._level + (now - self._filled_at) * self._per_second, self._capacity)
        self._filled_at = now


class Limits:
    """Requests and tokens per minute, each enforced if it is set."""

    def __init__(self, rpm: int | None, tpm: int | None, *, clock: Callable[[], float]) -> None:
        self._requests = None if rpm is None else TokenBucket(rpm, clock=clock)
        self._tokens = None if tpm is None else TokenBucket(tpm, clock=clock)

    def take(self, tokens: int) -> Exceeded | None:
        """Let one request with this many tokens pass, or return the limit that it exceeds."""
        needs = (("requests", self._requests, 1), ("tokens", self._tokens, tokens))
        for kind, bucket, need in needs:
            if bucket is not None and (exceeded := _exceeded(kind, bucket, need)) is not None:
                return exceeded
        for _, bucket, need in needs:
            if bucket is not None:
                bucket.take(need)
        return None

    def headers(self, tokens: int) -> dict[str, str]:
        """`x-ratelimit-*` after a request with this many tokens."""
        return _headers("requests", self._requests, _REPORTED_RPM, 1) | _headers(
            "tokens", self._tokens, _REPORTED_TPM, tokens
        )


def as_duration(seconds: float) -> str:
    """A duration as OpenAI writes it: `6m0s`, `1.5s`, `12ms`."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = f"{rest / 1000:g}s"
    if minutes or hours:
        parts = f"{minutes}m{parts}"
    return f"{hours}h{parts}" if hours else parts


def _exceeded(kind: str, bucket: TokenBucket, need: int) -> Exceeded | None:
    if need > bucket.per_minute:
        return Exceeded(kind, bucket.per_minute, 0, need, None)
    wait_s = bucket.wait_s(need)
    if wait_s == 0:
        return None
    return Exceeded(kind, bucket.per_minute, bucket.per_minute - bucket.remaining, need, wait_s)


def _headers(kind: str, bucket: TokenBucket | None, reported: int, need: int) -> dict[str, str]:
    limit = reported if bucket is None else bucket.per_minute
    remaining = max(reported - need, 0) if bucket is None else bucket.remaining
    reset_s = need * 60 / reported if bucket is None else bucket.reset_s
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(remaining),
        f"x-ratelimit-reset-{kind}": as_duration(reset_s),
    }
