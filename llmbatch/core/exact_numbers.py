"""Numbers of JSON that come back as they were written: a float keeps neither `1E5`, `1.50` nor twenty digits."""

import re
from decimal import Decimal
from typing import Any, Self

_LITERALS = re.compile(rb'(?:[^"0-9-]++|"(?:[^"\\]++|\\.)*+")*+(-?[0-9][0-9.eE+-]*+)?+', re.DOTALL)
_MOST_DIGITS = 18
"""Of an integer that every parser keeps."""


class Number(float):
    """A float that knows how it was written."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Self:
        """The number that this literal of JSON stands for."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies keep the literal."""
        return Number, (self.literal,)

    @property
    def keeps_digits(self) -> bool:
        """Whether the float has all digits that were written."""
        return Decimal(repr(float(self))) == Decimal(self.literal)


def number(literal: str) -> float | Number:
    """A number with a fraction or an exponent: a float where that is written in the same way, else one that knows."""
    value = float(literal)
    return value if repr(value) == literal and "e" not in literal else Number(literal)


def integer(literal: str) -> int | Number:
    """A number without them: -0 is the one that no integer is."""
    return Number(literal) if literal == "-0" else int(literal)


def has_exact_literals(raw: bytes) -> bool:
    """Whether all numbers of a JSON text are written as programs write what they have read."""
    return all(_is_usual(literal) for literal in _LITERALS.findall(raw) if literal)


def _is_usual(literal: bytes) -> bool:
    if literal.removeprefix(b"-").isdigit():
        return len(literal) <= _MOST_DIGITS and literal != b"-0"
    return b"e" not in literal and b"E" not in literal and repr(float(literal)).encode() == literal
