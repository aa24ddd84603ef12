"""Strict schemas are refused as OpenAI refuses them, in its words."""

import json
from typing import Any

import pytest

from llmbatch.simulate.reply import RefusedError
from llmbatch.simulate.strict_schema import check_strict
from llmbatch.task.load import load_task
from llmbatch.task.model import Task

TEXT = {"type": "string"}


def an_object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def nested(levels: int) -> dict[str, Any]:
    return an_object({"x": TEXT if levels == 1 else nested(levels - 1)})


def enum(count: int, characters: int = 3) -> dict[str, Any]:
    return {"type": "string", "enum": [f"{n:0{characters}d}" for n in range(count)]}


def refusal(schema: dict[str, Any], name: str = "answer") -> str:
    with pytest.raises(RefusedError) as caught:
        check_strict(name, schema)
    error = json.loads(caught.value.reply.body)["error"]
    assert caught.value.reply.status == 400
    assert str(error["param"]).startswith("response_format")
    message: str = error["message"]
    return message


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "properties": {}}, "In context=(), 'additionalProperties' is required to be supplied and"),
        (an_object({"x": TEXT}, additionalProperties=True), "'additionalProperties' is required"),
        (an_object({"x": TEXT}, required=[]), "including every key in properties. Missing 'x'."),
        (an_object({"x": TEXT}, required=["x", "y"]), "Extra required key 'y' supplied."),
        (an_object({"x": an_object({"y": TEXT}, required=[])}), "In context=('properties', 'x'), 'required'"),
        (an_object({"x": {**TEXT, "default": "a"}}), "In context=('properties', 'x'), 'default' is not permitted."),
        (an_object({"x": {**TEXT, "minLength": 1}}), "'minLength' is not permitted."),
        (an_object({"x": {"allOf": [TEXT]}}), "'allOf' is not permitted."),
        (an_object({"x": {"type": "array", "items": TEXT, "uniqueItems": True}}), "'uniqueItems' is not permitted."),
        (an_object({"x": {"type": "array"}}), "array schema missing items."),
        (an_object({"x": {"description": "?"}}), "schema must have a 'type' key."),
        (an_object({"x": {"type": "text"}}), "'text' is not valid under any of the given schemas."),
        (an_object({"x": {"type": "string", "enum": []}}), "should be non-empty."),
        (
            an_object({"x": {"anyOf": [TEXT, {"type": "object", "properties": {}}]}}),
            "('properties', 'x', 'anyOf', '1')",
        ),
        (an_object({"x": {"$ref": "#/$defs/y"}}, **{"$defs": {"y": {"type": "object"}}}), "('$defs', 'y')"),
        (an_object({"x": 7}), "is not of type"),
        (an_object({"x": {"type": "string", "enum": ["a\nb"]}}), "\\n is not allowed in string literals"),
        (an_object({"x": {"const": "a\nb"}}), "\\n is not allowed in string literals"),
        ({"type": "array", "items": TEXT}, "schema must be a JSON Schema of 'type: \"object\"'"),
        (an_object({"x": TEXT}, anyOf=[TEXT]), "schema must be a JSON Schema of 'type: \"object\"'"),
        (nested(11), "11 levels of nesting exceeds limit of 10."),
        (an_object({f"p{n}": TEXT for n in range(5001)}), "5001 parameters exceed the limit of 5000."),
        (an_object({"x": enum(600), "y": enum(401)}), "Expected at most 1000 enum values in total"),
        (an_object({"x": enum(251, 60)}), "Expected at most 15000 characters in an enum with more than 250 values"),
        (an_object({"x" * 120_001: TEXT}), "Expected at most 120000 characters"),
    ],
)
def test_schemas_that_strict_outputs_do_not_support_are_refused(schema: dict[str, Any], expected: str) -> None:
    message = refusal(schema)
    assert message.startswith("Invalid schema for response_format 'answer': ")
    assert expected in message


@pytest.mark.parametrize(
    "schema",
    [
        nested(10),
        an_object({f"p{n}": TEXT for n in range(5000)}),
        an_object({"x": enum(600), "y": enum(400)}),
        an_object({"x": enum(250, 61)}),
        an_object({"x": enum(1000, 15)}),
        an_object({"x": {"anyOf": [TEXT, {"type": "null"}]}, "y": {"type": ["string", "null"], "pattern": "a+"}}),
        an_object({"x": {"$ref": "#/$defs/y"}}, **{"$defs": {"y": an_object({"z": {"$ref": "#"}})}}),
        an_object({"x": {"type": "array", "items": an_object({"y": TEXT}), "minItems": 1, "maxItems": 3}}),
        an_object({}),
        *(
            load_task(name).task.label_space.answer_schema(reasoning=True)
            for name in ("default", "ag_news", "banking77", "sib200")
        ),
    ],
)
def test_supported_schemas_are_accepted(schema: dict[str, Any]) -> None:
    check_strict("answer", schema)


@pytest.mark.parametrize("name", ["", "an answer", "a" * 65, "réponse"])
def test_a_schemas_name_has_letters_digits_and_dashes(name: str) -> None:
    assert "does not match pattern" in refusal(an_object({}), name)


def test_a_task_with_more_labels_than_an_enum_allows_is_refused() -> None:
    task = Task.model_validate({"name": "many", "labels": [{"name": f"label {n}"} for n in range(1001)]})
    assert "but received 1001" in refusal(task.label_space.answer_schema(reasoning=False))
