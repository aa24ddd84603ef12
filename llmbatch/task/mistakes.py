"""What is wrong with a task file, in a line that its author can act on.

pydantic knows which field is wrong, but speaks of types and dictionaries. Here its first error becomes a
sentence about the file, with the line where the lines can be told.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmbatch.core.errors import UsageError
from llmbatch.task.model import Example, Label, ModelDefaults, Task, folded

_PARTS: Mapping[str, type[BaseModel]] = {
    "labels": Label,
    "examples": Example,
    "pool": Example,
    "model": ModelDefaults,
}
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    (bool, "true or false"),
    ((int, float), "a number"),
    (list, "a list"),
    (dict, "a table"),
)
_NUMBER = "must be a number, not {kind}"
_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text in quotes, not {kind}",
    "string_pattern_mismatch": "must be one line of text, not empty and without control characters",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "int_type": "must be a whole number, not {kind}",
    "int_parsing": "must be a whole number, not {kind}",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be at least {ge:g}, and is {input}",
    "less_than_equal": "must be at most {le:g}, and is {input}",
    "tuple_type": "must be a list, not {kind}",
    "model_type": "must be a table, not {kind}",
    "too_short": "are too few: a task needs at least {min_length}, and this one has {actual_length}",
}

Location = tuple[int | str, ...]


def first_mistake(error: ValidationError, *, data: Mapping[str, Any], text: str, source: str) -> UsageError:
    """The error to show for a task file that is TOML but no task.

    Args:
        error: what pydantic found.
        data: the file as parsed.
        text: the file's content, to find lines in.
        source: what to call the file.
    """
    # A misspelt field is also a missing one; the misspelling is what is to be mended.
    found = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    location = found["loc"] or _culprit(data)
    line = _line_of(location, text, data)
    place = source if line is None else f"{source}:{line}"
    return UsageError(f"{place}: {_sentence(found, data)}", hint=_hint(found, location, data))


def _sentence(found: ErrorDetails, data: Mapping[str, Any]) -> str:
    location = found["loc"]
    match found["type"]:
        case "value_error":
            return str(found["ctx"]["error"])
        case "extra_forbidden":
            return f"unknown field {_path(location)}{_owner(location, data)}"
        case kind if kind in _SENTENCES:
            details = {"kind": _kind(found["input"]), "input": found["input"], **found.get("ctx", {})}
            return f"{_path(location)}{_owner(location, data)} {_SENTENCES[kind].format_map(details)}"
        case _:
            return f"{_path(location)}{_owner(location, data)}: {found['msg']}"


def _hint(found: ErrorDetails, location: Location, data: Mapping[str, Any]) -> str | None:
    if found["type"] == "extra_forbidden":
        return _unknown_field_hint(location)
    match location:
        case ("labels" | "examples" | "pool" as part,) | ("labels" | "examples" | "pool" as part, int()) if found[
            "loc"
        ]:
            return f"Each of them is a section of its own, which starts with the line [[{part}]]."
        case ("examples" | "pool" as part, int(number), "label") if found["type"] == "value_error":
            return _unknown_label_hint(data[part][number]["label"], data)
    return None


def _unknown_field_hint(location: Location) -> str:
    field = str(location[-1])
    fields = list((_PARTS[str(location[0])] if len(location) > 1 else Task).model_fields)
    if len(location) > 1 and field in Task.model_fields and field != "name":
        return f"{field} belongs at the top of the file, above the first section in brackets."
    close = get_close_matches(field, fields, n=1)
    return f"Did you mean {close[0]}?" if close else f"The fields here are {', '.join(fields)}."


def _unknown_label_hint(spelling: str, data: Mapping[str, Any]) -> str:
    names = [label["name"] for label in data["labels"]]
    for label in data["labels"]:
        if folded(spelling) in {folded(s) for s in (label["name"], *label.get("aliases", ()))}:
            return f"Write the label's name as it is listed: {label['name']!r}."
    close = get_close_matches(spelling, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else "An example's label is one of the task's labels."


def _culprit(data: Mapping[str, Any]) -> Location:
    """Where a fault between two parts lies: the later of two equal spellings, or an example's label."""
    owners: dict[str, int] = {}
    for number, label in enumerate(data["labels"]):
        for spelling in (label["name"], *label.get("aliases", ())):
            if not folded(spelling) or owners.setdefault(folded(spelling), number) != number:
                return ("labels", number)
    names = {label["name"] for label in data["labels"]}
    for part in ("examples", "pool"):
        for number, example in enumerate(data.get(part, ())):
            if example["label"] not in names:
                return (part, number, "label")
    return ()


def _path(location: Location) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in location)
    return "".join(steps).removeprefix(".")


def _shown(field: str) -> str:
    return field if field.isprintable() else repr(field)


def _owner(location: Location, data: Mapping[str, Any]) -> str:
    """The label that a field belongs to, by name: easier to find than its number."""
    match location:
        case ("labels", int(number), field, *_) if field != "name":
            name = data["labels"][number].get("name")
            return f" (label {name!r})" if isinstance(name, str) else ""
    return ""


def _kind(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a date or time")


def _line_of(location: Location, text: str, data: Mapping[str, Any]) -> int | None:
    """The line (1-based) of a field, or of its section; None where the layout leaves it open."""
    lines = text.split("\n")
    match location:
        case ("labels" | "examples" | "pool" as part, int(number), *rest):
            starts = list(_matching(lines, rf"\[\[\s*{part}\s*\]\]"))
            if len(starts) != len(data[part]):  # an inline list, or such a line inside a text
                return None
            ends = (n for n in _matching(lines, r"\[") if n > starts[number])
            fields = _matching(lines, rf"{re.escape(str(rest[0]))}\s*=") if rest else ()
            inside = [n for n in fields if starts[number] < n < next(ends, len(lines) + 1)]
            return inside[0] if len(inside) == 1 else starts[number]
        case (str(field), *_):
            found = list(_matching(lines, rf"(\[\[?\s*)?{re.escape(field)}\s*[=\]]"))
            return found[0] if len(found) == 1 else None
    return None


def _matching(lines: list[str], pattern: str) -> Iterator[int]:
    return (number for number, line in enumerate(lines, start=1) if re.match(rf"\s*{pattern}", line))
