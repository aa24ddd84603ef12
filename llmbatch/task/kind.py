"""The interface of all kinds of field: a value, how it is read, and the operations on it.

A value is passed around as its canonical text, which only the kinds write and parse.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from llmbatch.task.spelling import fraction_of

Value = str | list[str] | int | float | bool
"""A field's value as JSON."""

_ALL = 100


class InvalidAnswerError(ValueError):
    """The content is not a valid answer for the task; the message says why."""


class Reading(Struct, frozen=True, gc=False):
    """A value as read from an answer. `repaired` if it was spelled differently than requested."""

    text: str
    repaired: bool = False
    confidences: Mapping[str, float] = {}
    """Confidence of each label of a multi-label field, 0..1."""


class Kind(Protocol):
    """The operations on a field's value."""

    def schema(self, *, decisions: bool) -> dict[str, Any]:
        """JSON schema of the value in an answer, in the subset that strict structured outputs support.

        `decisions`: with several labels, each is decided separately, so that its probability can be measured.
        """

    def read(self, value: object) -> Reading:
        """Read the value in an answer.

        Raises:
            InvalidAnswerError: it is not a value, or is ambiguous.
        """

    def spelled(self, text: str) -> str | None:
        """The canonical text of what a person wrote; None if it is not a value of the field."""

    def value(self, text: str) -> Value:
        """The value of a canonical text."""

    def text(self, value: object) -> str | None:
        """The canonical text of a value from a task file or JSON; None if it is not a value of the field."""

    def with_part(self, value: Value | None, part: str) -> Value:
        """A value with a part set; for several labels, toggled."""

    def parts(self, text: str) -> tuple[str, ...]:
        """The parts of a canonical text that tables count: its labels, or the value itself."""

    def all_parts(self) -> tuple[str, ...]:
        """All possible parts, in order; none for numbers."""

    def examples(self, *, decisions: bool) -> Sequence[Any]:
        """Sample values as they appear in answers, including the longest."""

    def answer(self, text: str, percent: int, *, decisions: bool) -> Any:
        """A value as it appears in an answer.

        Args:
            text: its canonical text.
            percent: the confidence of each of its labels.
            decisions: as in `schema`.
        """


def read_percent(percent: object, where: str) -> tuple[float, bool]:
    """A confidence in 0..1 from a percentage in an answer, and whether it was spelled differently than requested.

    Raises:
        InvalidAnswerError: it is not one, or is ambiguous; the message begins with `where`.
    """
    if isinstance(percent, int) and not isinstance(percent, bool):
        if not 0 <= percent <= _ALL:
            raise InvalidAnswerError(f"{where}: {shown(percent)} is not a percentage in 0..100")
        return percent / 100, False
    fraction = fraction_of(percent, of_100=True) if isinstance(percent, float | str) else None
    if fraction is None:
        raise InvalidAnswerError(f"{where}: {shown(percent)} is not an unambiguous percentage")
    return fraction, True


def shown(value: object) -> str:
    """The start of a value, for messages."""
    return f"{value!r:.40}"
