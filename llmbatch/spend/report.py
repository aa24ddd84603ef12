"""What was spent, in groups, beside what the period before had: where a rise comes from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.money import to_usd
from llmbatch.spend.figures import Figures

DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Period:
    """Whole UTC days, both ends included."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.until - self.since).days + 1

    @property
    def before(self) -> "Period":
        """The days right before, as many."""
        return Period(self.since - timedelta(days=self.days), self.since - timedelta(days=1))

    def holds(self, day: str) -> bool:
        """Whether a day, as `2026-11-25`, is in it."""
        return self.since.isoformat() <= day <= self.until.isoformat()


def period(since: date | None, until: date | None, *, today: date) -> Period:
    """The days that are meant: up to today, and thirty of them, where nothing else is said.

    Raises:
        UsageError: it would end before it begins.
    """
    until = until or max(today, since or today)
    since = since or until - timedelta(days=DEFAULT_DAYS - 1)
    if since > until:
        raise UsageError(f"--since {since} is after --until {until}")
    return Period(since, until)


@dataclass(frozen=True, slots=True)
class Group:
    """One line of a report: a name, its figures, and those of the period before."""

    name: str
    now: Figures
    before: Figures | None = None
    """None where there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Report:
    """Spending in groups; the dearest first, days in their order."""

    by: str
    groups: tuple[Group, ...]
    total: Group
    period: Period | None = None
    """None for one run as a whole."""
    offline: bool = False
    notes: tuple[str, ...] = ()
    """What is not in it, or not as sure as it looks, each in a sentence."""


def grouped(by: str, now: Mapping[str, Figures], before: Mapping[str, Figures] | None = None) -> tuple[Group, ...]:
    """Groups in their order. One that only the period before had stands there, too, with nothing now."""
    if by == "day":
        return tuple(Group(day, now[day]) for day in sorted(now))
    nothing = Figures()
    groups = [
        Group(name, now.get(name, nothing), None if before is None else before.get(name, nothing))
        for name in {*now, *(before or ())}
    ]
    return tuple(sorted(groups, key=lambda group: (-_cost(group.now), -_cost(group.before or nothing), group.name)))


def total_of(now: Mapping[str, Figures], before: Mapping[str, Figures] | None = None) -> Group:
    """All groups as one."""
    return Group("total", sum(now.values(), Figures()), None if before is None else sum(before.values(), Figures()))


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
    data = figures_json(group.now)
    return data if group.before is None else data | {"before": figures_json(group.before)}


def figures_json(figures: Figures) -> dict[str, Any]:
    """Sums as JSON: the fields' own names, money in US dollars."""
    data = asdict(figures)
    del data["cache_unreported_tokens"]
    if figures.input_tokens and not figures.is_cache_reported:
        data |= {"cached_input_tokens": None, "cache_write_tokens": None}
    if not figures.is_usage_reported:
        data |= dict.fromkeys(name for name in data if name.endswith("_tokens"))
    cost, possibly = data.pop("cost_nusd"), data.pop("possibly_billed_nusd")
    return data | {"cost_usd": to_usd(cost), "possibly_billed_usd": to_usd(possibly)}


def _cost(figures: Figures) -> int:
    return figures.cost_nusd + figures.possibly_billed_nusd
