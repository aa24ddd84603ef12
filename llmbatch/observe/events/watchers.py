"""Budgets, alerts, and a run's observers."""

from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.observe.events.event import Event, Level


class BudgetAlert(Event, frozen=True):
    """A share of a budget is spent, as `--alert-at` says."""

    name = "budget.alert"
    level = Level.WARNING
    budget: str
    """Its option: `--max-cost` or `--daily-budget`."""
    percent: float
    spent_nanousd: int
    """What is spent, and what may be."""
    cap_nanousd: int
    day: str | None
    """The UTC day, of a daily budget."""

    @property
    def message(self) -> str:
        """How far it is."""
        day = f" of {self.day} (UTC)" if self.day else ""
        return (
            f"{self.percent:g}% of {self.budget} ${to_usd(self.cap_nanousd):,.6g}{day} is used up: "
            f"${to_usd(self.spent_nanousd):,.6g} is spent or may be"
        )

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {
            "budget": self.budget,
            "percent": self.percent,
            "spent_usd": to_usd(self.spent_nanousd),
            "cap_usd": to_usd(self.cap_nanousd),
            "day": self.day,
        }


class AlertCommandFailed(Event, frozen=True):
    """`--alert-command` failed; the run continues."""

    name = "budget.alert_command_failed"
    level = Level.WARNING
    template = "--alert-command: {error}; the run continues"
    error: str


class SpendNotRecorded(Event, frozen=True):
    """The spend store cannot be written; without a daily budget the run continues."""

    name = "spend.not_recorded"
    level = Level.WARNING
    template = "{error}; llmbatch spend will not show this run's whole cost"
    error: str


class RateNotShared(Event, frozen=True):
    """The rate store cannot be used: the run keeps to the limits as if it were the only process."""

    name = "rate.not_shared"
    template = "{error}; other processes may make this one exceed the rate limit"
    error: str


class ObserverFailed(Event, frozen=True):
    """An observer of the run (a log file, an exporter) failed; the run itself did not."""

    name = "observer.failed"
    level = Level.WARNING
    template = "{observer}: {error}; the run continues without it"
    observer: str
    error: str


class ExportFailed(Event, frozen=True):
    """Telemetry cannot be sent; reported once."""

    name = "telemetry.export_failed"
    level = Level.WARNING
    template = "telemetry cannot be sent ({error}); the run continues"
    error: str
