"""Evaluating a run folder against gold labels, and how the evaluation is shown."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from llmbatch.analysis.evaluation import Evaluation, evaluation_json
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.plot import check_plot, save_plot
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import UsageError
from llmbatch.core.jsonlines import dump_line
from llmbatch.terminal.evaluation import render_evaluation
from tests.analysis.conftest import Classify, Served, classify_into, rows_of, write_jsonl
from tests.sealing import rewrite

ESCAPE = "\x1b]0;owned\x07\x1b[31m[red]$x_1$<script>"


def rendered(evaluation: Evaluation, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, markup=False, emoji=False, highlight=False, force_terminal=True, color_system=None
    )
    render_evaluation(evaluation, console)
    return stream.getvalue()


@pytest.fixture(scope="module")
def banking(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """An evaluation of rows with every oddity: escape codes, a repeated id, a failure, unknown gold."""
    folder = tmp_path_factory.mktemp("banking")
    rows = rows_of("banking77")[:60]
    rows[0] = {**rows[0], "text": f"{ESCAPE} Where is my PIN?", "gold": "get_physical_card"}
    rows.append({**rows[1], "text": "Another text under an id that was there."})
    classify_into(folder, served, rows, "banking77", review_below=0.4)
    fail_last_line(folder / "run" / "ledger.jsonl")
    gold: list[dict[str, Any]] = [{"id": row["id"], "label": row["gold"]} for row in rows[:50]]
    write_jsonl(folder / "gold.jsonl", [*gold, {"id": "nobody", "label": "age_limit"}, {"id": "x", "label": ESCAPE}])
    return evaluate_run(folder / "run", GoldOptions(str(folder / "gold.jsonl")), wanted=0.98)


def fail_last_line(ledger: Path) -> None:
    last = json.loads(ledger.read_text().splitlines()[-1])["row"]
    error = {"kind": "invalid", "code": None, "message": "no label"}
    failed = {"status": "failed", "category": None, "confidence": None, "error": error}
    rewrite(ledger, lambda line: line | failed if line["row"] == last else line)


def test_every_row_is_accounted_for(banking: Evaluation) -> None:
    assert (banking.subject.rows, banking.matched, banking.gold_rows) == (61, 51, 52)
    scores = banking.scores
    assert scores.coverage.total == 51
    assert scores.accuracy.total == scores.coverage.count
    assert sum(map(sum, scores.matrix)) == scores.accuracy.total
    assert sum(confusion.count for confusion in banking.confusions) == scores.accuracy.total - scores.accuracy.count
    notes = " ".join(banking.notes)
    assert "gold rows not in the run: 1 (first: 'nobody')" in notes
    assert "rows of the run that repeat an id and share its gold label: 1" in notes
    assert "gold rows with a label that is not in the task: 1" in notes


def test_untrusted_text_is_harmless_on_the_screen(banking: Evaluation) -> None:
    screen = rendered(banking)
    assert "\x1b" not in screen
    assert "\x07" not in screen
    assert "[red]" in screen, "markup is not interpreted"
    assert max(map(len, screen.splitlines())) <= 80


def test_an_evaluation_is_valid_json(banking: Evaluation) -> None:
    data = evaluation_json(banking)
    assert dump_line(data)
    assert data["confusion_matrix"]["labels"] == [label["label"] for label in data["labels"]]
    assert data["accuracy"]["total"] == banking.scores.accuracy.total
    assert [row["threshold"] for row in data["thresholds"]["rows"]] == sorted(
        row["threshold"] for row in data["thresholds"]["rows"]
    )


def test_the_plot_shows_labels_as_plain_text(banking: Evaluation, tmp_path: Path) -> None:
    scores = banking.scores
    hostile = replace(scores, labels=(replace(scores.labels[0], label=ESCAPE), *scores.labels[1:]))
    save_plot(replace(banking, scores=hostile), tmp_path / "plot.svg")
    picture = (tmp_path / "plot.svg").read_text()
    assert picture.count("<svg") == 1
    assert "<script" not in picture


@pytest.mark.parametrize("name", ["plot.gif", "nowhere/plot.png"])
def test_a_plot_that_cannot_be_saved_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--plot"):
        check_plot(tmp_path / name)


def test_gold_of_other_rows_is_refused(classify: Classify, tmp_path: Path) -> None:
    rows = rows_of("ag_news")[:5]
    classify(rows, "ag_news")
    write_jsonl(tmp_path / "gold.jsonl", [{"id": n, "label": "world"} for n in range(5)])
    with pytest.raises(UsageError, match="none of its rows is in the run"):
        evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.98)


def test_gold_for_easy_rows_only_is_noted(classify: Classify, tmp_path: Path) -> None:
    rows = rows_of("ag_news")[:150]
    classify(rows, "ag_news")
    results = (tmp_path / "run" / "results.jsonl").read_text().splitlines()
    confident = {row["id"] for row in map(json.loads, results) if row["confidence"] > 0.75}
    write_jsonl(tmp_path / "gold.jsonl", [{"id": r["id"], "label": r["gold"]} for r in rows if r["id"] in confident])
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert any("differ from the run's other rows" in note for note in evaluation.notes)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("gold_label", [None, "Sports"])
def test_the_smallest_runs_have_figures(classify: Classify, tmp_path: Path, rows: int, gold_label: str | None) -> None:
    texts = rows_of("ag_news")[:rows]
    classify(texts, "ag_news", review_below=0.0)
    write_jsonl(tmp_path / "gold.jsonl", [{"id": texts[0]["id"], "label": gold_label or texts[0]["gold"]}])
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert evaluation.scores.accuracy.total == 1
    assert rendered(evaluation)


def test_the_summary_comes_after_the_details(banking: Evaluation) -> None:
    lines = rendered(banking).splitlines()
    headline = next(number for number, line in enumerate(lines) if line.startswith("Evaluated"))
    assert len(lines) - headline < 20
    assert any(line.strip().startswith("accuracy") for line in lines[headline:])
    assert any(line.strip() == "Labels" for line in lines[:headline])
