"""The meaning of vendors' error messages, according to the rows of `wordings.toml`."""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("wordings.toml")


class Meaning(StrEnum):
    """What an error means, in any vendor's wording."""

    QUOTA = "quota"
    FILTERED = "filtered"
    TOO_LONG = "too_long"
    NO_CAPACITY = "no_capacity"
    LOADING = "loading"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    MODEL = "model"
    PARAMETER = "parameter"
    CREDENTIALS = "credentials"
    BAD_ANSWER = "bad_answer"


@dataclass(frozen=True, slots=True)
class Wording:
    """One row of the table."""

    meaning: Meaning
    pattern: re.Pattern[str]
    statuses: frozenset[int]
    source: str
    parameter: str = ""
    """Our parameter that it refers to."""


_CONTENT = frozenset({200, 400, 403, 404, 406, 409, 422, 424, 451, 500})
_STATUSES = {
    "money": frozenset({200, 400, 401, 402, 403, 404, 412, 429, 500, 503}),
    "content": _CONTENT,
    "length": _CONTENT | {413, 429},
    "busy": frozenset({200, 400, 403, 404, 425, 429, 498, 500, 502, 503}),
    "model": frozenset({200, 400, 403, 404, 410, 422, 500, 501}),
    "credentials": frozenset({200, 400, 401, 403}),
}
"""Sets of statuses by their names in the table. Gateways turn anything into a 500."""

_REFUSAL = re.compile(
    "unsupported|not (?:be )?support|unrecognized|unknown|unexpected|invalid|not (?:allowed|permitted|available|valid)"
    "|unavailable|extra (?:inputs|fields?)|deprecated|must be|should be|cannot|can't|does not|doesn't|not one of"
    "|disallow|remove|drop|no longer|incompatible|not implemented|require"
)
"""Words that, together with a parameter's name, mean that it was rejected."""


def wording_of(text: str, status: int) -> Wording | None:
    """The first row that matches an error's text, in lower case, and its status."""
    return next((row for row in wordings() if status in row.statuses and row.pattern.search(text)), None)


def parameters_named(text: str) -> list[str]:
    """Our parameters named in a lower-case text, the one to change first coming first."""
    return [name for name, pattern in _parameters() if pattern.search(text)]


def is_refusal(text: str) -> bool:
    """Whether a lower-case text that names a parameter rejects it."""
    return _REFUSAL.search(text) is not None


@cache
def wordings() -> tuple[Wording, ...]:
    """The table, read when the first request fails."""
    return tuple(
        Wording(
            Meaning(row["meaning"]),
            _one_of(row["says"]),
            _STATUSES[row["statuses"]],
            row["source"],
            row.get("parameter", ""),
        )
        for row in _tables()["wording"]
    )


@cache
def _parameters() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((row["name"], _one_of(row["says"])) for row in _tables()["parameter"])


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def _one_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.DOTALL)
