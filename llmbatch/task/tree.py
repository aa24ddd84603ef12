"""Nested labels: which of them are answers, and the path to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `fields` imports this module
    from llmbatch.task.fields import Label

_STEP = "/"


@dataclass(frozen=True, slots=True)
class Group:
    """An inner label with the answers directly under it; at the top of the tree there is no label."""

    path: tuple[str, ...]
    label: "Label | None"
    answers: "tuple[Label, ...]"
    """Its own label first, if that is also an answer."""


class LabelTree:
    """The labels of a field by their parents. If no label has a parent, all are answers.

    A label's parent is the one that it names, or the one that its own name begins with: `billing/refund` is under
    `billing`, if there is such a label.
    """

    def __init__(self, labels: "Sequence[Label]") -> None:
        """Build the tree.

        Raises:
            ValueError: a parent is not among the labels, or a label is its own ancestor.
        """
        self._labels = {label.name: label for label in labels}
        self._parents = {name: self._parent(label) for name, label in self._labels.items()}
        self._paths: Mapping[str, tuple[str, ...]] = {name: self._path(name) for name in self._labels}
        inner = set(self._parents.values())
        for label in labels:
            if label.allow_inner and label.name not in inner:
                raise ValueError(f"label {label.name!r} has allow_inner, but no label is under it")

    @property
    def is_flat(self) -> bool:
        """Whether no labels are nested."""
        return not any(self._parents.values())

    @cached_property
    def answers(self) -> "tuple[Label, ...]":
        """The labels that are answers: the leaves, and inner labels that allow it; group by group."""
        return tuple(label for group in self.groups() for label in group.answers)

    def groups(self) -> Sequence[Group]:
        """The top of the tree, then each inner label, from the top down, siblings in the file's order."""
        return list(self._groups_under(None))

    def children(self, name: str | None) -> "Sequence[Label]":
        """The labels directly under one; None for the top."""
        return self._children.get(name, ())

    def path(self, name: str) -> tuple[str, ...]:
        """The labels from the top of the tree to this one, itself last.

        Raises:
            KeyError: it is not one of the labels.
        """
        return self._paths[name]

    def count(self, level: int) -> int:
        """The number of labels at a level, 1 being the top."""
        return sum(len(path) == level for path in self._paths.values())

    @property
    def depth(self) -> int:
        """The level of the deepest label; 1 if the tree is flat."""
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
                raise ValueError(f"label {label.name!r} has the parent {label.parent!r}, which is not a label")
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
                raise ValueError(f"label {name!r} is its own ancestor: {' < '.join([*path, step])}")
            path.append(step)
            step = self._parents[step]
        return tuple(reversed(path))
