"""`--confirm-above`: a run that may cost more than that is not begun without somebody's word."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmbatch.estimate.arms import ArmEstimate
    from llmbatch.estimate.result import ModelEstimate


def _high(arm: "ArmEstimate") -> int:
    return 0 if arm.cost is None else arm.cost.high


def confirm(dear: "Callable[[int], ModelEstimate | None]", above_usd: float) -> None:
    """Ask on a terminal whether to begin a run whose estimate is above the limit.

    Args:
        dear: gives the estimate where it is above an amount, nano-dollars.
        above_usd: the limit.

    Raises:
        BudgetReached: the answer was no, or there is no terminal to ask on.
    """
    from llmbatch.core.errors import BudgetReached
    from llmbatch.core.money import to_nanousd
    from llmbatch.core.plurals import counted
    from llmbatch.terminal.figures import dollars

    estimate = dear(to_nanousd(above_usd))
    if estimate is None or estimate.cost is None:
        return
    cost = estimate.cost
    most = (
        f"{counted(estimate.rows.to_ask, 'row')} to send may cost up to {dollars(cost.high)} "
        f"({dollars(cost.expected)} expected), more than --confirm-above ${above_usd:g}"
    )
    if len(estimate.arms) > 1:
        most += " (" + ", ".join(f"{arm.arm} {arm.model} up to {dollars(_high(arm))}" for arm in estimate.arms) + ")"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BudgetReached(f"{most}; nothing was sent", hint="use --yes to continue, or llmbatch estimate for details")
    try:
        agreed = typer.confirm(f"{most}. Go on?", err=True)
    except typer.Abort:  # the end of the input, in place of an answer
        agreed = False
    if not agreed:
        raise BudgetReached("not started; nothing was sent")
