"""What may be spent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmbatch.core.prices import Price
    from llmbatch.estimate.result import ModelEstimate
    from llmbatch.spend.options import BudgetOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyOptions(OptionGroup):
    """Prices, limits and alerts."""

    panel: ClassVar[str] = "Money"

    price: Annotated[
        str | None,
        Option(
            "USD per million tokens, for models whose price is not known.",
            metavar="IN,CACHED,OUT[,WRITE]",
            is_sensitive=True,
        ),
    ] = None
    max_cost: Annotated[
        float | None,
        Option(
            "Maximum cost of the run, earlier sessions included: a hard limit, exit code 5.",
            brief="Maximum cost of the run: a hard limit.",
            metavar="USD",
            min=0,
            max=bounds.MOST_USD,
        ),
    ] = None
    daily_budget: Annotated[
        float | None,
        Option(
            "Maximum cost of all runs of a day (UTC) together: a hard limit, exit code 5.",
            brief="Maximum cost of all runs of a day together.",
            metavar="USD",
            min=0,
            max=bounds.MOST_USD,
        ),
    ] = None
    alert_at: Annotated[str, Option("Share of either limit at which to warn.", metavar="P%,...")] = defaults.ALERT_AT
    alert_command: Annotated[
        str | None,
        Option(
            "Shell command to run then, with the figures in LLMBATCH_ALERT_... variables.",
            metavar="CMD",
            is_sensitive=True,
        ),
    ] = None
    spend_store: Annotated[
        str | None,
        Option(
            "Where spending is recorded and daily budgets are shared.",
            metavar="FILE|postgresql://...|off",
            shown_default="the user's",
            is_sensitive=True,
            is_path=True,
        ),
    ] = None

    def to_price(self) -> "Price | None":
        """The price that the user states.

        Raises:
            UsageError: it cannot be parsed.
        """
        from llmbatch.core.prices import parse_price

        return None if self.price is None else parse_price(self.price)

    def to_budget(self) -> "BudgetOptions":
        """The limits in the form that the engine takes.

        Raises:
            UsageError: one cannot be parsed, or a daily budget has no store.
        """
        from llmbatch.runs.spend_stores import parse_spend_store
        from llmbatch.spend.options import budget_options

        return budget_options(
            max_cost_usd=self.max_cost,
            daily_budget_usd=self.daily_budget,
            alert_at=self.alert_at,
            alert_command=self.alert_command,
            store=parse_spend_store(self.spend_store),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationOptions(OptionGroup):
    """Whether to ask for confirmation before a run that may be expensive."""

    panel: ClassVar[str] = "Sending"

    confirm_above: Annotated[
        float | None,
        Option(
            "Ask for confirmation if the estimate is higher; if there is no terminal, stop with exit code 5.",
            metavar="USD",
            min=0,
            max=bounds.MOST_USD,
        ),
    ] = None
    yes: Annotated[
        bool,
        Option("Continue without confirmation.", brief=True, short="-y", is_sensitive=True),
    ] = False

    def ask(self, dear: "Callable[[int], ModelEstimate | None]") -> None:
        """Ask, if the user wants it and the run may cost that much.

        Args:
            dear: returns the estimate if it is above an amount in nano-dollars, else None.

        Raises:
            BudgetReached: the answer was no, or there is no terminal to ask on.
        """
        if self.confirm_above is not None and not self.yes:
            from llmbatch.cli.confirm import confirm

            confirm(dear, self.confirm_above)
