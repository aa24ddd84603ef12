"""Labels retrieved for each document: which are listed, and how their numbers are resolved."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from llmbatch.core.errors import UsageError
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.simulate.strict_schema import check_strict
from llmbatch.task.candidates import Candidates, Shortlist
from llmbatch.task.fields import Label
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.load import LoadedTask, load_task, parse_task
from llmbatch.task.model import Example, Task

FIELDS = parse_task(
    'name = "t"\n[[fields]]\nname = "topic"\nlabels = ['
    + ", ".join(f'{{ name = "topic {n}", description = "word{n}" }}' for n in range(30))
    + ']\n[[fields]]\nname = "tags"\nkind = "multi"\nlabels = ['
    + ", ".join(f'{{ name = "tag {n}", description = "thing{n}" }}' for n in range(30))
    + ']\n[[fields]]\nname = "good"\nkind = "yes-no"\n',
    "t.toml",
)
BANKING = load_task("banking77")


def made_task(count: int) -> Task:
    """A task with `count` labels of random words, like a product taxonomy."""
    chance = random.Random(count)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count)]
    labels = tuple(
        Label(name=f"{chance.choice(words)} > {word}", description=" ".join(chance.choices(words, k=4)))
        for word in words
    )
    return Task(name="made", labels=labels)


def test_the_labels_most_similar_to_a_document_come_first() -> None:
    candidates = Candidates(FIELDS, 5)
    shortlist = candidates.shortlist("A text about word17, word3 and thing8.")
    assert set(shortlist.names["topic"][:2]) == {"topic 17", "topic 3"}
    assert shortlist.names["tags"][0] == "tag 8"
    assert shortlist.text.startswith("# Labels of topic for this document\n1. topic ")
    assert "\n# Labels of tags for this document\n1. tag 8: thing8\n" in shortlist.text
    assert shortlist.text.endswith("\n")


def test_the_search_matches_scikit_learn() -> None:
    task = BANKING.task
    candidates = Candidates(task, 10)
    examples: dict[str, list[str]] = {}
    for example in (*task.examples, *task.pool):
        examples.setdefault(example.label or "", []).append(example.text)
    profiles = [
        "\n".join([*[one.name.replace("_", " ")] * 2, *one.aliases, one.description, *examples.get(one.name, [])])
        for one in task.labels
    ]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    index = vectorizer.fit_transform(profiles)
    text = "my new card still has not come"
    order = np.argsort(-(vectorizer.transform([text]) @ index.T).toarray().ravel(), kind="stable")[:10]
    assert candidates.shortlist(text).names["category"] == tuple(task.labels[place].name for place in order)


@given(st.text(max_size=200), st.integers(2, 29))
def test_a_second_search_lists_other_labels(text: str, most: int) -> None:
    candidates = Candidates(FIELDS, most)
    first, second = candidates.shortlist(text), candidates.shortlist(text, ("topic",))
    assert all(len(set(first.names[name])) == most for name in ("topic", "tags"))
    assert set(first.names["topic"]).isdisjoint(second.names["topic"])
    assert len(second.names["topic"]) == min(most, 30 - most)
    assert second.names["tags"] == first.names["tags"], "the other field's list is unchanged"
    assert second.is_wider
    assert candidates.shortlist(text) == first, "the same text has the same list"


def test_an_always_label_is_always_listed() -> None:
    labels = (*made_task(50).labels, Label(name="other", always=True))
    candidates = Candidates(Task(name="t", labels=labels), 5)
    for none_of in ((), ("category",)):
        assert candidates.shortlist("no such thing", none_of).names["category"][-1] == "other"
    with pytest.raises(UsageError, match="leaves no room"):
        make_plan(
            LoadedTask(Task(name="t", labels=(*labels, Label(name="rest", always=True))), "t", "1"),
            ModelChoice(candidates=2),
            offline=True,
        )


def test_numbers_refer_to_the_documents_own_list() -> None:
    candidates = Candidates(FIELDS, 3)
    shortlist = Shortlist("", {"topic": ("topic 9", "topic 1", "topic 4"), "tags": ("tag 7", "tag 2")})
    assert candidates.named("topic=2; tags=1|2; good=yes", shortlist) == "topic=topic 1; tags=tag 2|tag 7; good=yes"
    assert candidates.named("topic=none; tags=(none); good=no", shortlist) == "topic=topic 9; tags=(none); good=no"
    assert candidates.none_of("topic=none; tags=1; good=no") == ("topic",)
    assert candidates.none_of("topic=1; tags=(none); good=no") == (), "no tag is an answer"
    assert candidates.named_part("tags=1", shortlist) == "tags=tag 7"
    assert candidates.named_part("topic=none", shortlist) is None
    with pytest.raises(InvalidAnswerError, match="3 is no number of the list"):
        candidates.named("topic=1; tags=3; good=no", shortlist)


@pytest.mark.parametrize("count", [77, 1_000, 10_000])
def test_prefix_and_schema_are_small_and_do_not_depend_on_the_labels(count: int) -> None:
    plan = make_plan(LoadedTask(made_task(count), "made", "1"), ModelChoice(candidates=20), offline=True)
    assert plan.prefix_tokens < 400
    check_strict("answer", plan.question.schema)
    assert plan.question.schema["properties"]["category"]["enum"] == [*map(str, range(1, 21)), "none"]


def test_everything_that_affects_the_list_is_in_the_key() -> None:
    def fingerprint(task: Task, candidates: int | None = 5) -> str:
        return make_plan(LoadedTask(task, "t", "1"), ModelChoice(candidates=candidates), offline=True).fingerprint

    task = made_task(20)
    described = task.model_copy(update={"labels": (Label(name="x", description="y"), *task.labels[1:])})
    shown = task.model_copy(update={"examples": (Example(text="An example.", label=task.labels[0].name),)})
    found = [fingerprint(one) for one in (task, described, shown)]
    assert len({*found, fingerprint(task, 6), fingerprint(task, None)}) == 5
    assert fingerprint(task, 20) == fingerprint(task, None), "with so few labels all are listed in the prefix"


def test_the_document_limit_leaves_room_for_the_longest_list() -> None:
    choice, task = ModelChoice(candidates=10, window=4_000), LoadedTask(made_task(500), "made", "1")
    assert (make_plan(task, choice, offline=True).limit.tokens or 0) < 4_000 - 10 * 12


def test_any_label_and_any_text_can_be_searched() -> None:
    names = ["-", "--", "/", ".", "::", "\u2603", "\u5929", "aB", "1"]
    candidates = Candidates(Task(name="t", labels=tuple(Label(name=name) for name in names)), 3)
    for text in ("", " ", "-", "\u2603", "\ud800", "\x00", "x" * 100_000, "\u5929\u6c17", "</document>"):
        assert len(candidates.shortlist(text).names["category"]) == 3
    assert candidates.shortlist("\u5929\u6c17").names["category"][0] == "\u5929"
    assert candidates.shortlist("::").names["category"][0] == "::"
