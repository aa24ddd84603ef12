"""Labels that lie under others: which of them are answers, and the way to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a field knows its tree, and a tree the labels of a field
    from llmbatch.task.fields import Label

_STEP = "/"


@dataclass(frozen=True, slots=True)
class Group:
    """An inner label with the answers right under it; at the top of the tree there is no label."""

    path: tuple[str, ...]
    label: "Label | None"
    answers: "tuple[Label, ...]"
    """Its own label first, where that is an answer too."""


class LabelTree:
    """The labels of a field by their parents. Of labels without any, all are answers.

    A label's parent is the one that it names, or the one that its own name begins with: `billing/refund` lies under
    `billing`, where there is such a label.
    """

    def __init__(self, labels: "Sequence[Label]") -> None:
        """Build it.

        Raises:
            ValueError: a parent is not among the labels, or a label lies under itself.
        """
        self._labels = {label.name: label for label in labels}
        self._parents = {name: self._parent(label) for name, label in self._labels.items()}
        self._paths: Mapping[str, tuple[str, ...]] = {name: self._path(name) for name in self._labels}
        inner = set(self._parents.values())
        for label in labels:
            if label.allow_inner and label.name not in inner:
                raise ValueError(f"label {label.name!r} has allow_inner, and no label lies under it")

    @property
    def is_flat(self) -> bool:
        """Whether no label lies under another."""
        return not any(self._parents.values())

    @cached_property
    def answers(self) -> "tuple[Label, ...]":
        """The labels that can be given: the leaves, and inner ones that allow it; group by group."""
        return tuple(label for group in self.groups() for label in group.answers)

    def groups(self) -> Sequence[Group]:
        """The top of the tree, then each inner label, from the top down, those of one parent in the file's order."""
        return list(self._groups_under(None))

    def children(self, name: str | None) -> "Sequence[Label]":
        """The labels right under one; None for those at the top."""
        return self._children.get(name, ())

    def path(self, name: str) -> tuple[str, ...]:
        """The labels from the top of the tree to this one, itself last.

        Raises:
            KeyError: it is none of the labels.
        """
        return self._paths[name]

    def count(self, level: int) -> int:
        """How many labels lie at a level, 1 being the top."""
        return sum(len(path) == level for path in self._paths.values())

    @property
    def depth(self) -> int:
        """Of the deepest label; 1 where the tree is flat."""
        return max(map(len, self._paths.values()), default=0)

    @cached_property
    def _children(self) -> "Mapping[str | None, Sequence[Label]]":
        children: dict[str | None, list[Label]] = {}
        for name, parent in self._parents.items():
            children.setdefault(parent, []).append(self._labels[name])
        return children

    def _groups_under(self, name: str | None) -> Sequence[Group]:
        label = None if name is None else self._labels[name]
        leaves = [child for child in self.children(name) if child.name not in self._children]
        own = (label,) if label is not None and label.allow_inner else ()
        groups = [Group(() if name is None else self._paths[name], label, (*own, *leaves))]
        for child in self.children(name):
            if child.name in self._children:
                groups += self._groups_under(child.name)
        return groups

    def _parent(self, label: "Label") -> str | None:
        if label.parent is not None:
            if label.parent not in self._labels:
                raise ValueError(f"label {label.name!r} has the parent {label.parent!r}, which is none of the labels")
            return label.parent
        beginning = label.name.rpartition(_STEP)[0]
        while beginning and beginning not in self._labels:
            beginning = beginning.rpartition(_STEP)[0]
        return beginning or None

    def _path(self, name: str) -> tuple[str, ...]:
        path: list[str] = []
        step: str | None = name
        while step is not None:
            if step in path:
                raise ValueError(f"label {name!r} lies under itself: {' < '.join([*path, step])}")
            path.append(step)
            step = self._parents[step]
        return tuple(reversed(path))
