"""Which key stands for which label."""

from collections.abc import Collection, Mapping, Sequence

from llmbatch.task.fields import Label
from llmbatch.task.label_space import LabelSpace

COMMANDS = "fnqsu"
"""Letters that do something else: find, note, quit, skip, undo."""
LABEL_KEYS = "1234567890" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in COMMANDS)


def label_keys(labels: Sequence[Label]) -> Mapping[str, Label]:
    """The label of each key, in the task's order; none where labels outnumber keys: then they are picked by name."""
    return dict(zip(LABEL_KEYS, labels, strict=False)) if len(labels) <= len(LABEL_KEYS) else {}


class LabelKeys:
    """The keys of a row's labels. Where labels outnumber keys and lie in groups, they are shown a group at a time."""

    def __init__(self, labels: Sequence[Label], space: LabelSpace) -> None:
        """`labels` are all that can be chosen."""
        self._flat = label_keys(labels)
        tree = space.fields[0].tree if space.takes_one_label else None
        self._tree = None if self._flat or tree is None or tree.is_flat else tree
        self._group: str | None = None

    @property
    def keys(self) -> Mapping[str, Label]:
        """The label or group of each key; none where labels are picked by name."""
        if self._tree is None:
            return self._flat
        inside = self._tree.children(self._group)
        own = [label for label in self._tree.answers if label.name == self._group]
        return label_keys([*own, *inside])

    @property
    def path(self) -> Sequence[str]:
        """The groups that were entered, from the top."""
        return () if self._tree is None or self._group is None else self._tree.path(self._group)

    def enter(self, label: Label) -> bool:
        """Show what lies under a label; false where it is an answer."""
        is_group = self._tree is not None and label.name != self._group and bool(self._tree.children(label.name))
        if is_group:
            self._group = label.name
        return is_group

    def leave(self) -> None:
        """Show the labels above."""
        self._group = self.path[-2] if len(self.path) > 1 else None

    def restart(self) -> None:
        """Show the labels at the top."""
        self._group = None

    def marked(self, chosen: Collection[str]) -> Collection[str]:
        """The labels that are chosen, and the groups that they lie in."""
        if self._tree is None:
            return chosen
        return {step for name in chosen for step in self._tree.path(name)}
