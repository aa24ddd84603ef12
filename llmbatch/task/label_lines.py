"""How a label is described to the model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the simulator knows the prompt's form, and starts quicker without pydantic
    from llmbatch.task.fields import Label, TaskField

NO_CANDIDATE = "none"
"""What stands for no label of a document's own list, in an answer."""
LIST_HEADING, FIELD_LIST_HEADING = "# Labels for this document", "# Labels of {} for this document"
"""What stands above such a list."""
NUMBERED_LIST = "numbered list"
"""How prompts call it."""


def described(field: "TaskField", label: "Label") -> str:
    """A label of a long list, with the groups that it lies under and what belongs there, in one line."""
    return label_line(" > ".join(field.tree.path(label.name)), label.description)


def label_line(name: str, description: str) -> str:
    """A name and its description, whose line breaks count as spaces."""
    return f"{name}: {' '.join(description.split())}" if description.strip() else name
