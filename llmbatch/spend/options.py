"""The user's spending options, validated."""

from dataclasses import dataclass

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.money import to_nanousd
from llmbatch.spend.alerts import parse_percents
from llmbatch.spend.book import OpenSpendBook


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """Limits in nano-dollars, None for none; when to warn, and where spending is recorded."""

    max_cost_nanousd: int | None = None
    """Of the run, in all its sessions."""
    daily_budget_nanousd: int | None = None
    """Of a UTC day, over all runs that share the store."""
    alert_at: tuple[float, ...] = ()
    """When to warn, in percent of either limit."""
    alert_command: str | None = None
    store: OpenSpendBook | None = None
    """Where spending is recorded; None to record nothing."""
    of_run: OpenSpendBook | None = None
    """Where several processes that label one run share `max_cost_nanousd`; None for a single process."""

    @property
    def limits(self) -> list[str]:
        """The options of the limits that are set."""
        set_to = {"--max-cost": self.max_cost_nanousd, "--daily-budget": self.daily_budget_nanousd}
        return [option for option, nanousd in set_to.items() if nanousd is not None]


def budget_options(
    *,
    max_cost_usd: float | None = None,
    daily_budget_usd: float | None = None,
    alert_at: str = defaults.ALERT_AT,
    alert_command: str | None = None,
    store: OpenSpendBook | None = None,
) -> BudgetOptions:
    """Parse the user's options; without a store, nothing is recorded.

    Raises:
        UsageError: one cannot be read, or a daily budget has no store.
    """
    if store is None and daily_budget_usd is not None:
        raise UsageError(
            "--daily-budget needs a spend store, and --spend-store is off",
            hint="the budget is shared through it: set one, or omit --spend-store",
        )
    return BudgetOptions(
        max_cost_nanousd=None if max_cost_usd is None else to_nanousd(max_cost_usd),
        daily_budget_nanousd=None if daily_budget_usd is None else to_nanousd(daily_budget_usd),
        alert_at=parse_percents(alert_at),
        alert_command=alert_command,
        store=store,
    )
