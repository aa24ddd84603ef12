"""How many tokens an answer took, as endpoints report it: in several spellings, not always whole, not always right.

Where figures contradict each other, the dearer reading counts, since a limit that holds must not count less than what
is billed. What is in the total and in no other figure is output: so some makers report their thinking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any

from llmbatch.core.usage import Usage

# The first is OpenAI's, the others are what compatible servers and proxies call it.
_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_REASONING = ("reasoning_tokens",)
_TOTAL = ("total_tokens",)
_LONGEST_NUMBER = 30


MISSING, CONTRADICTORY, IMPLAUSIBLE = "usage_missing", "usage_contradictory", "usage_implausible"
"""Flags of a row: an answer came without token counts; they contradict each other; no request can take so many."""


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """What an endpoint reports of one answer."""

    usage: Usage | None
    """None if it does not report usage."""
    flag: str | None = None
    """What is wrong with the report; None where nothing is."""


def read_usage(data: Any) -> ReportedUsage:
    """The `usage` of an answer, whatever an endpoint has put there.

    Figures may be far too large: what a request can have used, its sender knows.
    """
    return _Report(data).read() if isinstance(data, dict) else ReportedUsage(None, MISSING)


class _Report:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._input_details = _first_object(data, _INPUT_DETAILS)
        self._output_details = _first_object(data, _OUTPUT_DETAILS)
        self._is_contradictory = False

    def read(self) -> ReportedUsage:
        given, total = self._count(_INPUT, self._data), self._count(_TOTAL, self._data)
        output = self._count(_OUTPUT, self._data)
        if not total and (not given or output is None):
            return ReportedUsage(None, MISSING)
        cached = self._count(_CACHED, self._input_details, self._data)
        written = self._count(_WRITTEN, self._input_details, self._data)
        is_cache_reported = cached is not None or written is not None
        cached, written = cached or 0, written or 0
        reasoning = self._count(_REASONING, self._output_details, self._data) or 0
        self._is_contradictory |= not given or output is None
        given, answer = self._whole_input(given or 0, cached + written, output or 0, total), output or 0
        if reasoning > answer or total == given + answer + reasoning:
            self._is_contradictory |= bool(answer) and total != given + answer + reasoning
            answer += reasoning  # thinking is a part of the output, and some makers count it beside the answer
        if total is not None and total != given + answer:
            self._is_contradictory = True
            answer = max(answer, total - given)
        flag = CONTRADICTORY if self._is_contradictory else None
        unreported = 0 if is_cache_reported else given
        return ReportedUsage(Usage(given, cached, written, answer, reasoning, unreported), flag)

    def _whole_input(self, given: int, of_the_cache: int, output: int, total: int | None) -> int:
        """The input with what came from the cache or went into it, which some makers count beside the rest."""
        beside = given + of_the_cache
        if of_the_cache and total == beside + output:
            return beside
        if of_the_cache > given:
            self._is_contradictory = True
            return beside
        return given

    def _count(self, names: tuple[str, ...], *places: Mapping[str, Any]) -> int | None:
        """The first figure under one of these names; None where there is none that is a count."""
        for place in places:
            for name in names:
                if (value := place.get(name)) is not None:
                    if (count := _as_count(value)) is not None:
                        return count
                    self._is_contradictory = True
        return None


def _first_object(data: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return next((value for name in names if isinstance(value := data.get(name), dict)), {})


def _as_count(value: Any) -> int | None:
    """A count of tokens, rounded up, also where it comes as a decimal or as text; None for what is none."""
    if type(value) is int and value >= 0:
        return value  # as nearly all are
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return ceil(value)
