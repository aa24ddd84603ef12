"""A finished run in Python: its short representation, its evaluation against gold labels, and its review queue."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from llmbatch import Run, aclassify, classify
from llmbatch.core.errors import UsageError
from llmbatch.review.importing import import_decisions
from llmbatch.review.opened import opened
from llmbatch.review.settle import settle
from tests.api.calling import options
from tests.e2e.conftest import StartEndpoint

TEXTS = {"a": "A court.", "b": "The server crashed.", "c": " ", "d": "The contract of the court."}
GOLD = {"a": "legal", "b": "technical", "d": "other"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    documents = [{"id": name, "text": text} for name, text in TEXTS.items()]
    folder = tmp_path_factory.mktemp("judged") / "run"
    with classify(documents, offline=True, out=folder, review_below=0, spend_store="off") as run:
        yield run


@pytest.mark.parametrize(
    "gold",
    [
        GOLD,
        [{"id": name, "label": label} for name, label in GOLD.items()],
        {"id": list(GOLD), "gold": list(GOLD.values())},
        pd.DataFrame({"id": list(GOLD), "label": list(GOLD.values())}),
        pa.table({"id": list(GOLD), "label": list(GOLD.values())}),
        ["legal", "technical", "legal", "other"],
    ],
    ids=["by id", "rows", "columns", "pandas", "arrow", "in order"],
)
def test_gold_labels_may_be_of_any_supported_type(run: Run, gold: Any) -> None:
    evaluation = run.evaluate(gold)
    assert (evaluation.accuracy.count, evaluation.accuracy.total) == (2, 3)
    assert repr(evaluation).endswith("2 of 3 right>")
    assert len(repr(evaluation)) < 300


def test_gold_labels_may_be_a_file_with_fields_of_any_name(run: Run, tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text("code,truth\na,legal\nb,other\n")
    evaluation = run.evaluate(gold, gold_id_field="code", label_field="truth", precision=0.9)
    assert (evaluation.accuracy.count, evaluation.thresholds.wanted) == (1, 0.9)


@pytest.mark.parametrize(
    ("gold", "shown"),
    [
        (5, "type int"),
        (b"a", "type bytes"),
        ({"a": 5}, "type dict"),
        (["legal", 3], "gold row 1 is of type int"),
        ({"x": "legal"}, "none of its rows is in the run"),
        ([], "gold"),
        ([{"id": "a", "label": {1, 2}}], "gold row 0"),
        ("nowhere.csv", "nowhere.csv"),
    ],
)
def test_invalid_gold_labels_are_refused(run: Run, gold: Any, shown: str) -> None:
    with pytest.raises(UsageError, match=shown):
        run.evaluate(gold)


def test_an_invalid_precision_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="101%"):
        run.evaluate(GOLD, precision="101%")


async def _evaluated_in_a_loop(folder: Path) -> float | None:
    async_run = await aclassify(["A court."], offline=True, out=folder, review_below=0, spend_store="off")
    return async_run.evaluate(["legal"]).accuracy.value


def test_a_run_can_be_evaluated_in_a_running_loop(tmp_path: Path) -> None:
    assert asyncio.run(_evaluated_in_a_loop(tmp_path / "run")) == 1


def test_a_run_has_a_short_representation(run: Run) -> None:
    assert repr(run) == f"<Run of 4 rows in {run.folder}: 3 ok, 0 in review, 1 failed>"
    shown = run._repr_html_()
    assert shown.count("<progress") == 4
    for text in ("legal", "technical", "failed", "offline endpoint", str(run.folder)):
        assert text in shown


def test_names_are_escaped_in_a_notebook(tmp_path: Path) -> None:
    task = tmp_path / "<b>.toml"
    task.write_text('name = "<script>"\ninstructions = "Label."\n[[labels]]\nname = "<i>x"\n[[labels]]\nname = "&y"\n')
    run = classify(["A court."], task=task, offline=True, out=tmp_path / "<u>", spend_store="off")
    shown = run._repr_html_()
    assert "&lt;script&gt;" in shown
    assert not any(tag in shown for tag in ("<script", "<i>", "<u>", "<b>"))


def test_the_review_queue_has_the_order_of_the_review(tmp_path: Path, endpoint: StartEndpoint) -> None:
    url = endpoint().url
    documents = [{"id": name, "text": text} for name, text in TEXTS.items()] + [{"id": "e", "text": TEXTS["a"]}]
    run = classify(documents, **options(url, tmp_path / "run", review_below=1.0, sample="100%"))
    queue = run.review_queue()
    assert sorted(item.text for item in queue) == sorted(text for text in TEXTS.values() if text.strip())
    assert [item.confidence for item in queue] == sorted(item.confidence or 0 for item in queue)
    assert {item.text for item in run.review_queue(sample=True)} == {item.text for item in queue}
    assert [item.category for item in run.review_queue(label="technical")] == ["technical"]
    with pytest.raises(UsageError, match="'nonsense' is not a label"):
        run.review_queue(label="nonsense")


def test_a_run_is_reread_after_human_decisions(tmp_path: Path, endpoint: StartEndpoint) -> None:
    documents = [{"id": name, "text": text} for name, text in TEXTS.items() if text.strip()]
    run = classify(documents, **options(endpoint().url, tmp_path / "run", review_below=1.0))
    assert [result.status for result in run[:]] == ["review"] * 3
    decisions = tmp_path / "decisions.csv"
    decisions.write_text("id,decision\nb,other\n")
    with opened(run.folder) as review:
        import_decisions(review, decisions, reviewer="ana", decided_at="2026-11-27T20:00:00Z")
    settle(run.folder)
    assert [run[n].status for n in range(3)] == ["review", "ok", "review"]
    assert run[1].category == "other"
    assert [item.id for item in run.review_queue()] != []
    assert "b" not in [item.id for item in run.review_queue()]


def test_a_run_whose_folder_was_removed_says_so() -> None:
    with classify(["A court."], offline=True, spend_store="off") as run:
        assert run.folder.is_dir()
    for call in (run.review_queue, lambda: run.evaluate(GOLD)):
        with pytest.raises(UsageError, match="removed"):
            call()


def test_gold_labels_in_document_order_must_match_the_document_count(run: Run) -> None:
    with pytest.raises(UsageError, match="2 gold labels for 4 rows"):
        run.evaluate(["legal", "technical"])


def test_a_table_has_the_same_columns_for_rows_in_review() -> None:
    texts = [{"id": n, "text": text, "pages": n} for n, text in enumerate(TEXTS.values())]
    with classify(texts, offline=True, review_below=1, spend_store="off") as run:
        assert {result.status for result in run} == {"review", "failed"}
        assert run.to_arrow().schema.names == ["row", "id", "status", "category", "confidence", "error", "pages"]


def test_a_summary_has_a_one_line_representation(run: Run) -> None:
    assert repr(run.summary).startswith(
        f"<Summary of {run.folder}: finished, 4 rows: 3 ok, 0 in review, 1 failed; $0.00"
    )
