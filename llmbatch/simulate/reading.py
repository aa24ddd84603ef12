"""Reads back out of a prompt what it says about the labels: descriptions and examples.

The counterpart of `llmbatch.task.prefix`, for prompts that have its sections. With other prompts the labels of the
answer's schema are all that is known, and their names all that a document is compared with.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from llmbatch.task.fence import build_document

_OPEN, _CLOSE = build_document("\0").split("\0")
_SECTION = re.compile(r"^# Labels\n((?:- .*\n?)+)", re.MULTILINE)
_EXAMPLE = re.compile(re.escape(_OPEN) + r"(.*?)" + re.escape(_CLOSE) + r"\n(\{[^\n]*\})$", re.DOTALL | re.MULTILINE)
_EXAMPLES = "\n# Examples\n"


@dataclass(frozen=True, slots=True)
class LabelText:
    """All that a prompt says about one label."""

    name: str
    description: str
    examples: tuple[str, ...]


def read_labels(prompt: str, names: Sequence[str] | None) -> tuple[LabelText, ...]:
    """The labels that a prompt describes.

    Args:
        prompt: the instructions, as one text.
        names: the labels by the answer's schema; None takes those that the prompt lists.

    Returns:
        One a label, in the order of `names` or of the prompt; none where neither names any.
    """
    described, rest = _described(prompt, names)
    if names is not None:
        described = {name: described.get(name, "") for name in names}
    examples: dict[str, list[str]] = {name: [] for name in described}
    for text, label in _examples(rest):
        if label in examples:
            examples[label].append(text)
    return tuple(LabelText(name, text, tuple(examples[name])) for name, text in described.items())


def unfenced(message: str) -> str:
    """The document in a message, without the fence that marks it as data."""
    return message.removeprefix(_OPEN).removesuffix(_CLOSE)


def names_key(prompt: str, key: str) -> bool:
    """Whether a prompt asks for a key in the answer, where no schema says so."""
    return f'"{key}"' in prompt


def _described(prompt: str, names: Sequence[str] | None) -> tuple[dict[str, str], str]:
    """Descriptions by label, and what follows them. Instructions may hold a list that only looks like the labels'."""
    known = None if names is None else frozenset(names)
    for section in _SECTION.finditer(prompt):
        described = dict(_line(line[2:], known) for line in section[1].rstrip("\n").split("\n"))
        if known is None or described.keys() >= known:
            return described, prompt[section.end() :]
    return {}, prompt


def _line(line: str, known: frozenset[str] | None) -> tuple[str, str]:
    """A label and its description. A name may hold a colon itself: the longest known one counts."""
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


def _examples(text: str) -> Iterator[tuple[str, str]]:
    """Texts with the labels that the answers under them give."""
    _, _, section = text.partition(_EXAMPLES)
    for example in _EXAMPLE.finditer(section):
        try:
            label = orjson.loads(example[2]).get("category")
        except orjson.JSONDecodeError:
            continue
        if isinstance(label, str):
            yield example[1], label
