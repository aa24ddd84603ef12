"""The fields that a task fills for each document, and the labels of each, as data."""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from llmbatch.task.tree import LabelTree

Name = Annotated[str, StringConstraints(max_length=200, strict=True, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Text = Annotated[str, StringConstraints(min_length=1, strict=True)]
FieldName = Annotated[str, StringConstraints(max_length=64, strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""A property name that every schema takes, and a column name that every table takes."""

CATEGORY = "category"
"""The one field of a task that lists labels alone."""
PERCENT = "_percent"
"""Behind a field's name: its confidence in an answer, as a whole percentage."""
RESERVED = frozenset(
    [
        "row",
        "id",
        "text",
        "label",
        "confidence",
        "confidences",
        "percent",
        "reasoning",
        "error",
        "conflict",
        "reviewer",
        "decided_by",
        "decided_at",
        "note",
        "review_note",
        "model_category",
        "model_confidence",
    ]
)
"""What no field may be called: results, answers and gold labels have these names already."""
SEPARATORS = ("|", ";", "=")
"""What no label of such a field may hold: a row's value is written with them."""
NONE = "(none)"
"""The value of a field of several labels, none of which fits."""


class Part(BaseModel):
    """A part of a task file: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(Part):
    """One answer that counts. `aliases` are other spellings of it; nothing else is taken for it.

    A label that others lie under (`parent`) groups them, and is itself an answer only where `allow_inner` says so.
    """

    name: Name
    description: Annotated[str, Field(strict=True)] = ""
    aliases: tuple[Name, ...] = ()
    parent: Name | None = None
    allow_inner: bool = False
    always: bool = False
    """Whether it is listed for each document, where labels are retrieved: one for the rest, say."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As earlier versions saved it, where nothing lies under anything."""
        defaults = {"parent": None, "allow_inner": False, "always": False}
        left_out = {name for name, value in defaults.items() if getattr(self, name) == value}
        return {name: value for name, value in dump(self).items() if name not in left_out}


class FieldKind(StrEnum):
    """What a field's value is."""

    single = "single"
    """Exactly one label."""
    multi = "multi"
    """All labels that fit, or none."""
    number = "number"
    """A number within bounds."""
    yes_no = "yes-no"


class TaskField(Part):
    """One thing to say about each document.

    `labels` are those of `single` and `multi`; `minimum` and `maximum` bound a `number`, which is a whole one where
    both are.
    """

    name: FieldName
    kind: FieldKind = FieldKind.single
    instructions: str = ""
    labels: tuple[Label, ...] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None

    @cached_property
    def tree(self) -> LabelTree:
        """The labels by what they lie under."""
        return LabelTree(self.labels)

    @property
    def answers(self) -> tuple[Label, ...]:
        """The labels that can be given."""
        return self.tree.answers

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.name in RESERVED or self.name.endswith(PERCENT):
            raise ValueError(f"no field can be called {self.name!r}: results or answers have that name already")
        has_bounds = self.minimum is not None or self.maximum is not None
        if self.kind in (FieldKind.single, FieldKind.multi):
            self._check_labels(least=2 if self.kind is FieldKind.single else 1)
        elif self.labels:
            raise ValueError(f"field {self.name!r} is of the kind {self.kind.value}, which has no labels")
        if self.kind is FieldKind.number:
            if self.minimum is None or self.maximum is None or not self.minimum < self.maximum:
                raise ValueError(f"field {self.name!r} is a number: it needs a minimum and a larger maximum")
        elif has_bounds:
            raise ValueError(f"field {self.name!r} is of the kind {self.kind.value}, which has no minimum or maximum")
        return self

    def _check_labels(self, *, least: int) -> None:
        if len(self.answers) < least:
            raise ValueError(f"field {self.name!r} needs at least {least} labels")
        check_spellings(self.labels)
        for label in self.labels:
            if label.name == NONE or any(mark in label.name for mark in SEPARATORS):
                raise ValueError(
                    f"label {label.name!r} cannot be one of a field: {NONE} and the characters "
                    f"{' '.join(SEPARATORS)} are for writing values"
                )


def check_spellings(labels: tuple[Label, ...]) -> None:
    """See to it that a spelling can stand for one label only, even without regard to case and surrounding space.

    Raises:
        ValueError: a spelling stands for two, or a name has space around it.
    """
    owners: dict[str, int] = {}
    for number, label in enumerate(labels):
        if label.name != label.name.strip():
            raise ValueError(f"label {label.name!r} has space around its name")
        for spelling in (label.name, *label.aliases):
            owner = owners.setdefault(folded(spelling), number)
            if owner != number:
                raise ValueError(f"{spelling!r} stands for two labels: {labels[owner].name!r} and {label.name!r}")


def folded(spelling: str) -> str:
    """A label's spelling without its case and surrounding space: what two spellings may differ in."""
    return spelling.strip().casefold()
