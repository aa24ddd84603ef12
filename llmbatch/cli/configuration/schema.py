"""A JSON Schema of configuration files, with which editors complete and check them."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.configuration.file import DEFAULTS, PROFILE, TASK
from llmbatch.cli.configuration.known_keys import all_declared
from llmbatch.cli.options.option import Declared

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def configuration_schema() -> dict[str, Any]:
    """The schema, generated from the options of all commands."""
    options = {
        key: _property(declared)
        for command in SUMMARIES
        for name, declared in all_declared(load(command))
        for key in declared.option.keys_of(name)
    }
    table = {"$ref": "#/$defs/options"}
    tables = {"type": "object", "additionalProperties": table}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llmbatch.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {DEFAULTS: table, PROFILE: tables, TASK: tables},
        "$defs": {
            "options": {
                "type": "object",
                "properties": dict(sorted(options.items())),
                "patternProperties": {"-": True},
                "additionalProperties": False,
            }
        },
    }


def _property(declared: Declared) -> dict[str, Any]:
    option = declared.option
    limits = {"minimum": option.min, "maximum": option.max}
    return {
        "description": option.help,
        **({"type": ["number", "string"]} if option.is_share else _type(declared.type)),
        **{name: limit for name, limit in limits.items() if limit is not None},
    }


def _type(declared: Any) -> Mapping[str, Any]:
    kind = next((part for part in get_args(declared) if part is not NoneType), declared)
    if get_origin(declared) is list or get_origin(kind) is list:
        return {"type": ["array", "string"], "items": {"type": "string"}}
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return {"type": ["string", "number"] if kind is str else _TYPES[kind]}
