"""The value that a reviewer puts together where a task has more than one label to give."""

from collections.abc import Sequence

from llmbatch.task.fields import Label
from llmbatch.task.label_space import LabelSpace


def choosable(space: LabelSpace) -> Sequence[Label]:
    """What a reviewer can choose: the task's labels, or with several fields `topic=billing`; wide numbers are typed."""
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
    """A value that changes a part at a time."""

    def __init__(self, space: LabelSpace, text: str | None) -> None:
        """`text`: the value that it starts from; None where there is none."""
        self._space = space
        self._values = {} if text is None or text not in space else space.values(text)

    @property
    def text(self) -> str | None:
        """The canonical text; None while a field has no value."""
        return self._space.text(self._values)

    @property
    def missing(self) -> Sequence[str]:
        """The fields that have no value yet."""
        return [name for name in self._space.columns() if name not in self._values]

    @property
    def parts(self) -> frozenset[str]:
        """The parts that are chosen."""
        return frozenset(self._space.parts_of_values(self._values))

    def choose(self, part: str) -> None:
        """Give a field this value; where a field takes several labels, put the label in, or take it out."""
        self._values = self._space.with_part(self._values, part)
