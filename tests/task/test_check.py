"""What the lint finds."""

from typing import Any

import pytest

from llmbatch.task.check import Finding, check_task
from llmbatch.task.load import load_task
from llmbatch.task.model import Task

LABELS = [
    {"name": "legal", "description": "Contracts, clauses and courts."},
    {"name": "technical", "description": "Software, machines and their faults."},
    {"name": "other", "description": "Everything else, such as recipes."},
]


def example(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text}


def findings(code: str, **fields: Any) -> list[Finding]:
    task = Task.model_validate({"name": "t", "labels": LABELS, **fields})
    return [finding for finding in check_task(task, model=None) if finding.code == code]


def only(code: str, **fields: Any) -> tuple[str, str]:
    (finding,) = findings(code, **fields)
    return finding.level, finding.message


def test_a_short_prefix_is_reported_with_the_missing_tokens() -> None:
    level, message = only("short-prefix")

    assert level == "warning"
    assert "short of the 1,024 at which the provider caches it" in message


def test_the_prefix_size_and_its_shares_are_reported() -> None:
    (note,) = (f for f in check_task(load_task(None).task, model=None) if f.code == "prefix-size")

    assert note.level == "note"
    assert note.message.startswith("the prefix has 1,")
    assert note.message.endswith("% rules and instructions")


@pytest.mark.parametrize(("model", "is_estimate"), [("gpt-6-luna", False), ("openai/o3", False), ("llama-4-70b", True)])
def test_token_counts_say_when_they_are_an_estimate(model: str, *, is_estimate: bool) -> None:
    (note,) = (f for f in check_task(load_task(None).task, model=model) if f.code == "prefix-size")

    assert (f"{model} may count differently" in note.message) is is_estimate


def test_the_tasks_own_model_is_used_if_none_is_given() -> None:
    _, message = only("prefix-size", model={"name": "llama-4-70b"})

    assert "llama-4-70b may count differently" in message


def test_labels_without_a_description_are_named() -> None:
    bare = [{"name": name} for name in "abcdefg"]

    assert only("no-description", labels=bare) == (
        "warning",
        "labels without a description: `a`, `b`, `c`, `d`, `e` and 2 more",
    )


def test_labels_without_an_example_are_named_if_others_have_one() -> None:
    assert only("no-example", examples=[example("legal", "x")]) == (
        "warning",
        "labels without an example, while others have one: `technical`, `other`",
    )


def test_no_examples_at_all_are_a_note() -> None:
    assert only("no-examples")[0] == "note"
    assert findings("no-example") == []


def test_nearly_identical_descriptions_are_reported() -> None:
    near = [
        {"name": "a", "description": "Complaints about the delivery of an order by post"},
        {"name": "b", "description": "complaints about the  delivery of an order by mail"},
        {"name": "other", "description": "Anything else"},
    ]

    assert only("alike-descriptions", labels=near) == (
        "warning",
        "`a` and `b` have nearly the same description: say how they differ",
    )


def test_descriptions_are_compared_in_any_script() -> None:
    near = [
        {"name": "a", "description": "注文した商品の配送に関する苦情や問い合わせ"},
        {"name": "b", "description": "注文した商品の配送に関する苦情や問い合わせ。"},
    ]

    assert len(findings("alike-descriptions", labels=near)) == 1


def test_a_repeated_example_is_reported() -> None:
    examples = [example("legal", "The  Court"), example("other", "x"), example("legal", "the court\n")]

    assert only("repeated-example", examples=examples) == ("warning", "examples 1, 3 have the same text")


def test_an_example_under_two_labels_is_an_error() -> None:
    examples = [example("legal", "The court"), example("other", "the court")]

    assert only("contradicting-examples", examples=examples) == (
        "error",
        "examples 1, 2 have the same text and different labels: `legal`, `other`",
    )


def test_unbalanced_examples_are_reported() -> None:
    examples = [example("legal", f"clause {n}") for n in range(4)] + [example("other", "soup")]

    assert only("unbalanced-examples", examples=examples) == (
        "warning",
        "`legal` has 4 examples, `other` only 1: models favour what they see most",
    )
    assert findings("unbalanced-examples", examples=examples[1:]) == []


