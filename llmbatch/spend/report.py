"""Spending in groups, compared with the previous period, to show where an increase comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.money import to_usd
from llmbatch.core.usage import UsageTotals

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC days, both ends included."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.until - self.since).days + 1

    @property
    def before(self) -> "Period":
        """The same number of days directly before."""
        return Period(self.since - timedelta(days=self.days), self.since - timedelta(days=1))

    def holds(self, day: str) -> bool:
        """Whether the period contains a day, given as `2026-11-25`."""
        return self.since.isoformat() <= day <= self.until.isoformat()


def period(since: date | None, until: date | None, *, today: date) -> Period:
    """The requested period; by default, thirty days up to today.

    Raises:
        UsageError: it ends before it begins.
    """
    until = until or max(today, since or today)
    since = since or until - timedelta(days=DEFAULT_DAYS - 1)
    if since > until:
        raise UsageError(f"--since {since} is after --until {until}")
    return Period(since, until)


@dataclass(frozen=True, slots=True)
class Group:
    """One line of a report: a name, its totals, and those of the period before."""

    name: str
    now: UsageTotals
    before: UsageTotals | None = None
    """None if there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Report:
    """Spending in groups; the most expensive first, days in order."""

    by: str
    groups: tuple[Group, ...]
    total: Group
    period: Period | None = None
    """None for one run as a whole."""
    offline: bool = False
    notes: tuple[str, ...] = ()
    """Caveats about missing or uncertain figures, one sentence each."""


def grouped(
    by: str, now: Mapping[str, UsageTotals], before: Mapping[str, UsageTotals] | None = None
) -> tuple[Group, ...]:
    """Groups in order, including those found only in the previous period, with zero now."""
    if by == "day":
        return tuple(Group(day, now[day]) for day in sorted(now))
    nothing = UsageTotals()
    groups = [
        Group(name, now.get(name, nothing), None if before is None else before.get(name, nothing))
        for name in {*now, *(before or ())}
    ]
    return tuple(
        sorted(groups, key=lambda group: (-group.now.most_nanousd, -(group.before or nothing).most_nanousd, group.name))
    )


def total_of(now: Mapping[str, UsageTotals], before: Mapping[str, UsageTotals] | None = None) -> Group:
    """All groups combined."""
    return Group(
        "total", sum(now.values(), UsageTotals()), None if before is None else sum(before.values(), UsageTotals())
    )


def report_json(report: Report) -> dict[str, Any]:
    """A report as `--json` prints it: stable names, money in US dollars."""
    span = report.period
    return {
        "by": report.by,
        "offline": report.offline,
        "since": span and span.since.isoformat(),
        "until": span and span.until.isoformat(),
        "compared_since": span and span.before.since.isoformat(),
        "compared_until": span and span.before.until.isoformat(),
        "groups": [{report.by: group.name, **_group_json(group)} for group in report.groups],
        "total": _group_json(report.total),
        "notes": list(report.notes),
    }


def _group_json(group: Group) -> dict[str, Any]:
    data = usage_json(group.now)
    return data if group.before is None else data | {"before": usage_json(group.before)}


def usage_json(usage: UsageTotals) -> dict[str, Any]:
    """Totals as JSON: stable names, money in US dollars; null for figures that no answer reported."""
    data: dict[str, Any] = dict(usage.stored())
    del data["cache_unreported_tokens"]
    if usage.cached_share is None:
        data |= {"cached_input_tokens": None, "cache_write_tokens": None}
    if not usage.is_usage_reported:
        data |= dict.fromkeys(name for name in data if name.endswith("_tokens"))
    cost, possibly = data.pop("cost_nusd"), data.pop("possibly_billed_nusd")
    return data | {"cost_usd": to_usd(cost), "possibly_billed_usd": to_usd(possibly)}
