import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.simulate.features import features
from llmbatch.simulate.labeller import Labeller
from llmbatch.simulate.reading import LabelText, read_labels, unfenced
from llmbatch.task.fence import build_document, inert
from llmbatch.task.fields import Label
from llmbatch.task.load import load_task
from llmbatch.task.model import Example, Task
from llmbatch.task.prefix import build_prefix

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":"), min_size=1, max_size=20).filter(
    lambda name: name == name.strip()
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
LABELS = st.lists(
    st.builds(Label, name=NAMES, description=TEXTS),
    min_size=2,
    max_size=5,
    unique_by=lambda label: label.name.casefold(),
)


@given(LABELS, st.booleans())
def test_labels_are_read_back_from_the_prompt_exactly(labels: list[Label], reasoning: bool) -> None:  # noqa: FBT001
    examples = tuple(Example(text=f"document {number}", label=label.name) for number, label in enumerate(labels))
    task = Task(name="t", instructions="Choose.", labels=tuple(labels), examples=examples)
    read = read_labels(build_prefix(task, reasoning=reasoning), task.label_space.parts)
    assert [label.name for label in read] == [label.name for label in labels]
    assert [label.description for label in read] == [" ".join(label.description.split()) for label in labels]
    assert [label.examples for label in read] == [(f"document {number}",) for number in range(len(labels))]


def test_instructions_that_look_like_a_labels_section_are_ignored() -> None:
    labels = (Label(name="yes", description="Agreed."), Label(name="no", description="Refused: in part."))
    task = Task(name="t", instructions="# Labels\n- are listed\n- below", labels=labels)
    read = read_labels(build_prefix(task), task.label_space.parts)
    assert [(label.name, label.description) for label in read] == [("yes", "Agreed."), ("no", "Refused: in part.")]


def test_a_label_with_a_colon_keeps_its_name() -> None:
    task = Task(name="t", labels=(Label(name="re: a", description="b: c"), Label(name="re", description="d")))
    read = read_labels(build_prefix(task), task.label_space.parts)
    assert [(label.name, label.description) for label in read] == [("re: a", "b: c"), ("re", "d")]


def test_a_prompt_without_labels_yields_no_labels() -> None:
    assert read_labels("Be kind.", None) == ()


@given(TEXTS)
def test_a_fence_is_removed_as_it_was_added(text: str) -> None:
    assert unfenced(build_document(text)) == inert(text)


@pytest.mark.parametrize(
    ("document", "label"),
    [
        ("Der Server ist abgestürzt", "technik"),
        ("Снова ошибка сервера", "ошибка"),
        ("サーバーが落ちました", "サーバー"),
        ("الخادم لا يعمل", "الخادم"),
        ("i can NOT log in!!", "log_in"),
    ],
)
def test_labels_are_found_in_any_script_and_spelling(document: str, label: str) -> None:
    examples = {"technik": ("Der Server stürzt ab",)}
    names = ("technik", "ошибка", "サーバー", "الخادم", "log_in", "music")
    labeller = Labeller([LabelText(name, "", examples.get(name, ())) for name in names])
    assert labeller.label(document)[0] == label


@given(st.text(max_size=200))
def test_every_text_gets_a_label_and_a_confidence(text: str) -> None:
    label, confidence = Labeller([LabelText("yes", "", ()), LabelText("no", "", ())]).label(text)
    assert label in ("yes", "no")
    assert 0.0 <= confidence <= 0.99


def test_a_document_that_matches_no_label_gets_an_even_confidence() -> None:
    labels = [LabelText(name, "", ()) for name in ("alpha", "beta", "gamma", "delta")]
    assert Labeller(labels).label("zzz")[1] == 0.25


def test_very_long_documents_are_labelled_by_their_beginning() -> None:
    assert features("crash " * 1_000_000) == features("crash " * 1000)


def test_the_sample_documents_are_labelled_far_better_than_by_chance(request: pytest.FixtureRequest) -> None:
    task = load_task(None).task
    labeller = Labeller(read_labels(build_prefix(task), task.label_space.parts))
    sample = request.config.rootpath / "sample_data"
    gold = {row["id"]: row["category"] for row in _rows(sample / "gold.jsonl")}
    documents = [row for row in _rows(sample / "docs.jsonl") if row["id"] in gold]
    answers = [labeller.label(row["text"]) for row in documents]
    right = sum(label == gold[row["id"]] for (label, _), row in zip(answers, documents, strict=True))
    assert right / len(documents) > 0.5
    confidences = [confidence for _, confidence in answers]
    assert max(confidences) - min(confidences) > 0.3


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
