"""Finds the labels of a field that may fit a document, by everything known about them."""

import re
from collections.abc import Mapping, Sequence

from llmbatch.task.fields import Label, TaskField
from llmbatch.task.text_search import TextSearch

_NAME_WEIGHT = 2
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARKS = re.compile(r"[_/.\-:]+")


def label_search(field: TaskField, examples: Mapping[str, Sequence[str]]) -> TextSearch:
    """A search that ranks the labels of a field and returns their positions among the field's answers.

    Args:
        field: the field.
        examples: example texts by their right label.
    """
    return TextSearch(lambda: (_profile(field, label, examples.get(label.name, ())) for label in field.answers))


def described_in_words(field: TaskField, label: Label) -> str:
    """A label's name, groups, aliases and description, each on its own line, with names split into words."""
    return _described(field, label, times=1)


def _profile(field: TaskField, label: Label, examples: Sequence[str]) -> str:
    """Everything known about a label, as one text."""
    return "\n".join([_described(field, label, times=_NAME_WEIGHT), *examples])


def _described(field: TaskField, label: Label, *, times: int) -> str:
    names = [*[label.name] * times, *field.tree.path(label.name)[:-1], *label.aliases]
    words = [(_MARKS.sub(" ", _CAMEL.sub(" ", name)).strip() or name) for name in names]
    return "\n".join([*words, label.description])
