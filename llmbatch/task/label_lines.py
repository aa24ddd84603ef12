"""How a label is described to the model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the simulator imports this module for the prompt's form, and starts faster without pydantic
    from llmbatch.task.fields import Label, TaskField

NO_CANDIDATE = "none"
"""The answer if none of the labels listed for a document fits."""
LIST_HEADING, FIELD_LIST_HEADING = "# Labels for this document", "# Labels of {} for this document"
"""Headings of such a list: of the only field, and of one of several fields."""
NUMBERED_LIST = "numbered list"
"""How prompts refer to such a list."""


def described(field: "TaskField", label: "Label") -> str:
    """A label of a long list in one line: the groups above it, its name and its description."""
    return label_line(" > ".join(field.tree.path(label.name)), label.description)


def label_line(name: str, description: str) -> str:
    """A name and its description in one line; line breaks in the description become spaces."""
    return f"{name}: {' '.join(description.split())}" if description.strip() else name
