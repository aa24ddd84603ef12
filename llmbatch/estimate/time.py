"""How long requests will take, under the limits that are known."""

from dataclasses import dataclass

_ASSUMED_ANSWER_S = 1.0
"""What an answer takes where nothing was measured: a short label from a small model."""
_ASSUMED_AT_ONCE = 16
"""Requests in flight where nothing is known: far below what makers allow, and what a small server bears."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What limits a run; None where it is not known."""

    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    """Counted as providers do: the prompt, and the answer's ceiling as if it were used."""
    concurrency: int | None = None
    answer_s: float | None = None
    """What an answer takes."""
    measured_per_s: float | None = None
    """Requests a second that an earlier session got done."""


@dataclass(frozen=True, slots=True)
class TimeNeeded:
    """How long it takes; `why` says by what."""

    seconds: float | None
    """None where that is not known: a batch takes up to a day."""
    why: str
    is_assumed: bool = False
    """Nothing is known of the endpoint's limits: `why` says what was taken for them."""


def time_needed(requests: int, tokens: float, given: Speed, earlier: Speed) -> TimeNeeded:
    """How long so many requests take.

    Args:
        requests: to be sent.
        tokens: of all of them, counted as a limit on tokens counts them.
        given: by the user. Limits of theirs win over an endpoint's.
        earlier: what an earlier session of this run learned of the endpoint's limits, and how fast it was.
    """
    if not requests:
        return TimeNeeded(0.0, "nothing is left to send")
    bounds = (
        _by_rate(requests, "requests a minute", "--rpm", given.requests_per_s, earlier.requests_per_s),
        _by_rate(tokens, "tokens a minute", "--tpm", given.tokens_per_s, earlier.tokens_per_s),
        _by_concurrency(requests, given, earlier),
        _as_before(requests, earlier) if given == Speed() else None,  # else what limited it then may differ
    )
    return max(
        (bound for bound in bounds if bound is not None),
        key=lambda bound: bound.seconds or 0.0,
        default=_assumed(requests),
    )


def _assumed(requests: int) -> TimeNeeded:
    return TimeNeeded(
        requests * _ASSUMED_ANSWER_S / _ASSUMED_AT_ONCE,
        f"assumed are {_ASSUMED_AT_ONCE} at once and {_ASSUMED_ANSWER_S:g} s an answer, as no limit is known before "
        "the first one: give --rpm, --tpm or --concurrency",
        is_assumed=True,
    )


def _by_rate(amount: float, what: str, option: str, given: float | None, earlier: float | None) -> TimeNeeded | None:
    per_s = given or earlier
    if not per_s:
        return None
    source = option if given else "as the endpoint stated in this run's last session"
    return TimeNeeded(amount / per_s, f"by {per_s * 60:,.0f} {what} ({source})")


def _as_before(requests: int, earlier: Speed) -> TimeNeeded | None:
    per_s = earlier.measured_per_s
    if not per_s:
        return None
    return TimeNeeded(requests / per_s, f"{per_s:,.1f} requests/s, as in this run's last session")


def _by_concurrency(requests: int, given: Speed, earlier: Speed) -> TimeNeeded | None:
    if given.concurrency is None:
        return None
    answer_s = earlier.answer_s or _ASSUMED_ANSWER_S
    source = "measured in this run" if earlier.answer_s else "assumed; nothing was measured yet"
    seconds = requests * answer_s / given.concurrency
    return TimeNeeded(seconds, f"{given.concurrency:,} at once, {answer_s:.2g} s an answer ({source})")
