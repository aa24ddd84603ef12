"""Describes what is wrong with a task file, in one actionable line.

pydantic knows which field is wrong, but reports types and dictionaries. Here its first error becomes a sentence about
the file, with the line number if known.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmbatch.core.errors import UsageError
from llmbatch.task.fields import Label, TaskField, folded
from llmbatch.task.model import Example, ModelDefaults, Task

_PARTS: Mapping[str, type[BaseModel]] = {
    "labels": Label,
    "fields": TaskField,
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
    "greater_than_equal": "must be at least {ge:g}, not {input}",
    "less_than_equal": "must be at most {le:g}, not {input}",
    "tuple_type": "must be a list, not {kind}",
    "model_type": "must be a table, not {kind}",
    "too_short": "are too few: a task needs at least {min_length}, and this one has {actual_length}",
}

_SECTIONS = ("labels", "fields", "examples", "pool")

Location = tuple[int | str, ...]


def first_mistake(error: ValidationError, *, data: Mapping[str, Any], text: str, source: str) -> UsageError:
    """The error for a file that is valid TOML but not a valid task.

    Args:
        error: what pydantic found.
        data: the file as parsed.
        text: the file's content, to find lines in.
        source: what to call the file.
    """
    # A misspelt field also looks missing; report the misspelling.
    found = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    location = found["loc"] or _culprit(data)
    line = _line_of(location, text, data)
    place = source if line is None else f"{source}:{line}"
    return UsageError(f"{place}: {_sentence(found, data)}", hint=_hint(found, location, data))


def _sentence(found: ErrorDetails, data: Mapping[str, Any]) -> str:
    location = found["loc"]
    match found["type"]:
        case "string_pattern_mismatch" if _is_field_name(location):
            return f"{_path(location)} must begin with a letter and contain only letters, digits and _"
        case "value_error":
            return str(found["ctx"]["error"])
        case "extra_forbidden":
            return f"unknown field {_path(location)}{_owner(location, data)}"
        case kind if kind in _SENTENCES:
            details = {"kind": _kind(found["input"]), "input": found["input"], **found.get("ctx", {})}
            return f"{_path(location)}{_owner(location, data)} {_SENTENCES[kind].format_map(details)}"
        case _:
            return f"{_path(location)}{_owner(location, data)}: {found['msg']}"


def _is_field_name(location: Location) -> bool:
    match location:
        case ("fields", int(), "name"):
            return True
    return False


def _hint(found: ErrorDetails, location: Location, data: Mapping[str, Any]) -> str | None:
    if found["type"] == "extra_forbidden":
        return _unknown_field_hint(location)
    match location:
        case (str(part),) | (str(part), int()) if part in _SECTIONS and (found["loc"] or part not in data):
            return f"Each one is a separate section that starts with the line [[{part}]]."
        case ("fields", int(), "labels") | ("fields", int(), "labels", int()) if found["loc"]:
            return "Each one is a separate section below its field that starts with the line [[fields.labels]]."
        case ("examples" | "pool" as part, int(number), "label") if found["type"] == "value_error":
            return _unknown_label_hint(data[part][number]["label"], data)
    return None


def _unknown_field_hint(location: Location) -> str:
    field = str(location[-1])
    fields = list(_part_at(location).model_fields)
    if location == ("model", "model"):
        return "Did you mean name?"
    if len(location) > 1 and field in Task.model_fields and field != "name":
        return f"{field} belongs at the top of the file, above the first section in brackets."
    close = get_close_matches(field, fields, n=1)
    return f"Did you mean {close[0]}?" if close else f"The fields here are {', '.join(fields)}."


def _part_at(location: Location) -> type[BaseModel]:
    """The part of a task file that a field is in."""
    match location:
        case ("fields", int(), "labels", *_, str()):
            return Label
        case (str(part), *_, str()):
            return _PARTS[part]
    return Task


def _unknown_label_hint(spelling: str, data: Mapping[str, Any]) -> str:
    names = [label["name"] for label in data["labels"]]
    for label in data["labels"]:
        if folded(spelling) in {folded(s) for s in (label["name"], *label.get("aliases", ()))}:
            return f"Use the label's name as listed: {label['name']!r}."
    close = get_close_matches(spelling, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else "An example's label must be one of the task's labels."


def _culprit(data: Mapping[str, Any]) -> Location:
    """The location of a conflict between two parts: the later of two equal spellings, or an example's label."""
    if "labels" not in data:
        return () if "fields" in data else ("labels",)
    if "fields" in data:
        return ("fields", 0)
    owners: dict[str, int] = {}
    for number, label in enumerate(data["labels"]):
        for spelling in (label["name"], *label.get("aliases", ())):
            if not folded(spelling) or owners.setdefault(folded(spelling), number) != number:
                return ("labels", number)
    names = {label["name"] for label in data["labels"]}
    for part in ("examples", "pool"):
        for number, example in enumerate(data.get(part, ())):
            if "label" not in example:
                return (part, number)
            if example["label"] not in names:
                return (part, number, "label")
    return ()


def _path(location: Location) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in location)
    return "".join(steps).removeprefix(".")


def _shown(field: str) -> str:
    return field if field.isprintable() else repr(field)


def _owner(location: Location, data: Mapping[str, Any]) -> str:
    """The name of the label that a field belongs to, easier to find than its number."""
    match location:
        case ("labels", int(number), field, *_) if field != "name":
            name = data["labels"][number].get("name")
            return f" (label {name!r})" if isinstance(name, str) else ""
        case ("fields", int(number), field, *_) if field != "name":
            name = data["fields"][number].get("name")
            return f" (field {name!r})" if isinstance(name, str) else ""
    return ""


def _kind(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a date or time")


def _line_of(location: Location, text: str, data: Mapping[str, Any]) -> int | None:
    """The line (1-based) of a field, or of its section; None if it cannot be determined."""
    lines = text.split("\n")
    match location:
        case ("fields", int(owner), "labels", int(number), *rest):
            labels = [field.get("labels", ()) for field in data["fields"]]
            before = sum(map(len, labels[:owner]))
            return _line_in_section(lines, r"fields\.labels", before + number, sum(map(len, labels)), rest)
        case (str(part), int(number), *rest) if part in _SECTIONS:
            return _line_in_section(lines, part, number, len(data[part]), rest)
        case (str(field), *_):
            found = list(_matching(lines, rf"(\[\[?\s*)?{re.escape(field)}\s*[=\]]"))
            return found[0] if len(found) == 1 else None
    return None


def _line_in_section(lines: list[str], section: str, number: int, sections: int, rest: list[int | str]) -> int | None:
    """The line of a field in the section `[[section]]` of that number, or else of the section itself."""
    starts = list(_matching(lines, rf"\[\[\s*{section}\s*\]\]"))
    if len(starts) != sections:  # an inline list, or such a line inside a text
        return None
    end = next((n for n in _matching(lines, r"\[") if n > starts[number]), len(lines) + 1)
    fields = _matching(lines, rf"{re.escape(str(rest[0]))}\s*=") if rest else ()
    inside = [n for n in fields if starts[number] < n < end]
    return inside[0] if len(inside) == 1 else starts[number]


def _matching(lines: list[str], pattern: str) -> Iterator[int]:
    return (number for number, line in enumerate(lines, start=1) if re.match(rf"\s*{pattern}", line))
