"""One limit stated by the endpoint: what it leaves for the next request, whatever its headers mean.

Three kinds occur, and one interpretation fits all of them: a bucket that fills by the minute (OpenAI, Anthropic), a
bucket that fills by the day under the same names (OpenAI's small accounts, Groq), and a window that restarts at a point
in time (gateways, OpenRouter). A single reading does not distinguish them. A limit that refills by the minute is used
evenly; of any other limit, what remains may be used, more slowly the less there is. If nothing remains, requests wait
for the stated reset, and one of them probes whether it is true.
"""

import math

from llmbatch.engine.throttle.restoration import Restoration
from llmbatch.provider.limits import StatedLimit

_MINUTE_S = 60.0
USED_SHARE = 0.99
"""The share of a stated limit that is used: clocks differ a little."""
_BY_THE_MINUTE = 0.8
"""Share of a minute's rate: a limit that refills at least this fast is a bucket that fills by the minute."""
_FASTER = 1.5
"""A limit that refills this many times faster is for less than a minute; its rate is found by doubling."""
_FIND_EVERY_S, _LESS = 0.4, 0.8
_PROBED, _MOST_PROBES = 20, 8
"""A probe sends a twentieth of the limit, and two requests more, at once. If they are restored within a second or two,
the limit is not per minute; with fewer requests, whole seconds do not show that. Limits that need more than eight are
not probed: if they are per minute and enforced by the second, most of the probe is refused."""
_LONG_S = 90.0
"""A limit that refills later than this is not per minute: it blocks nothing while some of it remains."""
_SPENT_IN_S = 10.0
"""Seconds in which the remainder would be used up at the current rate, so the rate falls with it."""
_COARSE_S = 2.0
"""How much too late a reset may be: whole seconds are rounded up, and the two machines' clocks differ."""
_SAME_RESET_S = 1.5
"""A reset time that stays within this tolerance while requests are used up is the end of a window."""
_WINDOW_SHOWN_S, _USED_UP = 2.0, 2
_FIRST_DOUBT_S, _DOUBT_S = 1.0, 5.0
"""Longest wait based on a reading alone: then one request probes. A refusal states the server's own wait."""
_CONFIRMED_BY, _CONFIRMED_S = 2, 30.0
"""Consecutive refusals that show that readings are true, and the longest wait based on one from then on."""
_CONTRADICTIONS = 2
"""Requests that passed although nothing remained, after which the stated limit is ignored."""
_UNASKED, _MANY = 0.4, 100
"""The weight of such a request if it was sent in its turn and not as a probe, and the limit's minimum size: if one
request passes per second or less, nothing may remain after each."""
_UNMOVED, _UNMOVED_S = 10, 5.0
"""Requests that passed, and for how long, without reducing what remains: the limit does not count them."""
_UNITS = ((1.0, "s"), (60.0, "min"), (3600.0, "hour"), (86_400.0, "day"))
_ABOUT = 0.2
"""Relative tolerance within which a period gets the name of a unit."""


