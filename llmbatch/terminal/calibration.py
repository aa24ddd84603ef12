"""A fitted calibration for people: how it changes confidences, and how much it improves them."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from llmbatch.analysis.fit import FOLDS, Calibrated, Fit, HeldOut, VotesFit
from llmbatch.analysis.label_thresholds import LabelTable
from llmbatch.core.plurals import counted
from llmbatch.core.rows import ConfidenceKind
from llmbatch.core.sanitize import neutral
from llmbatch.terminal.tables import columns, print_stripped, section

_MOST_LABELS, _NAME_WIDTH = 30, 32
_KINDS = {
    ConfidenceKind.reported: "stated by the model",
    ConfidenceKind.logprobs: "its label tokens' log-probabilities",
}


def render_calibration(calibrated: Calibrated, console: Console) -> None:
    """Print the outcome of a calibration."""
    print_stripped(console, _sections(calibrated))


def _sections(calibrated: Calibrated) -> Iterator[RenderableType]:
    fit = calibrated.fit
    yield Text()
    yield Text.assemble(
        ("Calibrated", "bold green") if calibrated.file else ("Not calibrated", "bold yellow"),
        f"  {neutral(calibrated.folder)}",
        (f"  by {neutral(calibrated.gold_file)}", "dim"),
    )
    endpoint = "the offline endpoint as " if calibrated.offline else ""
    yield Text(f"  {neutral(calibrated.task)}, {endpoint}{neutral(calibrated.model)}", style="dim")
    yield Text(f"  confidence by {_KINDS[calibrated.kind]}{_rows(fit)}", style="dim")
    if fit is not None:
        yield section(f"On held-out texts ({FOLDS}-fold)", _compared(fit))
    if calibrated.votes is not None:
        yield section("Verdicts of the jury, on held-out texts", *_votes(calibrated.votes))
    if calibrated.thresholds is not None:
        yield section("Review thresholds of labels", *_thresholds(calibrated.thresholds))
    yield section(None, *_outcome(calibrated))
    if calibrated.notes:
        yield section("Notes", *(Text(neutral(f"{note}.", limit=600), style="yellow") for note in calibrated.notes))


def _votes(found: VotesFit) -> Iterator[RenderableType]:
    yield Text(neutral(f"{found.voters}: {counted(found.rows, 'verdict')} with gold", limit=300), style="dim")
    if found.fit is not None:
        yield _compared(found.fit)
    if found.remark is not None:
        yield Text(neutral(f"None was stored: {found.remark}.", limit=600), style="yellow")


def _rows(fit: Fit | None) -> str:
    if fit is None:
        return ""
    return f"; {counted(fit.rows, 'row')} with gold, {counted(fit.texts, 'distinct text')}, {fit.wrong:,} of them wrong"


def _thresholds(found: LabelTable) -> Iterator[RenderableType]:
    table = columns("label", "threshold", "at least", "pass", "right", "given", first_width=_NAME_WIDTH)
    shown = [one for one in found.labels if one.threshold is not None]
    for one in (*(shown or found.labels)[:_MOST_LABELS], *([found.others] if found.others is not None else [])):
        name = "all other labels" if one.label is None else neutral(one.label, limit=_NAME_WIDTH)
        sure = ("-", "-") if one.threshold is None else (f"{one.threshold:g}", f"{one.at_least:.1%}")
        style = "dim" if one.threshold is None else "bold green"
        table.add_row(name, Text(sure[0], style=style), sure[1], f"{one.passed:,}", f"{one.right:,}", f"{one.given:,}")
    yield table
    heading = f"{len(shown)} of {counted(len(found.labels), 'label')} have a threshold that shows {found.wanted:.0%}"
    rest = len(shown or found.labels) - _MOST_LABELS
    yield Text(f"{heading}{f'; {rest:,} more in --json' if rest > 0 else ''}", style="dim")


def _compared(fit: Fit) -> RenderableType:
    table = columns("confidence", "log loss", "gain", "Brier", "ECE", first_width=16)
    for name, held_out in {"as given": fit.raw, **fit.held_out}.items():
        style = "bold green" if name == fit.chosen else ""
        gain = "" if held_out is fit.raw else f"{held_out.gain:+.4f} ±{held_out.gain_error:.4f}"
        table.add_row(Text(name, style=style), *(Text(figure, style=style) for figure in _figures(held_out, gain)))
    return table


def _figures(held_out: HeldOut, gain: str) -> tuple[str, str, str, str]:
    calibration = held_out.reliability
    return f"{held_out.log_loss:.4f}", gain, f"{calibration.brier:.4f}", f"{calibration.ece:.4f}"


def _outcome(calibrated: Calibrated) -> Iterator[RenderableType]:
    if calibrated.remark is not None:
        what = "Nothing" if calibrated.file is None else "No calibration"
        yield Text(neutral(f"{what} was stored: {calibrated.remark}.", limit=600), style="yellow")
    if calibrated.file is None:
        return
    yield Text.assemble(("stored  ", "bold"), neutral(str(calibrated.file)))
    sent = "nothing" if calibrated.votes is None else "only what is newly in doubt, to the jury"
    yield Text(f"Run the classify command again: it sends {sent}, and sorts the rows again.")
