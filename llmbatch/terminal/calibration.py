"""A fitted calibration as a person reads it: what it does to confidences, and how much better they are for it."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from llmbatch.analysis.fit import FOLDS, Calibrated, Fit, HeldOut
from llmbatch.core.plurals import counted
from llmbatch.core.rows import ConfidenceKind
from llmbatch.core.sanitize import neutral
from llmbatch.terminal.tables import columns, print_stripped, section

_KINDS = {
    ConfidenceKind.reported: "stated by the model",
    ConfidenceKind.logprobs: "its label tokens' log-probabilities",
}


def render_calibration(calibrated: Calibrated, console: Console) -> None:
    """Print what came of a calibration."""
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
    rows = f"{counted(fit.rows, 'row')} with gold, {counted(fit.texts, 'distinct text')}, {fit.wrong:,} of them wrong"
    yield Text(f"  confidence by {_KINDS[calibrated.kind]}; {rows}", style="dim")
    yield section(f"On held-out texts ({FOLDS}-fold)", _compared(fit))
    yield section(None, *_outcome(calibrated))
    if calibrated.notes:
        yield section("Notes", *(Text(neutral(f"{note}.", limit=600), style="yellow") for note in calibrated.notes))


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
    if calibrated.file is None:
        yield Text(neutral(f"Nothing was stored: {calibrated.remark}.", limit=600), style="yellow")
        return
    yield Text.assemble(("stored  ", "bold"), neutral(str(calibrated.file)))
    yield Text("Run the classify command again: it sends nothing, and sorts the rows by calibrated confidence.")
