"""Canary, escalation, jury and drift, for people."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.observe.summary import CanaryReport, DriftReport, EscalationReport, ExperimentReport, JuryReport
from llmbatch.stats.profile import Profile
from llmbatch.stats.shifts import Shift
from llmbatch.terminal.figures import dollars, duration


def render_canary(report: CanaryReport, console: Console) -> None:
    """Print a canary's report."""
    console.print(canary_section(report))


def experiment_sections(experiments: ExperimentReport) -> Iterator[RenderableType]:
    """The parts of a summary about experiments; none if there was no experiment."""
    if experiments.canary is not None:
        yield canary_section(experiments.canary)
    if experiments.escalation is not None:
        yield _escalation_line(experiments.escalation)
    if experiments.jury is not None:
        yield _jury_line(experiments.jury)
    if experiments.drift is not None:
        yield drift_section(experiments.drift)


def canary_section(report: CanaryReport) -> RenderableType:
    """Both arms side by side, and how it ended."""
    state = Text("on trial", style="green")
    if report.dropped is not None:
        state = Text.assemble(("dropped", "bold red"), f": {neutral(report.dropped, limit=300)}")
    asked = f"  {neutral(report.model)}, prompt {report.prompt}, {report.share:.0%} of the rows: "
    head = Text.assemble(("canary", "bold"), asked, state)
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right"):
        table.add_column(justify=justify)
    table.add_row("", Text("control", style="bold"), Text("canary", style="bold"))
    for name, control, canary in _arm_rows(report.control, report.canary):
        table.add_row(name, control, canary)
    compared = Text(f"compared over {_compared(report)}, each by its first outcome", style="dim")
    shifts = _shift_table(report.shifts, "control", "canary")
    return Padding(Group(head, table, compared, shifts), (1, 0, 0, 2))


def _compared(report: CanaryReport) -> str:
    """The rows on which both arms were compared; fewer than all if the share has changed."""
    asked = report.control.rows + report.canary.rows
    if report.compared_rows == asked:
        return counted(asked, "row")
    return f"the {counted(report.compared_rows, 'row')} of the longest time with one share"


def drift_section(report: DriftReport) -> RenderableType:
    """What has shifted, with significant figures marked."""
    found = counted(len(report.significant), "figure")
    verdict = (
        Text(f"{found} shifted significantly", style="bold red")
        if report.significant
        else Text("no figure shifted significantly", style="green")
    )
    head = Text.assemble(("drift", "bold"), f"  since {neutral(report.against)}: ", verdict)
    rows = f"{report.rows_before:,} and {counted(report.rows, 'row')} sent, each by its first outcome; exact tests"
    return Padding(Group(head, Text(rows, style="dim"), _shift_table(report.shifts, "before", "now")), (1, 0, 0, 2))


def _arm_rows(control: Profile, canary: Profile) -> Iterator[tuple[str, str, str]]:
    arms = (control, canary)
    yield "rows", f"{control.rows:,}", f"{canary.rows:,}"
    if any(arm.latency_s.count for arm in arms):  # rows of batches have none
        yield "latency", *(duration(arm.latency_s.value) if arm.latency_s.count else "-" for arm in arms)  # type: ignore[misc]
    costs = [None if arm.cost_per_row_nanousd is None else round(arm.cost_per_row_nanousd * 1000) for arm in arms]
    yield "cost of 1,000 rows", dollars(costs[0]), dollars(costs[1])


def _shift_table(shifts: tuple[Shift, ...], before: str, after: str) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    table.add_column(justify="right", overflow="fold")
    table.add_column()
    table.add_row("", Text(before, style="bold"), Text(after, style="bold"), "")
    for shift in shifts:
        style = "bold red" if shift.is_significant else ""
        chance = "" if shift.p is None else f"p {shift.p:.2g}"
        mark = "shifted" if shift.is_significant else ""
        table.add_row(
            shift.figure,
            Text(neutral(shift.before)),
            Text(neutral(shift.after), style=style),
            Text(" ".join(part for part in (mark, chance) if part), style=style or "dim"),
        )
    return table


def _escalation_line(report: EscalationReport) -> RenderableType:
    rows = counted(report.rows, "doubtful row")
    settled = f"{report.settled:,} of {rows} settled ({percent(report.settled, report.rows)})"
    saved = ""
    if report.saved_nanousd is not None and report.saved_nanousd > 0:
        saved = f", {dollars(report.saved_nanousd)} less than sending it every row"
    outcome = f"  to {neutral(report.model)}: {settled} for {dollars(report.cost_nanousd)}{saved}"
    return Padding(Text.assemble(("escalated", "bold"), outcome), (1, 0, 0, 2))


def _jury_line(report: JuryReport) -> RenderableType:
    rows = counted(report.rows, "doubtful row")
    settled = f"{report.settled:,} of {rows} settled ({percent(report.settled, report.rows)})"
    times = {neutral(model): report.models.count(model) for model in report.models}
    voters = ", ".join(model if count == 1 else f"{model} {count} times more" for model, count in times.items())
    outcome = f"  {voters}: {settled}, {counted(report.changed, 'label')} changed, for {dollars(report.cost_nanousd)}"
    return Padding(Text.assemble(("jury", "bold"), outcome), (1, 0, 0, 2))
