"""A descent through the groups of a tree of labels: each request lists what is directly in one of them.

The list of a group is the same for all rows that reach it, so it is in the prefix: one cached prefix per group.
Answers are numbers, as for labels that are retrieved for each document, and a list's schema allows no others. If the
model answers that none of a list fits, the labels of the whole tree with most in common with the document are listed.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import orjson

from llmbatch.task.candidates import Candidates, Ranking, Shortlist
from llmbatch.task.fields import Label
from llmbatch.task.label_lines import FIELD_LIST_HEADING, LIST_HEADING, described
from llmbatch.task.model import Task

LONGEST_LIST = 500
"""Maximum labels directly in one group: models confuse longer lists, and strict schemas accept hardly more."""
_NAMED = 12
"""Maximum number of a group's labels named in its line."""


class Descent(Candidates):
    """Lists labels group by group, from the top of the tree down."""

    def __init__(self, task: Task) -> None:
        """`task` has a single field with one label, whose labels are in groups."""
        field = task.label_space.fields[0]
        self._tree = field.tree
        self._lists: Mapping[str | None, Sequence[Label]] = {
            name: (*([label] if label is not None and label.allow_inner else []), *self._tree.children(name))
            for name, label in ((None, None), *((label.name, label) for label in field.labels))
            if self._tree.children(name)
        }
        super().__init__(task, max(map(len, self._lists.values())))
        self._field = field

    @property
    def summary(self) -> str:
        """See `Candidates`."""
        of = f"of {len(self._field.answers):,} labels"
        return f"labels are listed level by level, in up to {self.levels} requests a row ({of})"

    @property
    def levels(self) -> int:
        """Number of requests down to the deepest label."""
        return self._tree.depth

    @property
    def digest(self) -> str:
        """See `Candidates`."""
        return hashlib.blake2b(orjson.dumps(["levels", super().digest]), digest_size=8).hexdigest()

    def lists(self) -> Sequence[Sequence[str]]:
        """The text of each list, level by level."""
        levels: list[list[str]] = [[] for _ in range(self.levels)]
        for name in self._lists:
            levels[0 if name is None else len(self._tree.path(name))].append(self._under(name, 1.0).text)
        return levels

    def shortlist(self, text: str, none_of: Collection[str] = ()) -> Shortlist:
        """The top of the tree; if none of a list fits, labels of all groups that a search finds."""
        return replace(super().shortlist(text), is_wider=True) if none_of else self._under(None, 1.0)

    def following(self, text: str, answer: str, confidence: float, shortlist: Shortlist) -> Shortlist | None:
        """See `Candidates`: the list of the chosen group."""
        if shortlist.is_wider:
            return None
        if none_of := self.none_of(answer):
            return self.shortlist(text, none_of)
        number = str(self.space.cells_of(answer)[self._field.name])
        chosen = shortlist.names[self._field.name][int(number) - 1]
        if chosen == shortlist.group or chosen not in self._lists:
            return None
        return self._under(chosen, shortlist.sureness * confidence)

    def whole_ranking(self, text: str) -> Ranking | None:  # noqa: ARG002 - nothing is retrieved
        """None: every label can be reached, so none is ranked."""
        return None

    def longest_text(self) -> str:
        """See `Candidates`."""
        return max((*(text for level in self.lists() for text in level), super().longest_text()), key=len)

    def _under(self, name: str | None, sureness: float) -> Shortlist:
        labels = self._lists[name]
        heading = LIST_HEADING if self.task_space.is_plain else FIELD_LIST_HEADING.format(self._field.name)
        lines = (f"{number}. {self._line(label, name)}\n" for number, label in enumerate(labels, 1))
        names = {self._field.name: tuple(label.name for label in labels)}
        return Shortlist(f"{heading}\n{''.join(lines)}", names, is_shared=True, group=name, sureness=sureness)

    def _line(self, label: Label, group: str | None) -> str:
        """A label; for a group, also some of its labels, which show the model what it contains."""
        line = described(self._field, label)
        if label.name == group:
            return f"{line} (only where none of the others is right)"
        under = [child.name for child in self._tree.children(label.name)]
        if not under:
            return line
        more = ", ..." if len(under) > _NAMED else ""
        return f"{line} (a group, with {', '.join(under[:_NAMED])}{more})"
