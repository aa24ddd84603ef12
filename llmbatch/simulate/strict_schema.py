"""The rules for JSON schemas in strict structured outputs, and the words in which others are refused.

Source: OpenAI, "Structured model outputs", Supported schemas (November 2026): the root is an object and not an `anyOf`;
each object lists all its properties as required and allows no others; at most 10 levels, 5,000 properties, 1,000 enum
values, 120,000 characters of names and values in all, and 15,000 in one enum of more than 250 strings; some keywords
are not supported. Wordings: OpenAI's own refusals.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from llmbatch.simulate.reply import reject

MOST_LEVELS, MOST_PROPERTIES, MOST_ENUM_VALUES = 10, 5_000, 1_000
MOST_CHARACTERS = 120_000
LARGE_ENUM, MOST_CHARACTERS_OF_LARGE_ENUM = 250, 15_000

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VALUES = ("type", "enum", "const", "pattern", "format", "multipleOf", "maximum", "minimum", "minItems", "maxItems")
_RANGES = ("exclusiveMaximum", "exclusiveMinimum")
_PARTS = ("properties", "required", "additionalProperties", "items", "anyOf", "$ref", "$defs", "definitions")
_KEYWORDS = frozenset((*_VALUES, *_RANGES, *_PARTS, "title", "description", "$schema", "$id"))
"""All supported keywords: not `allOf`, `oneOf`, `not`, `if`, `default`, `minLength`, `uniqueItems` and the like."""
_TYPES = frozenset({"string", "number", "boolean", "integer", "object", "array", "null"})
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    """One schema within the schema."""

    schema: Mapping[str, Any]
    path: Path
    level: int
    """Depth: objects and arrays around it, including itself."""


def check_strict(name: str, schema: Mapping[str, Any]) -> None:
    """Refuse a response format's schema that strict structured outputs do not support.

    Args:
        name: of the schema.
        schema: the schema of an answer.

    Raises:
        RefusedError: with 400.
    """
    if not _NAME.fullmatch(name):
        message = "Invalid 'response_format.json_schema.name': string does not match pattern. "
        message += "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        reject(message, "response_format.json_schema.name", "invalid_value")
    if schema.get("type") != "object" or "anyOf" in schema:
        _refuse(name, f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'.")
    nodes = list(_walk(name, _Node(schema, (), 1)))
    for node in nodes:
        _check_node(name, node)
    _check_sizes(name, nodes)


def _walk(name: str, node: _Node) -> Iterator[_Node]:
    if node.level > MOST_LEVELS:
        _refuse(name, f"{node.level} levels of nesting exceeds limit of {MOST_LEVELS}.")
    yield node
    for keyword, below in _below(node.schema):
        if not isinstance(below, Mapping):
            _refuse(name, f"In context={(*node.path, *keyword)}, {below!r} is not of type 'object', 'boolean'.")
        deeper = keyword[0] in ("properties", "items")
        yield from _walk(name, _Node(below, (*node.path, *keyword), node.level + deeper * _nests(below)))


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for keyword in ("properties", "$defs", "definitions"):
        if isinstance(parts := schema.get(keyword), Mapping):
            yield from (((keyword, key), part) for key, part in parts.items())
    if isinstance(choices := schema.get("anyOf"), list):
        yield from ((("anyOf", str(number)), choice) for number, choice in enumerate(choices))
    if "items" in schema:
        yield ("items",), schema["items"]


def _nests(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema or "items" in schema


def _check_node(name: str, node: _Node) -> None:
    schema, where = node.schema, f"In context={node.path}"
    for keyword in schema:
        if keyword not in _KEYWORDS:
            _refuse(name, f"{where}, '{keyword}' is not permitted.")
    kinds = schema.get("type")
    if kinds is None and not schema.keys() & {"anyOf", "$ref", "enum", "const"}:
        _refuse(name, f"{where}, schema must have a 'type' key.")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if wrong := [kind for kind in kinds if kind is not None and kind not in _TYPES]:
        _refuse(name, f"{where}, {wrong[0]!r} is not valid under any of the given schemas.")
    if "array" in kinds and "items" not in schema:
        _refuse(name, f"{where}, array schema missing items.")
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        _refuse(name, f"{where}, {schema['enum']!r} should be non-empty.")
    if "object" in kinds or "properties" in schema:
        _check_object(name, schema, where)


def _check_object(name: str, schema: Mapping[str, Any], where: str) -> None:
    if schema.get("additionalProperties") is not False:
        _refuse(name, f"{where}, 'additionalProperties' is required to be supplied and to be false.")
    properties, required = schema.get("properties") or {}, schema.get("required")
    listed = required if isinstance(required, list) else []
    for key in properties:
        if key not in listed:
            _refuse(
                name,
                f"{where}, 'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{key}'.",
            )
    for key in listed:
        if key not in properties:
            _refuse(name, f"{where}, 'required' is required to be supplied and to be an array including every key in "
                    f"properties. Extra required key '{key}' supplied.")  # fmt: skip


def _check_sizes(name: str, nodes: list[_Node]) -> None:
    names = [key for node in nodes for key in node.schema.get("properties") or ()]
    definitions = [key for node in nodes for key in node.schema.get("$defs") or ()]
    enums = [node.schema["enum"] for node in nodes if "enum" in node.schema]
    constants = [node.schema["const"] for node in nodes if "const" in node.schema]
    if len(names) > MOST_PROPERTIES:
        _refuse(name, f"{len(names)} parameters exceed the limit of {MOST_PROPERTIES}.")
    values = [value for enum in enums for value in enum]
    if any("\n" in value for value in (*values, *constants) if isinstance(value, str)):
        _refuse(name, "\\n is not allowed in string literals for structured outputs (strict=true).")
    if len(values) > MOST_ENUM_VALUES:
        _refuse(
            name,
            f"Expected at most {MOST_ENUM_VALUES} enum values in total, but received {len(values)}.",
        )
    for enum in enums:
        size = sum(len(value) for value in enum if isinstance(value, str))
        if len(enum) > LARGE_ENUM and size > MOST_CHARACTERS_OF_LARGE_ENUM:
            _refuse(
                name,
                f"Expected at most {MOST_CHARACTERS_OF_LARGE_ENUM} characters in an enum with more than {LARGE_ENUM} "
                f"values, but got {size}.",
            )
    size = sum(len(text) for text in (*names, *definitions, *values, *constants) if isinstance(text, str))
    if size > MOST_CHARACTERS:
        _refuse(name, f"Expected at most {MOST_CHARACTERS} characters of names and values, but got {size}.")


def _refuse(name: str, why: str) -> NoReturn:
    reject(f"Invalid schema for response_format '{name}': {why}", "response_format", "invalid_json_schema")
