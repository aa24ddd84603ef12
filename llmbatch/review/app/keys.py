"""Which key stands for which label."""

from collections.abc import Mapping, Sequence

from llmbatch.task.fields import Label

COMMANDS = "fnqsu"
"""Letters that do something else: find, note, quit, skip, undo."""
LABEL_KEYS = "1234567890" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in COMMANDS)


def label_keys(labels: Sequence[Label]) -> Mapping[str, Label]:
    """The label of each key, in the task's order; none where labels outnumber keys: then they are picked by name."""
    return dict(zip(LABEL_KEYS, labels, strict=False)) if len(labels) <= len(LABEL_KEYS) else {}
