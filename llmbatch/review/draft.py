"""The value that a reviewer builds up if a task takes more than one label."""

from collections.abc import Sequence

from llmbatch.task.fields import Label
from llmbatch.task.label_space import LabelSpace


def choosable(space: LabelSpace) -> Sequence[Label]:
    """A reviewer's choices: the task's labels, or `topic=billing` with several fields; wide ranges are typed."""
    if space.takes_one_label:
        return space.labels
    found: list[Label] = []
    for field, parts in space.parts_by_field():
        labels = {label.name: label for label in field.labels}
        for name, part in parts.items():
            of_task = labels.get(name)
            found.append(
                Label.model_construct(name=part) if of_task is None else of_task.model_copy(update={"name": part})
            )
    return found


class Draft:
    """A value edited one part at a time."""

    def __init__(self, space: LabelSpace, text: str | None) -> None:
        """`text` is the initial value, or None."""
        self._space = space
        self._values = {} if text is None or text not in space else space.values(text)

    @property
    def text(self) -> str | None:
        """The canonical text; None while a field has no value."""
        return self._space.text(self._values)

    @property
    def missing(self) -> Sequence[str]:
        """The fields without a value."""
        return [name for name in self._space.columns() if name not in self._values]

    @property
    def parts(self) -> frozenset[str]:
        """The chosen parts."""
        return frozenset(self._space.parts_of_values(self._values))

    def choose(self, part: str) -> None:
        """Set a field to this value; for a multi-label field, toggle the label."""
        self._values = self._space.with_part(self._values, part)
