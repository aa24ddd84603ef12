"""Reads an answer's token usage as reported by endpoints: in several spellings, not always complete or correct.

If figures contradict each other, the more expensive reading counts, since a hard limit must not count less than what is
billed. Tokens in the total but in no other figure count as output: some vendors report reasoning that way.
"""

from collections.abc import Mapping
from math import ceil, isfinite
from typing import Any

from msgspec import Struct

from llmbatch.core.usage import Usage

# The first name is OpenAI's, the others are used by compatible servers and proxies.
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
"""Row flags: an answer had no token counts; the counts contradict each other; the counts are implausibly large."""


class ReportedUsage(Struct, frozen=True, gc=False):
    """The usage that an endpoint reports for one answer."""

    usage: Usage | None
    """None if not reported."""
    flag: str | None = None
    """The problem with the report, if any."""


def read_usage(data: Any) -> ReportedUsage:
    """Read the `usage` of an answer, whatever an endpoint has put there.

    Figures may be far too large: only the sender knows what a request can have used.
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
            answer += reasoning  # reasoning is part of the output, but some vendors count it separately
        if total is not None and total != given + answer:
            self._is_contradictory = True
            answer = max(answer, total - given)
        flag = CONTRADICTORY if self._is_contradictory else None
        unreported = 0 if is_cache_reported else given
        return ReportedUsage(Usage(given, cached, written, answer, reasoning, unreported), flag)

    def _whole_input(self, given: int, of_the_cache: int, output: int, total: int | None) -> int:
        """The input including tokens read from and written to the cache, which some vendors count separately."""
        beside = given + of_the_cache
        if of_the_cache and total == beside + output:
            return beside
        if of_the_cache > given:
            self._is_contradictory = True
            return beside
        return given

    def _count(self, names: tuple[str, ...], *places: Mapping[str, Any]) -> int | None:
        """The first count under one of these names; None if there is none."""
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
    """A token count, rounded up, also if given as a decimal or as text; None if it is not a count."""
    if type(value) is int and value >= 0:
        return value  # the usual case
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return ceil(value)