class Allowance:
    """A stated limit's current state: learns from readings, says when the next request may be sent."""

    def __init__(self, stated: StatedLimit) -> None:
        self._stated = stated
        self._left: float | None = None
        """What remains by the latest reading, minus what was sent since."""
        self._in_flight = 0.0
        self._read_at = -math.inf
        self._resets_at = math.inf
        self._anchor, self._anchored_at, self._anchored_left = math.inf, -math.inf, 0
        """A reset that later readings repeat, since when, and what remained then."""
        self._refill_per_s = 0.0
        self._is_window = False
        self._window_s = stated.window_s
        self._found_per_s, self._found_at, self._refused_at = 0.0, -math.inf, -math.inf
        """The rate of a limit for less than a minute, and when it was last found."""
        self._is_short = False
        """Whether it was seen to refill faster than a limit per minute."""
        probes = stated.limit // _PROBED + 2
        self._probes = probes if probes <= _MOST_PROBES else 0
        """Requests of the probe that are still to be sent."""
        self._asked_at = -math.inf
        self._is_doubtful = False
        self._is_confirmed = False
        """Whether requests were refused when nothing remained, so the next may wait for the reset."""
        self._refused_in_a_row = 0
        self._contradictions = 0.0
        self._unmoved, self._unmoved_since = 0, -math.inf
        """Consecutive readings that showed no less than the one before, and since when."""
        self._restoration = Restoration()
        self._is_unjudged = False
        """Whether the latest reading's answer or refusal is still to be recorded."""

    @property
    def is_void(self) -> bool:
        """Whether the stated limit has been contradicted by what passed."""
        return self._contradictions >= _CONTRADICTIONS

    @property
    def wants_every_answer(self) -> bool:
        """Whether every reading is needed; if the limit refills within the minute, an occasional one is enough."""
        needs_all = not self._is_by_the_minute or self._found_per_s > 0 or self._restoration.is_assumed
        return self._left is not None and needs_all

    @property
    def words(self) -> str:
        """The limit for display: `500 requests/min`."""
        stated = self._stated
        counted = stated.kind.removesuffix("s") if stated.limit == 1 else stated.kind
        return f"{stated.limit:,} {counted}{self._per(stated.limit)}"

    def rate_per_s(self, now: float) -> float:
        """The rate at which requests (or tokens) may be sent now; infinite if far from the limit."""
        if self._is_long or (self._left is None and self._window_s is None):
            return math.inf
        nominal = self._stated.limit / (self._window_s or _MINUTE_S) * USED_SHARE
        if self._left is None:
            return nominal
        if self._restoration.is_assumed:
            return math.inf
        if self._may_be_by_the_minute:
            return math.inf if self._probes and self._may_be_short else max(nominal, self._found_per_s)
        span_s = max(self._resets_at - now, 1.0) if self._is_window else math.inf
        return max(nominal, self._found_per_s, self._left / min(span_s, _SPENT_IN_S))

    def wait_s(self, now: float, amount: float) -> float:
        """Seconds until there is room for `amount`; 0 if there is now, or if unknown."""
        if self._restoration.is_assumed:
            return self._restoration.wait_s(now)
        if self._left is None or self._is_by_the_minute:
            return 0.0
        missing = min(amount, self._stated.limit) - self._left_at(now)
        if missing <= 0:
            return 0.0
        due_s = self._due_s(now, missing)
        first_s, again_s = (_CONFIRMED_S, _CONFIRMED_S) if self._is_confirmed else (_FIRST_DOUBT_S, _DOUBT_S)
        doubted_s = max(self._read_at + first_s, self._asked_at + again_s) - now
        return max(min(due_s, doubted_s), 0.0)

    def used_up_s(self, now: float) -> float:
        """Seconds until one more request may pass, if refusals have shown that nothing remains; else 0."""
        if not self._is_confirmed or self._stated.remaining != 0:
            return 0.0
        return max(self._due_s(now, 1.0), 0.0)

    def take(self, now: float, amount: float) -> None:
        """Record that a request of this amount is sent now."""
        self._in_flight += amount
        if self._left is None:
            return
        self._probes = max(self._probes - 1, 0)
        left = self._left_at(now)
        if left < min(amount, self._stated.limit):
            self._asked_at, self._is_doubtful = now, not self._is_by_the_minute
        if self._is_window and now >= self._resets_at:
            self._resets_at = now + (self._window_s or _MINUTE_S)
        self._left, self._read_at = left - amount, now

    def ended(self, amount: float) -> None:
        """Record that a request of this amount has ended, answered or not."""
        self._in_flight = max(self._in_flight - amount, 0.0)

    def learn(self, stated: StatedLimit, now: float) -> None:
        """Process a reading that just arrived with an answer or a refusal."""
        before, self._stated, self._is_unjudged = self._stated, stated, True
        remaining = stated.remaining
        if remaining is None:
            self._left, self._window_s = None, stated.window_s
            return
        self._count_unmoved(before.remaining, remaining, now)
        self._judge_reset(stated, remaining, now)
        self._find_rate(stated.limit, remaining, now)
        others = self._in_flight - 1 if stated.kind == "requests" else self._in_flight
        self._left, self._read_at = remaining - max(others, 0.0), now

    def refused(self, now: float) -> None:
        """Record a rate-limit refusal: nothing remains, as stated, or the rate is lower than was found."""
        self._refused_in_a_row += 1
        self._probes = 0
        if self._is_unjudged:
            self._restoration.refused(self._stated, now)
            self._is_unjudged = False
        if self._stated.remaining == 0:
            self._is_doubtful = False
            self._is_confirmed = self._is_confirmed or self._refused_in_a_row >= _CONFIRMED_BY
            if self._is_confirmed:
                self._contradictions = 0.0
        elif now - self._refused_at >= _FIND_EVERY_S:
            self._found_per_s /= 2
            self._is_short = False
            self._found_at = self._refused_at = now

    def passed(self) -> None:
        """Record that a request passed: an empty limit would have refused it; one that stays full does not apply."""
        stated, self._refused_in_a_row = self._stated, 0
        self._restoration.passed()
        if self._is_unjudged:
            self._restoration.exclude()
            self._is_unjudged = False
        if self._unmoved >= _UNMOVED and self._read_at - self._unmoved_since >= _UNMOVED_S:
            self._contradictions = math.inf
        elif stated.kind == "requests" and stated.remaining == stated.limit < _MINUTE_S:
            self._contradictions = math.inf  # one request takes over a second to be replenished
        elif self._is_doubtful and stated.remaining == 0:
            self._contradictions = self._contradictions + 1 if self._contradictions < 1 else math.inf
            self._is_confirmed = False
        elif stated.remaining == 0 and not self._is_confirmed and stated.limit >= _MANY:
            self._contradictions += _UNASKED
        elif not self._is_doubtful:
            self._contradictions = 0.0
        self._is_doubtful = False

    @property
    def _is_long(self) -> bool:
        """Whether it is for more than a minute, by its name or by the time until it is full again."""
        if self._window_s is not None:
            return self._window_s > _LONG_S
        return (self._stated.reset_s or 0.0) > _LONG_S

    @property
    def _is_by_the_minute(self) -> bool:
        """Whether it refills within about a minute: then an even rate is sufficient."""
        if self._is_window or self._is_long:
            return False
        return self._refill_per_s >= _BY_THE_MINUTE * self._stated.limit / _MINUTE_S

    @property
    def _may_be_by_the_minute(self) -> bool:
        """Like `_is_by_the_minute`, if the reset is rounded up: then an even rate is the safe choice."""
        if self._is_window or self._is_long or self._is_short:
            return False
        stated = self._stated
        used = stated.limit - (stated.remaining or 0)
        return (stated.reset_s or 0.0) - _COARSE_S <= used * _MINUTE_S / stated.limit / _BY_THE_MINUTE

    @property
    def _may_be_short(self) -> bool:
        """Whether the reset is soon, and stated in whole seconds: then a limit for a second looks the same."""
        return self._stated.is_coarse and 0 <= (self._stated.reset_s or 0.0) <= _COARSE_S

    @property
    def _is_faster_than_it_says(self) -> bool:
        """Whether most of it remains and refills sooner than a limit per minute: then it is for less than a minute.

        Fractions of a request, and of a second, are often missing in a reading: at least this much is refilled.
        """
        remaining, limit, reset_s = self._stated.remaining or 0, self._stated.limit, self._stated.reset_s
        if reset_s is None or not limit / 2 <= remaining < limit:
            return False
        longest_s = reset_s + reset_s.is_integer()
        return max(limit - remaining - 1, 1) >= _FASTER * limit / _MINUTE_S * longest_s

    def _find_rate(self, limit: int, remaining: int, now: float) -> None:
        """Double the rate while most remains, up to what a window would allow, and reduce it when little remains."""
        if now - self._found_at < _FIND_EVERY_S:
            return
        if self._is_faster_than_it_says:
            by_the_window = remaining / max(self._stated.reset_s or 0.0, 1e-3) * USED_SHARE
            doubled = max(self._found_per_s, limit / _MINUTE_S) * 2
            self._found_per_s = max(self._found_per_s, min(doubled, by_the_window))
            self._found_at, self._is_short = now, True
        elif remaining < limit / 4:
            self._found_per_s *= _LESS
            self._found_at = now

    def _count_unmoved(self, before: int | None, remaining: int, now: float) -> None:
        reset_s = self._stated.reset_s
        if before is None or remaining < before or reset_s is None or self._may_be_by_the_minute:
            self._unmoved = 0
        elif self._unmoved == 0 or now > self._unmoved_since + reset_s:
            self._unmoved, self._unmoved_since = 1, now
        else:
            self._unmoved += 1

    def _judge_reset(self, stated: StatedLimit, remaining: int, now: float) -> None:
        self._window_s = stated.window_s or self._window_s
        if stated.reset_s is None:
            self._resets_at, self._refill_per_s = math.inf, 0.0
            return
        resets_at, used = now + stated.reset_s, stated.limit - remaining
        if abs(resets_at - self._anchor) > _SAME_RESET_S:
            if self._is_window and stated.window_s is None and math.isfinite(self._anchor) and resets_at > self._anchor:
                self._window_s = min(self._window_s or math.inf, resets_at - self._anchor)
            self._anchor, self._anchored_at, self._anchored_left = resets_at, now, remaining
        elif (
            now - self._anchored_at > _WINDOW_SHOWN_S
            and self._anchored_left - remaining >= _USED_UP
            and stated.reset_s > _SAME_RESET_S
        ):
            self._is_window = True
        self._resets_at = resets_at
        self._refill_per_s = used / stated.reset_s if stated.reset_s > 0 else math.inf

    def _due_s(self, now: float, missing: float) -> float:
        """Seconds until `missing` has been refilled, according to the reset."""
        fills = not self._is_window and self._refill_per_s > 0
        return missing / self._refill_per_s if fills else self._resets_at - now

    def _left_at(self, now: float) -> float:
        """What remains now, according to the reset."""
        assert self._left is not None  # noqa: S101 - called only after a reading
        if self._is_window:
            return float(self._stated.limit) if now >= self._resets_at else self._left
        gained = self._refill_per_s * (now - self._read_at) if math.isfinite(self._refill_per_s) else 0.0
        return min(self._left + gained, float(self._stated.limit))

    def _per(self, limit: int) -> str:
        if self._window_s is not None:
            return next((f"/{unit}" for seconds, unit in _UNITS if abs(self._window_s / seconds - 1) < _ABOUT), "")
        day_s = limit / self._refill_per_s if 0 < self._refill_per_s < math.inf else 0.0
        if self._is_window or self._is_short or self._restoration.is_assumed:
            return ""
        if self._may_be_by_the_minute or not self._refill_per_s:
            return "/min"
        return next((f"/{unit}" for seconds, unit in _UNITS if abs(day_s / seconds - 1) < _ABOUT), "")
