"""Figures for people."""

from llmbatch.core.money import NANO
from llmbatch.core.plurals import counted
from llmbatch.core.shares import percent
from llmbatch.observe.progress import Progress

_MINUTE, _HOUR = 60, 3600
_RATE_WINDOW_S = 10.0


def dollars(nanousd: int | None) -> str:
    """An amount of nano-dollars: with cents from one dollar on, else with four decimals or more. None is `unknown`."""
    if nanousd is None:
        return "unknown"
    usd = nanousd / NANO
    if nanousd == 0:
        return "$0"
    if usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.{_decimals(usd)}f}"


def _decimals(usd: float) -> int:
    decimals = 4
    while decimals < 9 and usd < 10 ** (2 - decimals):  # noqa: PLR2004 - nano-dollars have nine decimals
        decimals += 1
    return decimals


def megabytes(size: int) -> str:
    """Bytes as `0.1 MB`, `480.0 MB`."""
    return f"{size / 1_000_000:,.1f} MB"


def duration(seconds: float) -> str:
    """A time span: `0.4s`, `12s`, `3m05s`, `2h07m`."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds, tenths say something
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


def cached_share(cached: int, given: int, unreported: int) -> str:
    """The share of an input that came from the cache.

    Args:
        cached: tokens from the cache.
        given: all of the input.
        unreported: tokens of answers that do not report how much came from the cache.
    """
    return "not reported" if given and unreported >= given else percent(cached, given - unreported)


def spent_so_far(progress: Progress) -> str:
    """What the session has cost; says that it is this session's cost if there were earlier ones."""
    return f"cost {dollars(progress.cost_nanousd)}{' in this session' if progress.skipped else ''}"


def cached_so_far(progress: Progress) -> str:
    """The share of the session's input that came from the cache."""
    return cached_share(progress.cached_input_tokens, progress.input_tokens, progress.cache_unreported_tokens)


class Waits:
    """What the run waits for, since when, and when it tries again, by the progress's own clock."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._held_since: float | None = None
        self._backing_off_since: float | None = None

    def add(self, progress: Progress) -> None:
        """Record what the run waits for."""
        self._held_since = _since(self._held_since, progress, is_on=progress.held_s > 0)
        self._backing_off_since = _since(self._backing_off_since, progress, is_on=progress.is_backing_off)
        self._progress = progress

    @property
    def shown(self) -> list[str]:
        """Each wait in words; empty if the run does not wait."""
        progress, waits = self._progress, []
        next_try = f", next try in {duration(progress.next_try_s)}" if progress.next_try_s else ", trying now"
        if progress.outage_s:
            kind = f" ({progress.outage_kind})" if progress.outage_kind else ""
            waits.append(f"endpoint down{kind} for {duration(progress.outage_s)}{next_try}")
        elif progress.is_backing_off:
            kind = f" ({progress.retry_kind})" if progress.retry_kind else ""
            rows = counted(progress.waiting, "row")
            waits.append(f"{rows} backing off{kind}{self._lasting(self._backing_off_since)}{next_try}")
        if progress.held_s:
            held = self._lasting(self._held_since)
            waits.append(f"paused by the server{held}, next try in {duration(progress.held_s)}")
        if progress.limited_by:
            waits.append(f"limited by: {progress.limited_by}")
        return waits

    def _lasting(self, since_s: float | None) -> str:
        lasts_s = 0.0 if since_s is None else self._progress.elapsed_s - since_s
        return f" for {duration(lasts_s)}" if lasts_s >= 1 else ""


def _since(since_s: float | None, progress: Progress, *, is_on: bool) -> float | None:
    """When a wait began: now, if there was none before; None if there is none."""
    if not is_on:
        return None
    return progress.elapsed_s if since_s is None else since_s


class Rate:
    """Rows finished per second over the last ten seconds, by the progress's own clock."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = [(0.0, 0)]

    def add(self, progress: Progress) -> None:
        """Record how far the run is. Rows of earlier sessions do not count."""
        now = progress.elapsed_s
        self._seen.append((now, progress.done - progress.skipped))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _RATE_WINDOW_S:  # noqa: PLR2004 - two make a rate
            del self._seen[0]

    @property
    def per_s(self) -> float:
        """Rows per second."""
        (started, first), (ended, last) = self._seen[0], self._seen[-1]
        return max(last - first, 0) / (ended - started) if ended > started else 0.0

    def eta_s(self, progress: Progress) -> float | None:
        """Seconds until the last row, or None while that is unknown."""
        if progress.outage_s or progress.held_s:
            return None
        if progress.total is None or self.per_s <= 0 or progress.done >= progress.total:
            return None
        return (progress.total - progress.done) / self.per_s
