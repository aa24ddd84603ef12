"""The fields that a task fills in for each document, and their labels, as data."""

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
"""A name valid as a property in any schema and as a column in any table."""

CATEGORY = "category"
"""The only field of a task that just lists labels."""
PERCENT = "_percent"
"""Suffix of a field's name: its confidence in an answer, as a whole percentage."""
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
"""Reserved field names, already used in results, answers and gold labels."""
SEPARATORS = ("|", ";", "=")
"""Characters not allowed in a field's labels, since a row's value is written with them."""
NONE = "(none)"
"""The value of a multi-label field if no label fits."""


class Part(BaseModel):
    """A part of a task file; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(Part):
    """One valid answer. `aliases` are other spellings of it; nothing else is accepted.

    A label that is the `parent` of others groups them, and is itself an answer only if `allow_inner` is set.
    """

    name: Name
    description: Annotated[str, Field(strict=True)] = ""
    aliases: tuple[Name, ...] = ()
    parent: Name | None = None
    allow_inner: bool = False
    always: bool = False
    """Whether it is listed for every document when labels are retrieved, for example a catch-all label."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Serialise as earlier versions did if there is no nesting."""
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
    """One property to determine for each document.

    `labels` apply to `single` and `multi`; `minimum` and `maximum` bound a `number`, which is an integer if both are.
    """

    name: FieldName
    kind: FieldKind = FieldKind.single
    instructions: str = ""
    labels: tuple[Label, ...] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None

    @cached_property
    def tree(self) -> LabelTree:
        """The labels as a tree."""
        return LabelTree(self.labels)

    @property
    def answers(self) -> tuple[Label, ...]:
        """The labels that are valid answers."""
        return self.tree.answers

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.name in RESERVED or self.name.endswith(PERCENT):
            raise ValueError(f"{self.name!r} is not allowed as a field name: results or answers already use it")
        has_bounds = self.minimum is not None or self.maximum is not None
        if self.kind in (FieldKind.single, FieldKind.multi):
            self._check_labels(least=2 if self.kind is FieldKind.single else 1)
        elif self.labels:
            raise ValueError(f"field {self.name!r} has kind {self.kind.value}, which takes no labels")
        if self.kind is FieldKind.number:
            if self.minimum is None or self.maximum is None or not self.minimum < self.maximum:
                raise ValueError(f"field {self.name!r} is a number and needs a minimum and a larger maximum")
        elif has_bounds:
            raise ValueError(f"field {self.name!r} has kind {self.kind.value}, which takes no minimum or maximum")
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
    """Check that each spelling stands for one label only, even ignoring case and surrounding space.

    Raises:
        ValueError: a spelling stands for two labels, or a name has surrounding space.
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
    """A spelling without case and surrounding space, for comparison."""
    return spelling.strip().casefold()
