"""A run folder as a page: its ledger and its input, read once each, in figures and in rows to look at."""

from dataclasses import replace
from pathlib import Path

from llmbatch.errors import UsageError
from llmbatch.ledger.log import Ledger
from llmbatch.pipeline.folder import RunFolder, load_record, now_text
from llmbatch.pipeline.input import RunInput
from llmbatch.pipeline.run import recorded_plan, show_run
from llmbatch.report import Attention, Story, write_page
from llmbatch.rows import Rejection


def report_run(path: Path, out: Path | None = None) -> Path:
    """Write a run folder's page, also while another process works on it.

    Args:
        path: the run folder.
        out: the file to write; `report.html` in the folder by default.

    Returns:
        The file that was written. Where the input is gone, rows are not looked at, and the page says so.

    Raises:
        UsageError: no run folder, its ledger is damaged, or the file cannot be written.
    """
    folder = RunFolder(path)
    record = load_record(folder)
    summary = show_run(path)
    story, attention = Story(record.review_below), Attention(record.review_below)
    ledger = Ledger.open_to_read(folder.ledger, on_line=lambda _, line: story.add_line(line))
    key = recorded_plan(record).key
    try:
        for item in RunInput.again(record.inputs, record.reader, folder).read_again(lambda _: None):
            if isinstance(item, Rejection):
                attention.reject(item)
            elif (line := ledger.latest(key(item.text))) is not None:
                story.add_row(item.index, line)
                attention.look_at(item, line)
    except UsageError as error:
        summary = replace(summary, notes=(*summary.notes, f"No row could be looked at: {error.message}."))
    finally:
        ledger.close()
    target = out or path / "report.html"
    write_page(target, summary=summary, story=story, attention=attention, run_id=record.run_id, at=now_text())
    return target
