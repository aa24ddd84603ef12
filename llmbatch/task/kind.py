"""What every kind of field has in common: a value, how it is read, and what can be done with it.

A value travels as its canonical text, which the kinds alone write and take apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmbatch.task.spelling import fraction_of

Value = str | list[str] | int | float | bool
"""A field's value as JSON has it."""

_ALL = 100


class InvalidAnswerError(ValueError):
    """The content is no answer by the task's labels; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as read from an answer. `repaired` where it was spelled in another way than asked for."""

    text: str
    repaired: bool = False
    confidences: Mapping[str, float] = field(default_factory=dict)
    """Of each label of a field that takes several, 0..1."""


class Kind(Protocol):
    """What can be done with a field's value, whatever it is."""

    def schema(self, *, decisions: bool) -> dict[str, Any]:
        """JSON schema of the value in an answer, in the subset that strict structured outputs take.

        `decisions`: of several labels, each is decided by itself, so that its probability can be measured.
        """

    def read(self, value: object) -> Reading:
        """The value in an answer.

        Raises:
            InvalidAnswerError: it is none, or can be read in several ways.
        """

    def spelled(self, text: str) -> str | None:
        """The canonical text of what a person wrote; None where it is no value of the field."""

    def value(self, text: str) -> Value:
        """The value that a canonical text stands for."""

    def text(self, value: object) -> str | None:
        """The canonical text of a value as a task file or JSON states it; None where it is none."""

    def with_part(self, value: Value | None, part: str) -> Value:
        """A value with a part given; of several labels, put in or taken out."""

    def parts(self, text: str) -> tuple[str, ...]:
        """What tables count of a canonical text: its labels, or the value itself."""

    def all_parts(self) -> tuple[str, ...]:
        """All parts that there can be, in order; none where they are numbers."""

    def examples(self, *, decisions: bool) -> Sequence[Any]:
        """Values as they stand in answers, among them the longest."""

    def answer(self, text: str, percent: int, *, decisions: bool) -> Any:
        """A value as it stands in an answer.

        Args:
            text: its canonical text.
            percent: the confidence of each of its labels.
            decisions: as in `schema`.
        """


def read_percent(percent: object, where: str) -> tuple[float, bool]:
    """A confidence in 0..1 from a percentage in an answer, and whether it was spelled in another way than asked for.

    Raises:
        InvalidAnswerError: it is none, or can be read in two ways; the message begins with `where`.
    """
    if isinstance(percent, int) and not isinstance(percent, bool):
        if not 0 <= percent <= _ALL:
            raise InvalidAnswerError(f"{where}: {shown(percent)} is not a percentage in 0..100")
        return percent / 100, False
    fraction = fraction_of(percent, of_100=True) if isinstance(percent, float | str) else None
    if fraction is None:
        raise InvalidAnswerError(f"{where}: {shown(percent)} is not a percentage that can be read in one way only")
    return fraction, True


def shown(value: object) -> str:
    """The beginning of a value, for messages."""
    return f"{value!r:.40}"
