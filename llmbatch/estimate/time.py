"""Estimates how long requests will take under the known limits."""

from dataclasses import dataclass

_ASSUMED_ANSWER_S = 1.0
"""Assumed seconds per answer if nothing was measured: a short label from a small model."""
_ASSUMED_AT_ONCE = 16
"""Assumed requests in flight if nothing is known: far below what vendors allow, and bearable for a small server."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The limits of a run; None if unknown."""

    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    """Counted as providers do: the prompt, plus the full output limit."""
    concurrency: int | None = None
    answer_s: float | None = None
    """Seconds per answer."""
    measured_per_s: float | None = None
    """Requests per second completed by an earlier session."""


@dataclass(frozen=True, slots=True)
class TimeNeeded:
    """The time needed; `why` names the limiting factor."""

    seconds: float | None
    """None if unknown: a batch takes up to a day."""
    why: str
    is_assumed: bool = False
    """Whether the endpoint's limits are unknown; then `why` states the assumptions."""


def time_needed(requests: int, tokens: float, given: Speed, earlier: Speed) -> TimeNeeded:
    """Estimate how long so many requests take.

    Args:
        requests: the number of requests.
        tokens: their total tokens, counted as token limits count them.
        given: the user's limits, which take precedence over the endpoint's.
        earlier: the endpoint's limits as learned by an earlier session of this run, and that session's speed.
    """
    if not requests:
        return TimeNeeded(0.0, "nothing left to send")
    bounds = (
        _by_rate(requests, "requests/min", "--rpm", given.requests_per_s, earlier.requests_per_s),
        _by_rate(tokens, "tokens/min", "--tpm", given.tokens_per_s, earlier.tokens_per_s),
        _by_concurrency(requests, given, earlier),
        _as_before(requests, earlier) if given == Speed() else None,  # otherwise the limits may differ from then
    )
    return max(
        (bound for bound in bounds if bound is not None),
        key=lambda bound: bound.seconds or 0.0,
        default=_assumed(requests),
    )


def _assumed(requests: int) -> TimeNeeded:
    return TimeNeeded(
        requests * _ASSUMED_ANSWER_S / _ASSUMED_AT_ONCE,
        f"assuming {_ASSUMED_AT_ONCE} requests in flight and {_ASSUMED_ANSWER_S:g} s per answer, since no limits are "
        "known yet: set --rpm, --tpm or --concurrency",
        is_assumed=True,
    )


def _by_rate(amount: float, what: str, option: str, given: float | None, earlier: float | None) -> TimeNeeded | None:
    per_s = given or earlier
    if not per_s:
        return None
    source = option if given else "as reported by the endpoint in this run's last session"
    return TimeNeeded(amount / per_s, f"limited by {per_s * 60:,.0f} {what} ({source})")


def _as_before(requests: int, earlier: Speed) -> TimeNeeded | None:
    per_s = earlier.measured_per_s
    if not per_s:
        return None
    return TimeNeeded(requests / per_s, f"{per_s:,.1f} requests/s, as in this run's last session")


def _by_concurrency(requests: int, given: Speed, earlier: Speed) -> TimeNeeded | None:
    if given.concurrency is None:
        return None
    answer_s = earlier.answer_s or _ASSUMED_ANSWER_S
    source = "measured in this run" if earlier.answer_s else "assumed; nothing measured yet"
    seconds = requests * answer_s / given.concurrency
    return TimeNeeded(seconds, f"{given.concurrency:,} in flight, {answer_s:.2g} s per answer ({source})")
