"""Labels retrieved for each document, if a field has too many to list them all in every request.

Answers are numbers: "1" is the first label of the document's own list, and so on. So the prompt's prefix and the
answer's schema are the same for all rows, whatever the labels; no schema is too large; no label can be invented. The
list precedes the document, in the same message. If a single label is asked for and the answer is that none fits, the
next best labels are listed once more.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson

from llmbatch.task.fields import FieldKind, Label, TaskField
from llmbatch.task.kind import InvalidAnswerError, Value
from llmbatch.task.kinds import names_in
from llmbatch.task.label_lines import FIELD_LIST_HEADING, LIST_HEADING, NO_CANDIDATE, described
from llmbatch.task.label_search import label_search
from llmbatch.task.label_space import LabelSpace, plain_space
from llmbatch.task.model import Task
from llmbatch.task.text_search import METHOD

Ranking = Mapping[str, Sequence[int]]
"""By field: labels by their positions among the field's answers, the most likely first."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The labels that a document's request lists."""

    text: str
    """The text before the document."""
    names: Mapping[str, tuple[str, ...]]
    """By field: the label that each number stands for, from 1."""
    is_wider: bool = False
    """Whether some of them are next-best labels, listed because the model chose none of the best."""
    is_shared: bool = False
    """Whether other rows have exactly the same list, so that it belongs in the prefix."""
    group: str | None = None
    """The group that contains them all, in a descent; None at the top."""
    sureness: float = 1.0
    """The model's confidence (0..1) in the choices that led here."""
    ranking: "Ranking" = dataclasses.field(default_factory=dict)
    """The ranking that the labels were chosen from."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many labels each field lists."""
        return tuple(map(len, self.names.values()))

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The possible answers, by field: its list's numbers, or that none fits."""
        return {name: (*_numbers(len(listed)), NO_CANDIDATE) for name, listed in self.names.items()}


NO_SHORTLIST = Shortlist("", {})


