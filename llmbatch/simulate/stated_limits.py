"""Rate limits as other providers' headers state them: per second, minute or day, refilling or in fixed windows."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from llmbatch.simulate.dialects import LimitForm
from llmbatch.simulate.limits import as_duration


class StatedLimits:
    """What is left of each limit. Nothing is enforced here."""

    def __init__(
        self, forms: Sequence[LimitForm], *, rpm: int | None, tpm: int | None, clock: Callable[[], float]
    ) -> None:
        """`rpm` and `tpm` replace limits per minute."""
        given = {"requests": rpm, "tokens": tpm}
        minute_s = 60.0
        self._counts = [
            _Count(form, (given[form.kind] if form.per_s == minute_s else None) or form.limit, clock) for form in forms
        ]

    def headers(self, tokens: int) -> dict[str, str]:
        """The headers of the answer to one request with this many tokens."""
        found: dict[str, str] = {}
        for count in self._counts:
            found |= count.headers(tokens if count.form.kind == "tokens" else 1)
        return found


class _Count:
    def __init__(self, form: LimitForm, limit: int, clock: Callable[[], float]) -> None:
        self.form, self._limit, self._clock = form, limit, clock
        self._used, self._at = 0.0, clock()

    def headers(self, need: int) -> dict[str, str]:
        reset_s = self._take(need)
        fields = {"limit": str(self._limit), "remaining": str(max(int(self._limit - self._used), 0))}
        if self.form.reset:
            fields["reset"] = _RESETS[self.form.reset](reset_s)
        return {self.form.header.replace("<field>", field): value for field, value in fields.items()}

    def _take(self, need: int) -> float:
        """Count a request. Returns the seconds until the full limit is available again."""
        now, per_s = self._clock(), self.form.per_s
        if self.form.fixed:
            if now - self._at >= per_s:
                self._used, self._at = 0.0, now - (now - self._at) % per_s
            self._used += need
            return self._at + per_s - now
        refilled = (now - self._at) * self._limit / per_s
        self._used, self._at = max(self._used - refilled, 0.0) + need, now
        return self._used * per_s / self._limit


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(time.time() + seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


_RESETS: dict[str, Callable[[float], str]] = {
    "duration": as_duration,
    "seconds": lambda seconds: f"{seconds:.1f}".removesuffix(".0"),
    "unix_s": lambda seconds: str(round(time.time() + seconds)),
    "unix_ms": lambda seconds: str(round((time.time() + seconds) * 1000)),
    "rfc3339": _date,
}
