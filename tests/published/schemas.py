"""OpenAI's published schemas, and how JSON data violates them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_SPECIFICATION: dict[str, Any] = json.loads(Path(__file__).with_name("openai.json").read_bytes())


def breaches(name: str, data: Any) -> list[str]:
    """Violations of the named schema, as messages; includes unknown top-level fields."""
    broken = [f"{error.json_path}: {error.message:.200}" for error in _validator(name).iter_errors(data)]
    return broken + [f"$.{field}: unknown" for field in data if field not in _fields(name)]


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **_SPECIFICATION})


@cache
def _fields(name: str) -> frozenset[str]:
    schema = _SPECIFICATION["components"]["schemas"][name]
    parts = [part["$ref"].rsplit("/")[-1] for part in schema.get("allOf", ()) if "$ref" in part]
    own = [*schema.get("properties", ()), *(n for part in schema.get("allOf", ()) for n in part.get("properties", ()))]
    return frozenset(own).union(*map(_fields, parts))
