"""Extracts from a prompt what it says about the labels: descriptions and examples.

The counterpart of `llmbatch.task.prefix`, for prompts with its sections. For other prompts, only the labels of the
answer's schema are known, and documents are compared only with their names.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from llmbatch.task.fence import build_document
from llmbatch.task.prefix import EXAMPLES_HEADING, FIELD_HEADING, SIMILAR_HEADING

_OPEN, _CLOSE = build_document("\0").split("\0")
_SECTION = re.compile(r"^# Labels\n((?:(?:- |Group ).*\n?)+)", re.MULTILINE)
_EXAMPLE = re.compile(re.escape(_OPEN) + r"(.*?)" + re.escape(_CLOSE) + r"\n(\{[^\n]*\})$", re.DOTALL | re.MULTILINE)
_EXAMPLES = f"\n{EXAMPLES_HEADING}"
_FIELD = re.compile(
    rf"^{FIELD_HEADING.format('(?P<name>[A-Za-z][A-Za-z0-9_]*)')}(?P<wanted>.*)\n(?P<rest>(?:(?!# ).*\n?)*)",
    re.MULTILINE,
)
_BOUNDS = re.compile(r"A number from (\S+) to (\S+)\.")
_LABEL_LINES = re.compile(r"^- (.*)$", re.MULTILINE)
_LISTING = re.compile(r"^# Labels(?: of (?P<name>\w+))? for this document\n(?P<lines>(?:\d+\. .*\n)+)", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)
_KINDS = {
    "One label": "single",
    "All labels": "multi",
    "Each label": "multi",
    "A number": "number",
    "true or": "yes-no",
}
"""The kind of a field by the first two words of its requirement."""


@dataclass(frozen=True, slots=True)
class LabelText:
    """Everything that a prompt says about one label."""

    name: str
    description: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldText:
    """Everything that a prompt says about one of several fields."""

    name: str
    kind: str
    labels: tuple[LabelText, ...]
    bounds: tuple[float, float]
    is_decided: bool = False
    """Whether each of several labels is answered with true or false."""


def read_fields(prompt: str) -> tuple[FieldText, ...]:
    """The fields that a prompt describes; empty if it asks for a single label."""
    found = []
    for section in _FIELD.finditer(prompt.partition(_EXAMPLES)[0]):
        kind = _KINDS.get(" ".join(section["wanted"].split()[:2]))
        if kind is not None:
            lines = (_line(line, None) for line in _LABEL_LINES.findall(section["rest"]))
            bounds = _BOUNDS.match(section["wanted"])
            limits = (float(bounds[1]), float(bounds[2])) if bounds else (0.0, 1.0)
            labels = tuple(LabelText(name, description, ()) for name, description in lines)
            is_decided = section["wanted"].startswith("Each")
            found.append(FieldText(section["name"], kind, labels, limits, is_decided))
    return tuple(found)


def read_labels(prompt: str, names: Sequence[str] | None, key: str = "category") -> tuple[LabelText, ...]:
    """The labels that a prompt describes.

    Args:
        prompt: the instructions, as one text.
        names: the labels in the answer's schema; None uses those that the prompt lists.
        key: of the label in the answer: a field's name, if the prompt describes several.

    Returns:
        One per label, in the order of `names` or of the prompt; empty if neither names any.
    """
    described, rest = _described_field(prompt, key, names) or _described(prompt, names)
    if names is not None:
        described = {name: described.get(name, "") for name in names}
    examples: dict[str, list[str]] = {name: [] for name in described}
    for text, label in _examples(rest, key):
        if label in examples:
            examples[label].append(text)
    return tuple(LabelText(name, text, tuple(examples[name])) for name, text in described.items())


def read_listing(message: str) -> dict[str, tuple[LabelText, ...]]:
    """The labels listed before a document, by the field's name: each named by its number."""
    listing, fence, _ = message.partition(_OPEN)
    return read_prefix_listing(listing if fence else "")


def read_prefix_listing(prompt: str) -> dict[str, tuple[LabelText, ...]]:
    """The same for a list in the prompt, for all documents."""
    found = {}
    for section in _LISTING.finditer(prompt):
        lines = _NUMBERED.findall(section["lines"])
        found[section["name"] or "category"] = tuple(LabelText(number, text, ()) for number, text in lines)
    return found


def read_similar(message: str, key: str) -> list[tuple[str, str]]:
    """Texts of the examples before a document, each with its right label."""
    before = message.rpartition(_OPEN)[0]
    return list(_found_examples(before, key)) if SIMILAR_HEADING in before else []


def unfenced(message: str) -> str:
    """The document in a message, without the fence that marks it as data and without a list of labels before it."""
    if message.startswith(SIMILAR_HEADING) or _LISTING.match(message):
        message = message.rpartition(_OPEN)[2]
    return message.removeprefix(_OPEN).removesuffix(_CLOSE)


def names_key(prompt: str, key: str) -> bool:
    """Whether a prompt asks for a key in the answer, if there is no schema."""
    return f'"{key}"' in prompt


def _described(prompt: str, names: Sequence[str] | None) -> tuple[dict[str, str], str]:
    """Descriptions by label, and what follows them. Instructions may contain a list that only looks like labels."""
    known = None if names is None else frozenset(names)
    for section in _SECTION.finditer(prompt):
        described = dict(_line(line, known) for line in _LABEL_LINES.findall(section[1]))
        if known is None or described.keys() >= known:
            return described, prompt[section.end() :]
    return {}, prompt


def _line(line: str, known: frozenset[str] | None) -> tuple[str, str]:
    """A label and its description. A name may contain a colon itself: the longest known one counts."""
    if known is not None:
        if line in known:
            return line, ""
        cut = line.rfind(": ")
        while cut != -1:
            if line[:cut] in known:
                return line[:cut], line[cut + 2 :]
            cut = line.rfind(": ", 0, cut)
    name, _, description = line.partition(": ")
    return name, description


def _described_field(prompt: str, key: str, names: Sequence[str] | None) -> tuple[dict[str, str], str] | None:
    """The same for one field of several; None if the prompt has no such section."""
    for section in _FIELD.finditer(prompt):
        if section["name"] == key:
            known = None if names is None else frozenset(names)
            described = dict(_line(line, known) for line in _LABEL_LINES.findall(section["rest"]))
            return described, prompt[section.end() - 1 :]
    return None


def _examples(text: str, key: str) -> Iterator[tuple[str, str]]:
    """Texts with the labels in the answers below them."""
    yield from _found_examples(text.partition(_EXAMPLES)[2], key)


def _found_examples(section: str, key: str) -> Iterator[tuple[str, str]]:
    for example in _EXAMPLE.finditer(section):
        try:
            labels = orjson.loads(example[2]).get(key)
        except orjson.JSONDecodeError:
            continue
        if isinstance(labels, dict):
            labels = [name for name, is_right in labels.items() if is_right is True]
        for label in labels if isinstance(labels, list) else [labels]:
            name = label.get("label") if isinstance(label, dict) else label
            if isinstance(name, str):
                yield example[1], name
