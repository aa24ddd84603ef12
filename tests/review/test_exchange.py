"""Decisions in files: what an export contains, what an import accepts, and its effects."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.observe.observer import Observer
from llmbatch.review.export import export_gold, export_to_decide
from llmbatch.review.importing import Imported, import_decisions
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice
from llmbatch.review.settle import settle
from llmbatch.review.status import review_status
from llmbatch.runs.decisions import DecisionLog, mark_of
from llmbatch.runs.outputs import output_format
from llmbatch.session.standing import export_run, show_run
from tests.e2e.program import read_rows, views, write_rows
from tests.review.conftest import NOON, decide, rename_label, take

_DOUBTFUL = Choice()


def to_decide(run: Path, choice: Choice = _DOUBTFUL) -> list[dict[str, Any]]:
    file = io.BytesIO()
    with opened(run) as review:
        export_to_decide(review, choice, file, csv=False)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_an_export_has_the_review_rows_least_confident_first_each_text_once(run: Path) -> None:
    rows = to_decide(run)
    assert [row["id"] for row in rows] == ["d", "7", 7, "f", "c"]
    assert rows[-1]["reason"].startswith("failed: refusal: the model refused")
    assert {row["decision"] for row in rows} == {None}


def test_a_spreadsheet_executes_no_formula_and_its_decisions_are_imported(run: Path) -> None:
    file = io.BytesIO()
    with opened(run) as review:
        count = export_to_decide(review, _DOUBTFUL, file, csv=True)
    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))
    assert (count, len(rows)) == (5, 5)
    assert next(row for row in rows if row["id"] == "f")["text"] == "'=1+1 happened in town."
    path = run.parent / "filled.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as out:
        writer = csv.DictWriter(out, rows[0].keys(), delimiter=";")  # as spreadsheets save CSV in many countries
        writer.writeheader()
        writer.writerows([{**row, "decision": " Legal " if row["id"] == "f" else ""} for row in rows])
    with opened(run) as review:
        imported = import_decisions(review, path, reviewer="ana", decided_at=NOON)
    assert (imported.taken, imported.blank, imported.refused) == (1, 4, ())


def test_reviewers_who_finish_at_the_same_time_wait_for_each_other(run: Path) -> None:
    decide(run, d="marketing")
    together = Barrier(4)

    def ends(_: int) -> bool:
        together.wait()
        return settle(run).in_views

    with ThreadPoolExecutor(4) as reviewers:
        assert list(reviewers.map(ends, range(4))) == [True] * 4


def test_decisions_appear_in_the_result_files_with_the_models_answers(run: Path) -> None:
    assert decide(run, d="marketing", c="business").taken == 2
    assert settle(run).in_views
    found = views(run)
    by_id = {row["id"]: row for row in found["results"]}
    assert by_id["d"] | {"row": 0} == {
        "row": 0,
        "id": "d",
        "category": "marketing",
        "confidence": None,
        "decided_by": "human",
        "reviewer": "ana",
        "decided_at": NOON,
        "model_category": "technical",
        "model_confidence": 0.2,
    }
    assert by_id["e"]["category"] == "marketing", "rows with the same text share the decision"
    assert by_id["c"]["model_category"] is None, "a reviewer can label a failed row"
    assert by_id["a"] == {"row": 0, "id": "a", "category": "technical", "confidence": 0.9, "team": "x"}
    assert [row["id"] for row in found["review"]] == ["f", "7", 7]
    assert found["failed"] == []
    rows = show_run(run).rows
    assert (rows.ok, rows.review, rows.failed, rows.reviewed) == (5, 3, 0, 3)


def test_a_csv_has_decision_columns_only_if_there_are_decisions(run: Path) -> None:
    export_run(run, output_format=output_format("csv"), observer=Observer())
    assert "decided_by" not in (run / "results.csv").read_text().splitlines()[0]
    decide(run, d="marketing")
    export_run(run, output_format=output_format("csv"), observer=Observer())
    with (run / "results.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["id"] == "d")
    assert (row["category"], row["decided_by"], row["model_category"]) == ("marketing", "human", "technical")


def test_one_bad_line_prevents_the_import(run: Path) -> None:
    rows = to_decide(run)
    rows[0] |= {"decision": "marketing"}
    rows[1] |= {"decision": "no such label"}
    rows[2] |= {"decision": "legal", "key": "0" * 32}
    bad = [*rows, {"id": "nobody", "decision": "legal"}, b"{broken", {"decision": "legal"}]
    imported = take(run, bad)
    assert [refused.line for refused in imported.refused] == [2, 3, 6, 7, 8]
    assert "not a label" in imported.refused[0].why
    assert imported.allowed == {"category": ("technical", "business", "legal", "marketing", "other")}
    assert "has changed since the export" in imported.refused[1].why
    assert not imported.saved
    assert len(DecisionLog(run / "decisions.jsonl")) == 0
    assert take(run, bad, skip=True).taken == 1


def test_two_labels_for_one_text_are_refused(run: Path) -> None:
    imported = decide(run, d="legal", e="other")
    assert [(refused.line, refused.why) for refused in imported.refused] == [
        (2, "line 1 gives the same text the label 'legal'")
    ]


def test_importing_a_file_again_changes_nothing(run: Path) -> None:
    decide(run, d="marketing", f="legal")
    again = decide(run, d="marketing", f="legal")
    assert (again.taken, again.unchanged) == (0, 2)


def test_a_decision_made_since_the_export_is_kept_and_reported_as_a_conflict(run: Path) -> None:
    exported = to_decide(run)
    decide(run, "ben", f="legal")
    imported = take(run, [row | {"decision": "other"} for row in exported if row["id"] == "f"])
    assert (imported.taken, imported.conflicts) == (1, 1)
    settle(run)
    row = next(row for row in views(run)["review"] if row["id"] == "f")
    assert (row["category"], {one["reviewer"]: one["category"] for one in row["conflict"]}) == (
        "business",
        {"ana": "other", "ben": "legal"},
    )
    with opened(run) as review:
        status = review_status(review)
    assert (status.conflicts, status.conflict_rows[0].decisions) == (1, (("ana", "other"), ("ben", "legal")))
    assert to_decide(run)[0]["reason"] == "conflict"


def test_decided_rows_are_gold_labels(run: Path) -> None:
    decide(run, d="marketing", f="business")
    file = io.BytesIO()
    with opened(run) as review:
        assert export_gold(review, file, csv=False) == 3
    gold = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [(row["id"], row["label"]) for row in gold] == [("d", "marketing"), ("e", "marketing"), ("f", "business")]


def test_a_decision_no_longer_applies_once_its_text_changes(run: Path) -> None:
    decide(run, f="legal")
    rows = read_rows(run.parent / "docs.jsonl")
    rows[5]["text"] = "Another text."
    write_rows(run.parent / "docs.jsonl", rows)
    summary = show_run(run)
    assert summary.rows.reviewed == 0
    assert "Human decisions that no longer apply: 1; their text or label no longer exists." in summary.notes
    with opened(run) as review:
        assert export_gold(review, io.BytesIO(), csv=False) == 0


def test_a_decision_moves_with_its_text(run: Path) -> None:
    decide(run, f="legal")
    rows = read_rows(run.parent / "docs.jsonl")
    write_rows(run.parent / "docs.jsonl", [{"id": "f2", "text": rows[5]["text"]}, *rows[:5]])
    settle(run)
    assert [(row["row"], row["id"]) for row in views(run)["results"] if "reviewer" in row] == [(0, "f2")]


def test_a_file_without_keys_overrides_no_decision_and_resolves_no_conflict(run: Path) -> None:
    decide(run, "ben", f="legal", d="legal")
    assert decide(run, "ana", f="other").conflicts == 1
    assert decide(run, "cem", f="other", d="legal").conflicts == 1
    settle(run)
    assert "f" in [row["id"] for row in views(run)["review"]]
    assert [row["reviewer"] for row in views(run)["results"] if row["id"] == "d"] == ["ben"]


@pytest.mark.parametrize("order", [("ana", "ben"), ("ben", "ana")])
@pytest.mark.parametrize("keyed", [True, False])
def test_imports_give_the_same_result_in_any_order_and_repeats_add_nothing(
    run: Path, order: tuple[str, str], *, keyed: bool
) -> None:
    labels = {"ana": "other", "ben": "legal"}
    exported = [row for row in to_decide(run) if row["id"] == "f"] if keyed else [{"id": "f"}]
    for _ in range(2):
        for reviewer in order:
            take(run, [row | {"decision": labels[reviewer]} for row in exported], reviewer)
    lines = read_rows(run / "decisions.jsonl")
    assert len(lines) == 2
    with opened(run) as review:
        assert dict(review_status(review).conflict_rows[0].decisions) == labels
    seen = [row for row in to_decide(run) if row["id"] == "f"]
    assert seen[0]["conflict"] in {"ana: other; ben: legal", "ben: legal; ana: other"}
    resolving = [row | {"decision": "business"} for row in seen]
    assert (take(run, resolving, "cem").conflicts, take(run, resolving, "cem").taken) == (0, 0)
    for reviewer in order:
        assert take(run, [row | {"decision": labels[reviewer]} for row in exported], reviewer).taken == 0, (
            "cem saw both"
        )
    assert read_rows(run / "decisions.jsonl")[-1]["category"] == "business"


def test_decisions_within_the_same_second_are_distinguished(run: Path) -> None:
    decide(run, "ben", f="legal")
    with opened(run) as review:
        (row,) = [{"key": one.text, "seen": mark_of(one)} for one in review.decisions.log.lines()]
    decide(run, "ben", f="marketing")
    assert take(run, [row | {"decision": "other"}], "ana").conflicts == 1


def test_a_file_adds_a_note_and_removes_none(run: Path) -> None:
    take(run, [{"id": "f", "decision": "legal", "note": "by the title"}], "ben")
    decide(run, "ana", f="legal")
    take(run, [{"id": "f", "decision": "legal", "note": "agreed"}], "ana")
    take(run, [{"id": "f", "decision": "legal", "note": "agreed"}], "ana")
    assert [row["note"] for row in read_rows(run / "decisions.jsonl")] == ["by the title", "by the title; agreed"]


def test_a_label_no_longer_in_the_task_is_neither_a_decision_nor_a_conflict(run: Path) -> None:
    decide(run, "ana", f="legal", d="legal")
    decide(run, "ben", f="other")
    rename_label(run, "legal", "law")
    with opened(run) as review:
        human = {outcome.row.id: outcome.human for outcome, _ in review.outcomes() if outcome.human is not None}
    assert {name: (one.reviewer, one.category) for name, one in human.items()} == {"f": ("ben", "other")}
    assert decide(run, "ben", d="other").conflicts == 0


def test_the_samples_error_rate_counts_rows_and_separates_review(run: Path) -> None:
    sample = to_decide(run, Choice(sample=True))
    passed = [row for row in sample if row["model_confidence"] >= 0.6]
    wrong = passed[0]["id"]
    take(run, [row | {"decision": "other" if row["id"] == wrong else row["model_category"]} for row in sample])
    with opened(run) as review:
        status = review_status(review).sample
    assert status is not None
    assert (status.rows, status.all.checked, status.all.wrong) == (4, 4, 1)
    assert (status.passed.checked, status.passed.wrong) == (len(passed), 1)


def test_fields_have_a_column_each_and_empty_cells_keep_their_value(run_of_fields: Path) -> None:
    file = io.BytesIO()
    with opened(run_of_fields) as review:
        assert export_to_decide(review, _DOUBTFUL, file, csv=True) == 3
    rows = list(csv.DictReader(io.StringIO(file.getvalue().decode())))
    columns = ["decision_topic", "decision_tags", "decision_severity", "decision_urgent"]
    assert list(rows[0])[3:7] == columns
    rows[0]["decision_tags"] = "Legal; ANGRY"
    rows[2] |= dict(zip(columns, ("technical", "(none)", "1", "no"), strict=True))
    assert take(run_of_fields, rows) == Imported(2, 0, 1, 0, (), saved=True, allowed={})
    file = io.BytesIO()
    with opened(run_of_fields) as review:
        assert export_gold(review, file, csv=False) == 2
    gold = [json.loads(line) for line in file.getvalue().splitlines()]
    names = ("id", "topic", "tags", "severity", "urgent", "decided_by")
    assert [tuple(row[name] for name in names) for row in gold] == [
        ("a", "billing", ["angry", "legal"], 3, True, "human"),
        ("c", "technical", [], 1, False, "human"),
    ]


def test_a_wrong_or_missing_field_is_named(run_of_fields: Path) -> None:
    imported = take(
        run_of_fields,
        [
            {"id": "a", "decision_severity": 9},
            {"id": "b", "decision_tags": ["angry", "spam"]},
            {"id": "c", "decision_topic": "billing"},
            {"id": "b", "decision_severity": 1, "decision_tags": []},
        ],
    )
    assert [(refused.line, refused.why) for refused in imported.refused] == [
        (1, "'9' is not a valid value of 'severity'"),
        (2, "'angry|spam' is not a valid value of 'tags'; did you mean 'angry'?"),
        (3, "it has no value for 'tags', and the model gave none"),
    ]


def test_a_file_without_decisions_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="no column named 'decision'"):
        take(run, [{"id": "a", "label": "legal"}])