class Candidates:
    """Lists, for each document, the labels that may fit, and translates numbers back to labels."""

    embedding_model: str | None = None
    """The model whose embeddings retrieve labels; None retrieves them by their words."""

    def __init__(self, task: Task, most: int) -> None:
        """`most`: maximum labels on a list; fields that do not have more are listed completely, in the prefix."""
        self.most = most
        self._task = task
        self.task_space = task.label_space
        self.fields = tuple(
            field
            for field in self.task_space.fields
            if field.kind in (FieldKind.single, FieldKind.multi) and len(field.answers) > most
        )
        self._examples = _examples_by_label(task)
        self._search = {field.name: label_search(field, self._examples[field.name]) for field in self.fields}
        self._always = {field.name: tuple(label for label in field.answers if label.always) for field in self.fields}
        self.ranked = 2 * most + max(map(len, self._always.values()), default=0)
        """Length of a ranking: enough for two lists."""
        numbered = tuple(self._numbered(field) if field in self.fields else field for field in self.task_space.fields)
        self.space = (
            plain_space(numbered[0].labels) if self.task_space.is_plain else LabelSpace(numbered, is_plain=False)
        )
        """The possible answers."""

    @property
    def summary(self) -> str:
        """A summary, in one clause."""
        counts = ", ".join(f"{field.name} {len(field.answers):,}" for field in self.fields)
        of = f"{len(self.fields[0].answers):,}" if self.task_space.is_plain else counts
        return f"{self.most} labels are retrieved for each document (of {of})"

    @property
    def digest(self) -> str:
        """Digest of everything that determines the lists."""
        known = [[[label.model_dump() for label in field.labels], self._examples[field.name]] for field in self.fields]
        return hashlib.blake2b(orjson.dumps([METHOD, self.most, known]), digest_size=8).hexdigest()

    def shortlist(self, text: str, none_of: Collection[str] = ()) -> Shortlist:
        """The labels to list before a document; for the fields `none_of` the next best, since none of the best fits."""
        return self.listed(self.ranking(text), none_of)

    def ranking(self, text: str) -> Ranking:
        """The labels most similar to a document, enough for two lists."""
        return {field.name: self._search[field.name].ranked(text)[: self.ranked] for field in self.fields}

    def listed(self, ranking: Ranking, none_of: Collection[str] = ()) -> Shortlist:
        """The first labels of a ranking as a list; for the fields `none_of` the next best."""
        names = {
            field.name: self._chosen(field, ranking[field.name], search=field.name in none_of) for field in self.fields
        }
        sections = [self._section(field, names[field.name]) for field in self.fields]
        return Shortlist("\n".join([*sections, ""]), names, is_wider=bool(none_of), ranking=ranking)

    def following(
        self,
        text: str,  # noqa: ARG002 - its ranking is in the shortlist
        answer: str,
        confidence: float,  # noqa: ARG002 - only a descent needs it
        shortlist: Shortlist,
    ) -> Shortlist | None:
        """The next list after an answer; None if the answer is final.

        Args:
            text: the document.
            answer: the answer's canonical text, with numbers of the list.
            confidence: the answer's stated confidence (0..1).
            shortlist: the labels that were listed.
        """
        none_of = () if shortlist.is_wider else self.none_of(answer)
        return self.listed(shortlist.ranking, none_of) if none_of else None

    def whole_ranking(self, text: str) -> Ranking | None:
        """All labels by similarity to a document; None if the ranking does not depend on its text alone."""
        return {field.name: self._search[field.name].ranked(text) for field in self.fields}

    def ranks(self, ranking: Ranking | None, cells: Mapping[str, str | None]) -> tuple[int, ...]:
        """For each right label, how many labels rank above it, in the fields whose labels are listed per document.

        Args:
            ranking: the document's ranking; a label that is not in it ranks below all others. None if unknown.
            cells: the document's right value by field, for some fields or all.
        """
        found = list[int]()
        if ranking is None:
            return ()
        for field in self.fields:
            cell, places = cells.get(field.name), {place: rank for rank, place in enumerate(ranking[field.name])}
            right = [] if cell is None else names_in(cell) if field.kind is FieldKind.multi else [cell]
            for place, label in enumerate(field.answers):
                if label.name in right:
                    found.append(0 if label.always else places.get(place, len(field.answers)))
        return tuple(found)

    def longest_text(self) -> str:
        """A text at least as long as any list."""
        lines = {
            field.name: sorted((described(field, label) for label in field.answers), key=len, reverse=True)[: self.most]
            for field in self.fields
        }
        return "".join(f"{FIELD_LIST_HEADING.format(name)}\n" + "\n000. ".join(lines[name]) for name in lines)

    def none_of(self, text: str) -> tuple[str, ...]:
        """The single-label fields for which an answer (by its canonical text) says that none fits."""
        cells = self.space.cells_of(text)
        return tuple(field.name for field in self.fields if cells[field.name] == NO_CANDIDATE)

    def named(self, text: str, shortlist: Shortlist) -> str:
        """The value of an answer. A field for which none of its labels fits gets the most likely one.

        Raises:
            InvalidAnswerError: a number is not on the list.
        """
        values: dict[str, Value] = {}
        for name, value in self.space.values(text).items():
            listed = shortlist.names.get(name)
            if listed is None:
                values[name] = value
            elif isinstance(value, list):
                values[name] = [_listed(number, listed) for number in value]
            else:
                values[name] = listed[0] if value == NO_CANDIDATE else _listed(str(value), listed)
        return self.task_space.text(values) or ""

    def numbered(self, text: str, shortlist: Shortlist) -> str | None:
        """The answer for a value, in the numbers of a list; None if one of its labels is not on it."""
        values: dict[str, Value] = {}
        for name, value in self.task_space.values(text).items():
            if name not in shortlist.names:
                values[name] = value
                continue
            numbers = {label: str(number) for number, label in enumerate(shortlist.names[name], 1)}
            labels = value if isinstance(value, list) else [str(value)]
            if not numbers.keys() >= set(labels):
                return None
            listed = [numbers[label] for label in labels]
            values[name] = listed if isinstance(value, list) else listed[0]
        return self.space.text(values)

    def named_part(self, part: str, shortlist: Shortlist) -> str | None:
        """The label, or `field=label`, of a number in an answer; None if the answer is that none fits."""
        field, is_, number = part.rpartition("=")
        listed = shortlist.names.get(field or self.fields[0].name)
        if listed is None or not number.isdecimal():
            return None if number == NO_CANDIDATE else part
        return f"{field}{is_}{listed[int(number) - 1]}" if int(number) <= len(listed) else None

    def _numbered(self, field: TaskField) -> TaskField:
        names = _numbers(self.most)
        if field.kind is FieldKind.single:
            names.append(NO_CANDIDATE)
        return TaskField.model_construct(
            name=field.name,
            kind=field.kind,
            instructions=field.instructions,
            labels=tuple(Label(name=name) for name in names),
        )

    def _chosen(self, field: TaskField, ranked: Sequence[int], *, search: int) -> tuple[str, ...]:
        always = self._always[field.name]
        found = (field.answers[place] for place in ranked)
        room = self.most - len(always)
        rest = (label.name for label in found if not label.always)
        return (*islice(rest, search * room, (search + 1) * room), *(label.name for label in always))

    def _section(self, field: TaskField, names: Sequence[str]) -> str:
        labels = {label.name: label for label in field.answers}
        lines = (f"{number}. {described(field, labels[name])}\n" for number, name in enumerate(names, 1))
        heading = LIST_HEADING if self.task_space.is_plain else FIELD_LIST_HEADING.format(field.name)
        return f"{heading}\n{''.join(lines)}"


def _listed(number: str, names: Sequence[str]) -> str:
    if int(number) > len(names):
        raise InvalidAnswerError(f"{number} is no number of the list, which has {len(names)} labels")
    return names[int(number) - 1]


def _examples_by_label(task: Task) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The texts of a task's examples, by field and label."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for example in (*task.examples, *task.pool):
        for name, value in task.label_space.values(task.value_of(example)).items():
            for label in value if isinstance(value, list) else [value]:
                found[name][str(label)].append(example.text)
    return found


def _numbers(count: int) -> list[str]:
    """The numbers of a list, as in answers."""
    return [str(number) for number in range(1, count + 1)]
