"""A run folder as a page: its ledger and its input, read once each, in figures and in rows to look at."""

from pathlib import Path
from typing import TYPE_CHECKING

from llmbatch.core.rows import Rejection
from llmbatch.report import Attention, Correctness, Page, Story, write_page
from llmbatch.runs.folder import RunFolder, load_record, now_text
from llmbatch.runs.outputs.outcome import Outcome
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.standing import show_run

if TYPE_CHECKING:
    from llmbatch.analysis.gold import GoldOptions

_WANTED_PRECISION = 0.98


def report_run(
    path: Path, out: Path | None = None, *, gold: "GoldOptions | None" = None, trust: Trust = NO_TRUST
) -> Path:
    """Write a run folder's page, also while another process works on it.

    Args:
        path: the run folder.
        out: the file to write; `report.html` in the folder by default.
        gold: where right labels are, if they are known.
        trust: what the user says about the folder.

    Returns:
        The file that was written. Where the input is gone, rows are not looked at, and the page says so.

    Raises:
        UsageError: no run folder, its ledger is damaged, no gold row fits it, or the file cannot be written.
    """
    record = load_record(RunFolder(path))
    story, attention = Story(record.review_below, record.task.label_space.parts_of), Attention()

    def look_at(item: Outcome | Rejection) -> None:
        if isinstance(item, Rejection):
            attention.reject(item)
        else:
            story.add_row(item)
            attention.look_at(item)

    summary = show_run(path, trust=trust, on_line=story.add_line, on_outcome=look_at)
    page = Page(summary, story, attention, record.run_id, now_text(), _correctness(path, gold, trust))
    target = out or path / "report.html"
    write_page(target, page)
    return target


def _correctness(path: Path, gold: "GoldOptions | None", trust: Trust) -> Correctness | None:
    if gold is None:
        return None
    from llmbatch.analysis.run_evaluation import evaluate_run  # noqa: PLC0415 - an extra
    from llmbatch.report.correctness import correctness  # noqa: PLC0415

    return correctness(evaluate_run(path, gold, wanted=_WANTED_PRECISION, trust=trust))
