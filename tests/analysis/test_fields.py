"""Evaluating tasks with several labels or several fields against gold labels."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score, jaccard_score, precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from llmbatch.analysis.evaluation import Evaluation, evaluation_json
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.analysis.tree_scores import tree_scores
from llmbatch.core.errors import UsageError
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.shares import percent
from llmbatch.report.from_run import report_run
from llmbatch.task.fields import Label
from llmbatch.task.tree import LabelTree
from tests.analysis.conftest import Served, classify_into, rows_of, write_jsonl
from tests.analysis.test_evaluate_run import rendered

TASK = """
name = "news"
instructions = "News."

[[fields]]
name = "topic"
kind = "single"
labels = [
  { name = "World", description = "Politics, wars, elections." },
  { name = "Sports", description = "Games, teams, players." },
  { name = "Business", description = "Markets, firms, money." },
  { name = "Sci/Tech", description = "Science, computers, space." },
]

[[fields]]
name = "names"
kind = "multi"
labels = [
  { name = "person", description = "A person." },
  { name = "firm", description = "A company." },
  { name = "country", description = "A country or its government." },
]

[[fields]]
name = "length"
kind = "number"
minimum = 1
maximum = 5

[[fields]]
name = "good"
kind = "yes-no"
"""
NAMES = ["country", "firm", "person"]


@pytest.fixture(scope="module")
def labelled(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A run with fields, and its results."""
    folder = tmp_path_factory.mktemp("fields")
    (folder / "task.toml").write_text(TASK)
    classify_into(folder, served, rows_of("ag_news")[:60], str(folder / "task.toml"), review_below=0.0)
    return folder, [json.loads(line) for line in (folder / "run" / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def gold(labelled: tuple[Path, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The answers with some changed."""
    chance, rows = random.Random(5), []
    for result in labelled[1]:
        row = {name: result[name] for name in ("id", "topic", "names", "length", "good")}
        if chance.random() < 0.3:
            row["topic"] = "Sports"
        if chance.random() < 0.3:
            row["names"] = chance.sample(NAMES, chance.randint(0, 3))
        if chance.random() < 0.3:
            row["length"] = 6 - row["length"]
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def evaluation(labelled: tuple[Path, list[dict[str, Any]]], gold: list[dict[str, Any]]) -> Evaluation:
    folder = labelled[0]
    write_jsonl(folder / "gold.jsonl", gold)
    return evaluate_run(folder / "run", GoldOptions(str(folder / "gold.jsonl")), wanted=0.9)


def test_a_row_is_right_if_all_its_fields_are(
    evaluation: Evaluation, labelled: tuple[Path, list[dict[str, Any]]], gold: list[dict[str, Any]]
) -> None:
    def value(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["topic"], frozenset(row["names"]), row["length"], row["good"]

    right = sum(value(row) == value(one) for row, one in zip(labelled[1], gold, strict=True))
    assert 0 < right < len(gold)
    assert (evaluation.scores.accuracy.count, evaluation.scores.accuracy.total) == (right, len(gold))


def test_figures_of_several_labels_match_scikit_learn(
    evaluation: Evaluation, labelled: tuple[Path, list[dict[str, Any]]], gold: list[dict[str, Any]]
) -> None:
    binarizer = MultiLabelBinarizer(classes=NAMES)
    truth = binarizer.fit_transform([row["names"] for row in gold])
    given = binarizer.transform([row["names"] for row in labelled[1]])
    scores = {field.field: field for field in evaluation.fields}
    names = scores["names"].several
    assert names is not None
    for average in ("micro", "macro"):
        expected = f1_score(truth, given, average=average, zero_division=0)
        assert getattr(names, average).f1 == pytest.approx(expected)
    assert names.samples.f1 == pytest.approx(f1_score(truth, given, average="samples", zero_division=1))
    assert names.jaccard == pytest.approx(jaccard_score(truth, given, average="samples", zero_division=1))
    assert scores["names"].exact.count == sum(
        set(row["names"]) == set(one["names"]) for row, one in zip(labelled[1], gold, strict=True)
    )
    distances = [abs(row["length"] - one["length"]) for row, one in zip(labelled[1], gold, strict=True)]
    assert scores["length"].mean_error == pytest.approx(sum(distances) / len(distances))
    topic = scores["topic"].one
    assert topic is not None
    assert topic.accuracy.count == sum(row["topic"] == one["topic"] for row, one in zip(labelled[1], gold, strict=True))
    assert scores["good"].exact.count == len(gold)


def test_confusions_name_the_field(evaluation: Evaluation) -> None:
    assert evaluation.confusions
    for confusion in evaluation.confusions:
        assert confusion.gold == "topic=Sports"
        assert confusion.answer.startswith("topic=")


def test_every_field_is_shown(evaluation: Evaluation) -> None:
    screen = rendered(evaluation)
    assert [name for name in ("topic", "names", "length", "good") if f"Field {name}" in screen] == [
        "topic", "names", "length", "good"
    ]  # fmt: skip
    assert "mean distance from gold" in screen
    assert dump_line(evaluation_json(evaluation))


def test_a_gold_file_without_any_of_the_fields_is_refused(
    labelled: tuple[Path, list[dict[str, Any]]], gold: list[dict[str, Any]]
) -> None:
    folder = labelled[0]
    write_jsonl(folder / "less.jsonl", [{"id": row["id"], "subject": row["topic"]} for row in gold])
    with pytest.raises(UsageError, match="names"):
        evaluate_run(folder / "run", GoldOptions(str(folder / "less.jsonl")), wanted=0.9)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("topic", [None, "Sports"])
def test_figures_exist_for_a_few_gold_rows(
    labelled: tuple[Path, list[dict[str, Any]]], gold: list[dict[str, Any]], count: int, topic: str | None
) -> None:
    folder = labelled[0]
    write_jsonl(folder / "few.jsonl", [row | {"topic": topic or row["topic"]} for row in gold[:count]])
    found = evaluate_run(folder / "run", GoldOptions(str(folder / "few.jsonl")), wanted=0.9)
    assert found.scores.accuracy.total == count
    assert rendered(found)


def test_a_tree_is_scored_level_by_level_with_credit_for_the_right_group() -> None:
    names = ("a", "a/x", "a/y", "b", "b/z", "other")
    tree = LabelTree([Label(name=name) for name in names])
    gold = ["a/x", "a/x", "a/y", "b/z", "other"]
    answers = ["a/x", "a/y", "b/z", "b/z", "a/x"]
    found = tree_scores([[name] for name in gold], [[name] for name in answers], tree, range(5))
    assert found is not None
    assert [(level.level, level.labels, level.accuracy.count, level.accuracy.total) for level in found.levels] == [
        (1, 3, 3, 5),
        (2, 3, 2, 4),
    ]
    # Labels shared with gold, ancestors included: 2 + 1 + 0 + 2 + 0 = 5, of 2 + 2 + 2 + 2 + 2 given, and 9 in gold.
    assert (found.partial.precision, found.partial.recall) == (5 / 10, 5 / 9)
    assert (found.wrong, found.wrong_within_branch) == (3, 1)
    assert [(one.gold, one.answer, one.count) for one in found.branches] == [("a", "b", 1), ("other", "a", 1)]
    assert tree_scores(gold, gold, LabelTree([Label(name=name) for name in "ab"]), range(5)) is None


def test_several_labels_in_a_tree_get_credit_for_their_groups() -> None:
    tree = LabelTree([Label(name=name) for name in ("a", "a/x", "a/y", "b", "b/z")])
    gold = [["a/x", "b/z"], ["a/x"], ["a/x", "a/y"], ["b/z"], [], []]
    answers = [["a/x", "b/z"], ["a/y"], ["a/y"], ["a/x"], ["b/z"], []]
    found = tree_scores(gold, answers, tree, range(6))
    assert found is not None
    assert [(level.accuracy.count, level.accuracy.total) for level in found.levels] == [(3, 4), (1, 4)]
    binarizer = MultiLabelBinarizer(classes=["a", "a/x", "a/y", "b", "b/z"])
    truth, given = (
        binarizer.fit_transform([{part for name in row for part in tree.path(name)} for row in rows])
        for rows in (gold, answers)
    )
    wanted = precision_recall_fscore_support(truth, given, average="micro")[:3]
    assert (found.partial.precision, found.partial.recall, found.partial.f1) == pytest.approx(wanted)
    assert (found.wrong, found.wrong_within_branch) == (4, 2)
    assert [(one.gold, one.answer, one.count, one.share) for one in found.branches] == [("b", "a", 1, 0.5)]
    nothing = tree_scores([[]], [[]], tree, range(1))
    assert nothing is not None
    assert (nothing.partial.f1, nothing.levels[0].accuracy.total) == (0.0, 0)


def test_a_field_of_several_labels_is_scored_level_by_level(served: Served, tmp_path: Path) -> None:
    labels = '[{ name = "news" }, { name = "news/firm" }, { name = "news/sport" }, { name = "ads" }]'
    (tmp_path / "t.toml").write_text(f'name = "t"\n[[fields]]\nname = "tags"\nkind = "multi"\nlabels = {labels}\n')
    classify_into(tmp_path, served, rows_of("ag_news")[:3], str(tmp_path / "t.toml"))
    gold = [{"id": row["id"], "tags": ["news/firm"]} for row in rows_of("ag_news")[:3]]
    write_jsonl(tmp_path / "gold.jsonl", gold)
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert evaluation_json(evaluation)["fields"][0]["tree"]["levels"][0]["accuracy"]["total"] == 3
    assert "with credit for the groups that are right" in rendered(evaluation)


def test_an_empty_cell_is_not_a_label_and_the_note_explains_how_to_write_none(
    labelled: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    rows = [f"{row['id']},World,{names},1,yes" for row, names in zip(labelled[1], ("", "(none)", "firm"), strict=False)]
    (tmp_path / "gold.csv").write_text("\n".join(["id,topic,names,length,good", *rows, "x,,,,"]))
    evaluation = evaluate_run(labelled[0] / "run", GoldOptions(str(tmp_path / "gold.csv")), wanted=0.9)
    (note,) = (note for note in evaluation.notes if "without a label" in note)
    assert "gold.csv:2, 'names' empty: write (none) if no label is right; " in note
    assert note.endswith("gold.csv:5)"), "an entirely empty row is not reported"
    assert evaluation.scores.accuracy.total == 2


def test_a_page_has_the_scores_of_each_field(
    evaluation: Evaluation, labelled: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    folder = labelled[0]
    gold = GoldOptions(str(folder / "gold.jsonl"))
    page = report_run(folder / "run", tmp_path / "page.html", gold=gold).read_text()
    names = evaluation.fields[1].several
    assert names is not None
    figures = (names.micro.f1, names.macro.f1, names.jaccard)
    cells = "".join(f"<td>{figure:.1%}</td>" for figure in (evaluation.fields[1].exact.value, *figures))
    assert f'<th scope="row">names</th>{cells}<td>-</td><td>-</td>' in page
    assert f"<td>{evaluation.fields[2].mean_error:.2f}</td>" in page


def test_intent_domains_are_a_separate_level(served: Served, tmp_path: Path) -> None:
    gold = [("freeze my account please", "freeze_account"), ("what is my pto balance", "pto_balance"), ("uh", "none")]
    rows = [{"id": str(n), "text": text} for n, (text, _) in enumerate(gold)]
    classify_into(tmp_path, served, rows, "clinc150")
    paths = {"freeze_account": "banking/freeze_account"}  # as the set's own paths spell it
    write_jsonl(
        tmp_path / "gold.jsonl", [{"id": str(n), "label": paths.get(label, label)} for n, (_, label) in enumerate(gold)]
    )
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert evaluation.tree is not None
    assert [(level.labels, level.accuracy.total) for level in evaluation.tree.levels] == [(11, 3), (150, 2)]
    assert "with credit for the groups that are right" in rendered(evaluation)
    assert evaluation_json(evaluation)["tree"]["levels"][0]["labels"] == 11
    page = report_run(tmp_path / "run", gold=GoldOptions(str(tmp_path / "gold.jsonl"))).read_text()
    assert f"With credit for the groups that are right: F1 {percent(evaluation.tree.partial.f1, 1)}." in page
