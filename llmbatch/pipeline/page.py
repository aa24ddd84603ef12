"""A run folder as a page: its ledger and its input, read once each, in figures and in rows to look at."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmbatch.decisions import DecisionLog
from llmbatch.errors import UsageError
from llmbatch.ledger.log import Ledger
from llmbatch.pipeline.folder import RunFolder, RunRecord, load_record, now_text
from llmbatch.pipeline.input import RunInput
from llmbatch.pipeline.run import recorded_plan, show_run
from llmbatch.report import Attention, Correctness, Page, Story, write_page
from llmbatch.rows import Rejection
from llmbatch.views import ViewOptions
from llmbatch.views.make import outcomes

if TYPE_CHECKING:
    from llmbatch.evaluate.gold import GoldOptions

_WANTED_PRECISION = 0.98


def report_run(path: Path, out: Path | None = None, *, gold: "GoldOptions | None" = None) -> Path:
    """Write a run folder's page, also while another process works on it.

    Args:
        path: the run folder.
        out: the file to write; `report.html` in the folder by default.
        gold: where right labels are, if they are known.

    Returns:
        The file that was written. Where the input is gone, rows are not looked at, and the page says so.

    Raises:
        UsageError: no run folder, its ledger is damaged, no gold row fits it, or the file cannot be written.
    """
    folder = RunFolder(path)
    record = load_record(folder)
    summary = show_run(path)
    story, attention = Story(record.review_below), Attention()
    try:
        _gather(folder, record, story, attention)
    except UsageError as error:
        summary = replace(summary, notes=(*summary.notes, f"No row could be looked at: {error.message}."))
    page = Page(summary, story, attention, record.run_id, now_text(), _correctness(path, gold))
    target = out or path / "report.html"
    write_page(target, page)
    return target


def _gather(folder: RunFolder, record: RunRecord, story: Story, attention: Attention) -> None:
    with (
        closing(
            Ledger.open_to_read(folder.ledger, on_line=lambda _, line: story.add_line(line), reread=record.reread)
        ) as ledger,
        closing(DecisionLog(folder.decisions)) as decisions,
    ):
        source = RunInput.again(record.inputs, record.reader, folder)
        options, key = ViewOptions(record.review_below, keep=()), recorded_plan(record).key
        for item, _ in outcomes(source.read_again, key=key, ledger=ledger, decisions=decisions, options=options):
            if isinstance(item, Rejection):
                attention.reject(item)
            else:
                story.add_row(item)
                attention.look_at(item)


def _correctness(path: Path, gold: "GoldOptions | None") -> Correctness | None:
    if gold is None:
        return None
    from llmbatch.pipeline.evaluation import evaluate_run  # noqa: PLC0415 - an extra
    from llmbatch.report.correctness import correctness  # noqa: PLC0415

    return correctness(evaluate_run(path, gold, wanted=_WANTED_PRECISION))
