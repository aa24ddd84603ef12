"""A comparison for people: the arms in a table, then how the others differ from the first."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from llmbatch.analysis.comparison import ArmFigures, Compared, Comparison, Versus
from llmbatch.analysis.metrics import Proportion
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.terminal.figures import dollars, duration
from llmbatch.terminal.tables import Column, fitted, print_stripped, section

_LONGEST_NAME = 200


def render_comparison(compared: Compared, console: Console) -> None:
    """Print a comparison."""
    print_stripped(console, _sections(compared, console.width))


def _sections(compared: Compared, width: int) -> Iterator[RenderableType]:
    comparison = compared.comparison
    yield Text()
    sample = f"{counted(compared.rows, 'row')} drawn from {compared.candidates:,}"
    yield Text.assemble(("Compared", "bold green"), f"  {neutral(str(compared.folder))}", (f"  {sample}", "dim"))
    yield section(None, *_arms(comparison, width))
    for versus in comparison.versus:
        first = neutral(comparison.arms[0].name, limit=_LONGEST_NAME)
        title = f"{neutral(versus.name, limit=_LONGEST_NAME)} against {first}"
        yield section(title, *_versus(versus, comparison))
    if compared.notes:
        yield section("Notes", *(Text(neutral(f"{note}.", limit=600), style="yellow") for note in compared.notes))
    differing = f"{counted(compared.differing, 'row')} with different answers  "
    yield section(None, Text.assemble((differing, "bold"), neutral(str(compared.differences))))


def _arms(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    arms = comparison.arms
    figures = [
        Column("labelled", [Text(_share(arm.labelled)) for arm in arms]),
        Column("invalid", [Text(_share(arm.invalid)) for arm in arms], rank=3),
        Column("confidence", [Text(_confidence(arm)) for arm in arms], rank=4),
        Column("per 1,000", [Text(_per_thousand(arm)) for arm in arms]),
        Column("latency", [Text("-" if arm.latency_s is None else duration(arm.latency_s)) for arm in arms], rank=2),
    ]
    if any(arm.accuracy is not None for arm in arms):
        interval = Column("95% interval", [Text(_interval(arm.accuracy)) for arm in arms], rank=5)
        figures = [Column("accuracy", [Text(_share(arm.accuracy)) for arm in arms]), interval, *figures]
    names = Column("arm", [Text(neutral(arm.name, limit=_LONGEST_NAME)) for arm in arms])
    table, left_out = fitted(names, figures, width)
    yield table
    if left_out:
        yield Text(f"not shown at this width: {', '.join(left_out)}; --json has all", style="dim")


def _confidence(arm: ArmFigures) -> str:
    return "-" if arm.mean_confidence is None else f"{arm.mean_confidence:.2f}"


def _per_thousand(arm: ArmFigures) -> str:
    return "unknown" if arm.cost_nanousd is None else dollars(arm.cost_nanousd * 1000)


def _versus(versus: Versus, comparison: Comparison) -> Iterator[RenderableType]:
    kappa = "" if versus.kappa is None else f", kappa {versus.kappa:.3f}"
    agreed = f"{_share(versus.agreement)} ({_interval(versus.agreement)}){kappa}"
    yield Text.assemble(
        "agree on ", (agreed, "bold"), f" of {counted(versus.agreement.total, 'distinct text')} that both labelled"
    )
    ratios = [
        f"{ratio:.2f} times the {what}"
        for ratio, what in ((versus.cost_ratio, "cost"), (versus.latency_ratio, "latency"))
        if ratio is not None
    ]
    if ratios:
        yield Text(", ".join(ratios))
    yield from _verdict(versus, comparison)


def _verdict(versus: Versus, comparison: Comparison) -> Iterator[Text]:
    test, difference = versus.mcnemar, versus.difference
    wanted = ", ".join(f"{texts:,} for {points} points" for points, texts in versus.rows_to_tell_by_points.items())
    wanted = f"Distinct texts with gold needed to detect a difference in accuracy with 80% power: {wanted}."
    if test is None or difference is None:
        yield Text("Which is right is not known without gold.", style="yellow")
        yield Text(wanted, style="yellow")
        return
    yield Text(
        f"accuracy {100 * difference.value:+.1f} points (95%: {100 * difference.low:+.1f} to "
        f"{100 * difference.high:+.1f}) on {counted(difference.texts, 'distinct text')} with gold"
    )
    alone = f"right alone: {test.other_alone_right:,}, the first {test.first_alone_right:,}"
    yield Text(f"{alone}; p = {test.p_adjusted:.3g} ({_tested(comparison)})")
    if versus.is_shown:
        better = "more" if test.other_alone_right > test.first_alone_right else "less"
        yield Text(f"It is {better} often right: chance hardly explains that.", style="bold green")
        return
    yield Text("No difference is shown.", style="yellow")
    yield Text(wanted, style="yellow")


def _tested(comparison: Comparison) -> str:
    """How the p-value was computed."""
    looks = "McNemar's exact test"
    if comparison.looks > 1:
        looks = f"McNemar, look {comparison.looks} at these arms: a sequential test, since an ordinary p would not hold"
    arms = len(comparison.versus)
    return looks if arms == 1 else f"{looks}; Holm, {counted(arms, 'comparison')}"


def _share(proportion: Proportion | None) -> str:
    return "-" if proportion is None or proportion.value is None else percent(proportion.value, 1)


def _interval(proportion: Proportion | None) -> str:
    if proportion is None or proportion.low is None or proportion.high is None:
        return "-"
    return f"{100 * proportion.low:.1f}% to {100 * proportion.high:.1f}%"
