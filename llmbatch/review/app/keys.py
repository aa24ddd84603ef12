"""The assignment of keys to labels."""

from collections.abc import Collection, Mapping, Sequence

from llmbatch.review.item import ReviewItem
from llmbatch.review.likely import LikelyLabels
from llmbatch.task.fields import Label
from llmbatch.task.label_space import LabelSpace

COMMANDS = "fnqsu"
"""Letters reserved for other actions: find, note, quit, skip, undo."""
_DIGITS = "123456789"
LABEL_KEYS = _DIGITS + "0" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in COMMANDS)


def label_keys(labels: Sequence[Label]) -> Mapping[str, Label]:
    """The label of each key, in the task's order; empty if there are more labels than keys."""
    return dict(zip(LABEL_KEYS, labels, strict=False)) if len(labels) <= len(LABEL_KEYS) else {}


class LabelKeys:
    """The keys assigned to a row's labels.

    If there are more labels than keys, labels in groups are shown one group at a time. Otherwise the labels most likely
    for the row get the digits, and the others are picked by name.
    """

    def __init__(self, labels: Sequence[Label], space: LabelSpace, examples: Mapping[str, Sequence[str]]) -> None:
        """`labels` are all that can be chosen, `examples` the task's example texts by label."""
        self._flat = label_keys(labels)
        tree = space.fields[0].tree if space.takes_one_label else None
        self._tree = None if self._flat or tree is None or tree.is_flat else tree
        self._group: str | None = None
        self._likely = None if self._flat or self._tree else LikelyLabels(labels, examples)
        self._of_row: Mapping[str, Label] = {}

    @property
    def is_partial(self) -> bool:
        """Whether some labels have no key for this row."""
        return self._likely is not None

    @property
    def keys(self) -> Mapping[str, Label]:
        """The label or group of each key."""
        if self._tree is None:
            return self._flat or self._of_row
        inside = self._tree.children(self._group)
        own = [label for label in self._tree.answers if label.name == self._group]
        return label_keys([*own, *inside])

    @property
    def path(self) -> Sequence[str]:
        """The groups entered, from the top."""
        return () if self._tree is None or self._group is None else self._tree.path(self._group)

    def enter(self, label: Label) -> bool:
        """Show the labels of a group; false if the label is itself an answer."""
        is_group = self._tree is not None and label.name != self._group and bool(self._tree.children(label.name))
        if is_group:
            self._group = label.name
        return is_group

    def leave(self) -> None:
        """Go back up one group."""
        self._group = self.path[-2] if len(self.path) > 1 else None

    def begin(self, item: ReviewItem | None) -> None:
        """Start a row with the top-level labels, or with the ones most likely for it."""
        self._group = None
        if self._likely is not None:
            nearest = () if item is None else self._likely.nearest(item, len(_DIGITS))
            self._of_row = dict(zip(_DIGITS, nearest, strict=False))

    def marked(self, chosen: Collection[str]) -> Collection[str]:
        """The chosen labels and the groups that contain them."""
        if self._tree is None:
            return chosen
        return {step for name in chosen for step in self._tree.path(name)}