def test_a_long_label_is_reported() -> None:
    long = "documents that deal with the rights and duties of tenants and of landlords alike"

    level, message = only("long-label", labels=[*LABELS, {"name": long}])
    assert level == "warning"
    assert f"`{long}`" in message


@pytest.mark.parametrize(("count", "level"), [(101, None), (1001, "warning")])
def test_very_many_labels_are_reported(count: int, level: str | None) -> None:
    labels = [{"name": f"label {n}"} for n in range(count)]

    assert only("many-labels", labels=labels)[0] == "warning"
    assert [f.level for f in findings("schema-limit", labels=labels)] == ([level] if level else [])


def test_more_label_text_than_a_schema_allows_is_reported() -> None:
    labels = [{"name": f"{n:x>80}"} for n in range(251)]

    level, message = only("schema-limit", labels=labels)
    assert level == "warning"
    assert message.startswith("the labels' names have 20,080 characters: structured outputs take at most 15,000")


@pytest.mark.parametrize("name", ["other", "None of these", "MISC", "something else", "n/a"])
def test_a_catch_all_label_is_recognised_by_its_name(name: str) -> None:
    assert findings("no-catch-all", labels=[*LABELS[:2], {"name": name}]) == []


def test_a_catch_all_label_is_recognised_by_its_alias() -> None:
    assert findings("no-catch-all", labels=[*LABELS[:2], {"name": "z", "aliases": ["unclear"]}]) == []


def test_a_missing_catch_all_label_is_a_note() -> None:
    assert only("no-catch-all", labels=[*LABELS[:2], {"name": "motherly"}])[0] == "note"


def test_two_labels_need_no_catch_all() -> None:
    assert findings("no-catch-all", labels=LABELS[:2]) == []


@pytest.mark.parametrize("placeholder", ["{text}", "{{ document }}", "${name}", "{}", "<% date %>"])
def test_a_placeholder_is_reported_as_not_replaced(placeholder: str) -> None:
    assert only("placeholder", instructions=f"Label this: {placeholder} please") == (
        "warning",
        f"`{placeholder}`: nothing is substituted; the text is sent unchanged",
    )


def test_a_placeholder_in_a_description_is_reported() -> None:
    assert len(findings("placeholder", labels=[*LABELS, {"name": "z", "description": "as of {year}"}])) == 1


def test_braces_around_json_or_a_set_are_not_a_placeholder() -> None:
    assert findings("placeholder", instructions='Not {"a": 1}, not {1, 2}, not { }') == []


@pytest.mark.parametrize("date", ["2026-01-31", "2026-01", "Today is", "current date"])
def test_a_date_in_the_instructions_is_reported(date: str) -> None:
    level, message = only("dated-instructions", instructions=f"{date} is what counts.")

    assert level == "warning"
    assert f"`{date}`" in message


@pytest.mark.parametrize("wish", ["Answer in JSON", "Respond with one word", "return only the label", "Output a list"])
def test_instructions_about_the_answer_format_are_reported(wish: str) -> None:
    assert only("other-format", instructions=f"{wish}, please.")[0] == "note"


def test_mentioning_json_documents_is_not_an_answer_format() -> None:
    assert findings("other-format", instructions="Write-ups come first. Some documents are JSON.") == []


def test_the_prompts_own_marks_in_an_example_are_reported() -> None:
    level, message = only("prompt-markup", examples=[example("other", "a </document> b\n# Labels\nc")])

    assert level == "warning"
    assert message.startswith("`</document>`, `# Labels` in the instructions or an example")


def test_errors_come_first_and_notes_last() -> None:
    labels = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    task = Task.model_validate({"name": "t", "labels": labels, "examples": [example("a", "x"), example("b", "x")]})
    levels = [finding.level for finding in check_task(task, model=None)]

    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert set(levels) == {"error", "warning", "note"}


def test_paths_whose_group_is_not_a_label_are_reported() -> None:
    paths = [{"name": "billing/refund"}, {"name": "billing/invoice"}, {"name": "Sci/Tech"}]

    level, message = only("no-group", labels=paths)

    assert level == "note"
    assert "2 labels begin with `billing/`, but no label is named `billing`" in message
    assert findings("no-group", labels=[*paths, {"name": "billing"}]) == []
