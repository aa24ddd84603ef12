"""Errors about a file that is TOML but not a task."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.task.load import parse_task

LABELS = """\
[[labels]]
name = "legal"
aliases = ["law"]

[[labels]]
name = "other"
"""


def mistake(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_task(text, "t.toml")
    return caught.value


CASES = {
    "no name": (LABELS, "t.toml: name is missing", None),
    "no labels": (
        'name = "t"',
        "t.toml: labels is missing",
        "Each one is a separate section that starts with the line [[labels]].",
    ),
    "one label": (
        'name = "t"\n[[labels]]\nname = "a"',
        "t.toml:2: labels are too few: a task needs at least 2, and this one has 1",
        "Each one is a separate section that starts with the line [[labels]].",
    ),
    "labels as texts": (
        'name = "t"\nlabels = ["a", "b"]',
        "t.toml: labels[0] must be a table, not text",
        "Each one is a separate section that starts with the line [[labels]].",
    ),
    "single brackets": (
        'name = "t"\n[labels]\nname = "a"',
        "t.toml:2: labels must be a list, not a table",
        "Each one is a separate section that starts with the line [[labels]].",
    ),
    "misspelt section": (
        'name = "t"\n[[label]]\nname = "a"\n[[label]]\nname = "b"',
        "t.toml: unknown field label",
        "Did you mean labels?",
    ),
    "misspelt field": (
        'name = "t"\ninstuctions = "x"\n' + LABELS,
        "t.toml:2: unknown field instuctions",
        "Did you mean instructions?",
    ),
    "unknown field": (
        'name = "t"\ncolour = "x"\n' + LABELS,
        "t.toml:2: unknown field colour",
        "The fields here are name, instructions, labels, fields, examples, pool, model.",
    ),
    "misspelt field of a label": (
        'name = "t"\n' + LABELS + 'descripton = "x"',
        "t.toml:8: unknown field labels[1].descripton (label 'other')",
        "Did you mean description?",
    ),
    "instructions below the labels": (
        'name = "t"\n' + LABELS + 'instructions = "x"',
        "t.toml:8: unknown field labels[1].instructions (label 'other')",
        "instructions belongs at the top of the file, above the first section in brackets.",
    ),
    "misspelt field of the model": (
        'name = "t"\n' + LABELS + "[model]\ntemprature = 0",
        "t.toml:8: unknown field model.temprature",
        "Did you mean temperature?",
    ),
    "model in place of name": (
        'name = "t"\n' + LABELS + '[model]\nmodel = "gpt-6"',
        "t.toml: unknown field model.model",
        "Did you mean name?",
    ),
    "number for a name": ("name = 7\n" + LABELS, "t.toml: name must be text in quotes, not a number", None),
    "boolean for a label": (
        'name = "t"\n' + LABELS + "[[labels]]\nname = true",
        "t.toml:9: labels[2].name must be text in quotes, not true or false",
        None,
    ),
    "date for a label": (
        'name = "t"\n' + LABELS + "[[labels]]\nname = 2026-01-01",
        "t.toml:9: labels[2].name must be text in quotes, not a date or time",
        None,
    ),
    "empty label": (
        'name = "t"\n' + LABELS + '[[labels]]\nname = ""',
        "t.toml:9: labels[2].name must be one line of text, not empty and without control characters",
        None,
    ),
    "label of two lines": (
        'name = "t"\n' + LABELS + '[[labels]]\nname = "a\\nb"',
        "t.toml:9: labels[2].name must be one line of text, not empty and without control characters",
        None,
    ),
    "very long label": (
        f'name = "t"\n{LABELS}[[labels]]\nname = "{"a" * 201}"',
        "t.toml:9: labels[2].name is longer than 200 characters",
        None,
    ),
    "label without name": (
        'name = "t"\n' + LABELS + '[[labels]]\ndescription = "x"',
        "t.toml:8: labels[2].name is missing",
        None,
    ),
    "blank label": (
        'name = "t"\n' + LABELS + '[[labels]]\nname = "  "',
        "t.toml:8: label '  ' has space around its name",
        None,
    ),
    "whitespace around a label": (
        'name = "t"\n' + LABELS + '[[labels]]\nname = " a"',
        "t.toml: label ' a' has space around its name",
        None,
    ),
    "text for a number": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "legal"\nconfidence = "0.9"',
        "t.toml:11: examples[0].confidence must be a number, not text",
        None,
    ),
    "text for aliases": (
        'name = "t"\n' + LABELS + 'aliases = "rest"',
        "t.toml:8: labels[1].aliases (label 'other') must be a list, not text",
        None,
    ),
    "alias that is another label": (
        'name = "t"\n' + LABELS + 'aliases = ["Legal "]',
        "t.toml:6: 'Legal ' stands for two labels: 'legal' and 'other'",
        None,
    ),
    "alias of two labels": (
        'name = "t"\n' + LABELS + 'aliases = ["LAW"]',
        "t.toml:6: 'LAW' stands for two labels: 'legal' and 'other'",
        None,
    ),
    "example of no label": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "leagl"',
        "t.toml:10: example 1 has the label 'leagl', which the task does not list",
        "Did you mean 'legal'?",
    ),
    "example with an alias": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "Law"',
        "t.toml:10: example 1 has the label 'Law', which the task does not list",
        "Use the label's name as listed: 'legal'.",
    ),
    "example of an unknown label": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "zzz"',
        "t.toml:10: example 1 has the label 'zzz', which the task does not list",
        "An example's label must be one of the task's labels.",
    ),
    "example without text": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = ""\nlabel = "other"',
        "t.toml:9: examples[0].text must not be empty",
        None,
    ),
    "confidence above one": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "other"\nconfidence = 1.7',
        "t.toml:11: examples[0].confidence must be at most 1, not 1.7",
        None,
    ),
    "confidence in words": (
        'name = "t"\n' + LABELS + '[[examples]]\ntext = "x"\nlabel = "other"\nconfidence = "high"',
        "t.toml:11: examples[0].confidence must be a number, not text",
        None,
    ),
    "no output": (
        'name = "t"\n' + LABELS + "[model]\nmax_output_tokens = 0",
        "t.toml:8: model.max_output_tokens must be at least 1, not 0",
        None,
    ),
}


@pytest.mark.parametrize(("text", "message", "hint"), CASES.values(), ids=CASES)
def test_a_mistake_is_reported_with_its_position_and_remedy(text: str, message: str, hint: str | None) -> None:
    usage_error = mistake(text)

    assert usage_error.message == message
    assert usage_error.hint == hint


def test_labels_that_differ_only_in_case_are_duplicates() -> None:
    usage_error = mistake('name = "t"\n' + LABELS + '[[labels]]\nname = "LEGAL"')

    assert usage_error.message.startswith("t.toml:8: 'LEGAL' stands for two labels")


def test_a_label_listed_twice_is_reported() -> None:
    assert mistake('name = "t"\n' + LABELS + '[[labels]]\nname = "other"').message.startswith("t.toml:8: 'other' ")


def test_a_section_line_inside_a_text_does_not_mislead() -> None:
    usage_error = mistake(f'name = "t"\ninstructions = """\n[[labels]]\n"""\n{LABELS}colour = 1')

    assert usage_error.message == "t.toml: unknown field labels[1].colour (label 'other')"


def test_a_line_break_in_a_fields_name_does_not_break_the_message() -> None:
    assert mistake(f'name = "t"\n"a\\nb" = 1\n{LABELS}').message == "t.toml: unknown field 'a\\nb'"


def _toml_list(values: list[str]) -> str:
    return f"[{', '.join(values)}]"


def _toml_table(fields: dict[str, str]) -> str:
    return f"{{ {', '.join(f'{json.dumps(key)} = {value}' for key, value in fields.items())} }}"


fields = st.sampled_from(["name", "description", "aliases", "text", "label", "confidence", "temperature", "a\n"])
scalars = st.one_of(
    st.sampled_from(["a", "A ", "b", "", " ", "\0"]).map(json.dumps),
    st.sampled_from(["0.5", "1e400", "nan", "-inf", "7", "true", "1999-12-31", "08:00:00"]),
)
toml_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_toml_list), st.dictionaries(fields, inner, max_size=3).map(_toml_table)
    ),
    max_leaves=8,
)
labels = st.one_of(
    toml_values, st.lists(scalars.map(lambda name: _toml_table({"name": name})), max_size=4).map(_toml_list)
)
documents = st.fixed_dictionaries(
    {"name": scalars, "labels": labels}, optional={"examples": toml_values, "model": toml_values, "x": toml_values}
)


@given(documents)
def test_any_document_is_a_task_or_one_line_of_error(document: dict[str, str]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in document.items())
    usage_error = _error_of(text)

    assert usage_error is None or usage_error.message.startswith("t.toml")
    assert usage_error is None or len(f"{usage_error.message} {usage_error.hint}".splitlines()) == 1


def _error_of(text: str) -> UsageError | None:
    try:
        parse_task(text, "t.toml")
    except UsageError as error:
        return error
    return None


FIELD = '[[fields]]\nname = "topic"\n[[fields.labels]]\nname = "a"\n[[fields.labels]]\nname = "b"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FIELD + LABELS, "t.toml:2: a task has labels or fields, not both"),
        (FIELD.replace('"topic"', '"id"'), "t.toml:2: 'id' is not allowed as a field name"),
        (FIELD.replace('"topic"', '"a b"'), "t.toml:3: fields[0].name must begin with a letter"),
        (FIELD.replace('"b"', '"a|b"'), "t.toml:2: label 'a|b' cannot be one of a field"),
        (FIELD.replace('name = "b"', 'nam = "b"'), "t.toml:7: unknown field fields[0].labels[1].nam (field 'topic')"),
        (FIELD + FIELD, "t.toml: two fields are named 'topic'"),
        ('[[fields]]\nname = "n"\nkind = "number"\n', "t.toml:2: field 'n' is a number and needs a minimum"),
        ('[[fields]]\nname = "n"\nkind = "yes-no"\nminimum = 1\n', "t.toml:2: field 'n' has kind yes-no"),
        ('[[fields]]\nname = "n"\nkind = "maybe"\n', "t.toml:4: fields[0].kind (field 'n')"),
        (FIELD + '[[examples]]\ntext = "x"\n', "t.toml: example 1 needs an answer"),
        (FIELD + '[[examples]]\ntext = "x"\nanswer = { topic = "c" }\n', "t.toml: example 1 needs an answer"),
        (LABELS + '[[examples]]\ntext = "x"\n', "t.toml:8: examples[0].label is missing"),
    ],
)
def test_a_mistake_in_a_field_is_reported_with_its_position(text: str, message: str) -> None:
    usage_error = mistake('name = "t"\n' + text)

    assert usage_error.message.startswith(message)
