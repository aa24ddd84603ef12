"""Confirmations: before a run that may cost more than `--confirm-above`, and before a batch of a few rows."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmbatch.estimate.arms import ArmEstimate
    from llmbatch.estimate.result import ModelEstimate
    from llmbatch.runs.options import RunOptions


def _high(arm: "ArmEstimate") -> int:
    return 0 if arm.cost is None else arm.cost.high


def confirm(dear: "Callable[[int], ModelEstimate | None]", above_usd: float) -> None:
    """Ask on a terminal whether to begin a run whose estimate is above the limit.

    Args:
        dear: returns the estimate if it is above an amount in nano-dollars, else None.
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
    if not _is_on_terminal():
        raise BudgetReached(f"{most}; nothing was sent", hint="use --yes to continue, or llmbatch estimate for details")
    _ask(f"{most}. Continue?")


def confirm_batch_of_few(run: "RunOptions") -> None:
    """Ask on a terminal whether to put only a few rows into a batch. Without a terminal, the session only reports it.

    Args:
        run: the options of the run.

    Raises:
        BudgetReached: the answer was no.
        UsageError: the input, the task or an option cannot be used.
    """
    from llmbatch.core.plurals import counted
    from llmbatch.estimate.estimate import EstimateOptions, estimate_run
    from llmbatch.runs.batches.log import parts_of
    from llmbatch.runs.batches.options import FEW
    from llmbatch.runs.folder import RunFolder

    batch = run.batch
    if batch is None or batch.at_any_price or batch.export is not None or batch.imports or not _is_on_terminal():
        return
    folder = RunFolder.for_inputs(run.inputs, run.out, offline=run.sending.offline)
    if parts_of(folder) or not all(_is_small(Path(name)) for name in run.inputs):
        return
    rows = estimate_run(EstimateOptions(run)).models[0].rows.to_ask
    if 0 < rows < FEW:
        faster = "single requests take a minute or two, and --service-tier flex is as cheap as a batch"
        _ask(f"{counted(rows, 'row')} to send: {faster}. Continue with --batch?")


_SMALL_BYTES = 1_000_000
"""Largest input that is read for this question, since larger ones usually have more than a few rows."""


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= _SMALL_BYTES


def _is_on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(question: str) -> None:
    from llmbatch.core.errors import BudgetReached

    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:  # the end of the input instead of an answer
        agreed = False
    if not agreed:
        raise BudgetReached("not started; nothing was sent")
