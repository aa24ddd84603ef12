"""Stops a run that goes wrong: too many of the latest rows failed, or too many answers were unusable."""

from collections import Counter, deque
from dataclasses import dataclass

from llmbatch.core import defaults
from llmbatch.core.errors import RunStopped
from llmbatch.core.ledger_line import CANARY, FAILED, LedgerLine
from llmbatch.core.shares import parse_percentage
from llmbatch.stats.profile import USELESS

_WINDOW = 200
_MINIMUM = 50
"""Minimum number of rows: among fewer, a few failures in succession are not a trend."""
_MOST_ERRORS = 3
_LONGEST_EXAMPLE = 120


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Shares (0..1) of the latest rows at which a run stops."""

    stop_at_failures: float = defaults.STOP_AT_FAILURES / 100
    stop_at_invalid: float = defaults.STOP_AT_INVALID / 100


def parse_share(text: str, option: str) -> float:
    """Parse a share as written by the user: `50%`.

    Raises:
        UsageError: it is not a percentage from 0 to 100.
    """
    return parse_percentage(option, text, hint=f"use {option} 50%; 100% never stops")


class FailureRateGuard:
    """Watches the latest rows. Rows that reuse another row's outcome do not count."""

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._latest: deque[LedgerLine] = deque()
        self._failed = 0
        self._useless = 0

    def watch(self, line: LedgerLine) -> RunStopped | None:
        """Count a row's outcome; returns the reason to stop, if any. A canary is watched elsewhere."""
        if line.arm == CANARY:
            return None
        self._latest.append(line)
        self._count(line, 1)
        if len(self._latest) > _WINDOW:
            self._count(self._latest.popleft(), -1)
        rows, settings = len(self._latest), self._settings
        if rows < _MINIMUM:
            return None
        if self._failed > settings.stop_at_failures * rows:
            failed = [line for line in self._latest if line.status == FAILED]
            return self._reason(failed, "failed", f"--stop-at-failures {settings.stop_at_failures:.0%}")
        if self._useless > settings.stop_at_invalid * rows:
            useless = [line for line in self._latest if _was_useless(line)]
            return self._reason(useless, "gave no usable answer", f"--stop-at-invalid {settings.stop_at_invalid:.0%}")
        return None

    def _count(self, line: LedgerLine, change: int) -> None:
        if line.status == FAILED:
            self._failed += change
        if _was_useless(line):
            self._useless += change

    def _reason(self, bad: list[LedgerLine], what: str, option: str) -> RunStopped:
        return RunStopped(
            f"{len(bad)} of the last {len(self._latest)} rows {what} ({option}): {_commonest(bad)}",
            hint="fix the cause, then run the same command again: finished rows are kept",
        )


def _was_useless(line: LedgerLine) -> bool:
    """Whether the row had an unusable answer. One cut off at first and complete with a higher limit does not count."""
    mended = {"truncated"} if line.status != FAILED else set[str]()
    return line.parse in USELESS or any(retry.error in USELESS - mended for retry in line.retries)


def _commonest(lines: list[LedgerLine]) -> str:
    """The three most common errors, each with its count and an example."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for line in lines:
        kind = line.error.kind if line.error else next(r.error for r in line.retries if r.error in USELESS)
        counts[kind] += 1
        if line.error is not None:
            examples.setdefault(kind, f"row {line.row}: {line.error.message[:_LONGEST_EXAMPLE]}")
    errors = [
        f"{kind} {count}" + (f" ({examples[kind]})" if kind in examples else "")
        for kind, count in counts.most_common(_MOST_ERRORS)
    ]
    return "; ".join(errors)
