"""JSON numbers that are written back exactly as they were read; a float would lose `1E5`, `1.50` and twenty digits."""

import re
from decimal import Decimal
from typing import Any, Self

_LITERALS = re.compile(rb'(?:[^"0-9-]++|"(?:[^"\\]++|\\.)*+")*+(-?[0-9][0-9.eE+-]*+)?+', re.DOTALL)
_MOST_DIGITS = 18
"""Number of digits of an integer that every parser preserves."""


class Number(float):
    """A float that remembers its literal."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Self:
        """Create the number for a JSON literal."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        """Preserve the literal when copied or pickled."""
        return Number, (self.literal,)

    @property
    def keeps_digits(self) -> bool:
        """Whether the float preserves all digits of the literal."""
        return Decimal(repr(float(self))) == Decimal(self.literal)


def number(literal: str) -> float | Number:
    """Parse a number with a fraction or an exponent: a plain float if it is written the same way, else a `Number`."""
    value = float(literal)
    return value if repr(value) == literal and "e" not in literal else Number(literal)


def integer(literal: str) -> int | Number:
    """Parse a number without fraction or exponent; `-0` becomes a `Number`, since no int represents it."""
    return Number(literal) if literal == "-0" else int(literal)


def has_exact_literals(raw: bytes) -> bool:
    """Whether all numbers in a JSON text already have the form in which programs would write them back."""
    return all(_is_usual(literal) for literal in _LITERALS.findall(raw) if literal)


def _is_usual(literal: bytes) -> bool:
    if literal.removeprefix(b"-").isdigit():
        return len(literal) <= _MOST_DIGITS and literal != b"-0"
    return b"e" not in literal and b"E" not in literal and repr(float(literal)).encode() == literal
