"""What gold labels add to a run's report page."""

from pathlib import Path

from llmbatch.analysis.gold import GoldOptions
from llmbatch.report.from_run import report_run
from tests.analysis.conftest import Classify, rows_of, write_jsonl


def test_a_page_shows_accuracy_and_confused_labels(classify: Classify, tmp_path: Path) -> None:
    rows = rows_of("ag_news")[:30]
    classify(rows, "ag_news")
    gold = write_jsonl(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    page = report_run(tmp_path / "run", gold=GoldOptions(str(gold))).read_text()
    assert "right labels" in page
    assert "30 gold rows" in page
    assert "<h3>Calibration</h3>" in page
    assert page.count('class="mark"') > 1
    assert "right label → answer given" in page
    assert '<table class="heat">' in page
