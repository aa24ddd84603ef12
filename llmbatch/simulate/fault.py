"""A fault to inject, and how it is specified: `rate_limit=5%`, `quota@100+`, `overloaded@60s-120s`."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import NoReturn

from llmbatch.core.errors import UsageError
from llmbatch.simulate.catalogue import DEFAULTS, KINDS, MIXED

_SPEC = re.compile(r"(?P<kind>[a-z_]+)(?:\[(?P<parameters>[^\]]*)\])?(?P<sign>[=@])(?P<when>.+)", re.DOTALL)
_SPAN = re.compile(r"(\d{1,15})(?:-(\d{1,15})|(\+))?")
_PERIOD = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)s(?:-(\d{1,15}(?:\.\d{1,9})?)s|\+)")
_HINT = (
    "write it as KIND=5%, KIND@3, KIND@3,7, KIND@10-20, KIND@100+, or by time as KIND@60s-120s or KIND@60s+; "
    "parameters as KIND[name=value]=5%"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Requests by number, from 1: `first` to `last`, both included; no end if `last` is None."""

    first: int
    last: int | None

    def __contains__(self, number: int) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)


@dataclass(frozen=True, slots=True)
class Period:
    """Seconds since the endpoint's start, `until_s` not included; no end if it is None."""

    from_s: float
    until_s: float | None

    def __contains__(self, elapsed_s: float) -> bool:
        return self.from_s <= elapsed_s and (self.until_s is None or elapsed_s < self.until_s)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and when: with a probability for every request, or at the requests or times of a schedule."""

    kind: str
    probability: float = 0.0
    schedule: tuple[Span | Period, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Given ones and defaults together."""

    @property
    def name(self) -> str:
        """The kind with its parameters, which distinguishes its draws from those of others of its kind."""
        return self.kind + "".join(f"[{name}={value:g}]" for name, value in sorted(self.parameters.items()))

    def is_due(self, number: int, elapsed_s: float) -> bool:
        """Whether the schedule includes a request: by its number, from 1, or by its time of arrival."""
        return any(number in span if isinstance(span, Span) else elapsed_s in span for span in self.schedule)


def parse_fault(spec: str) -> Fault:
    """Parse a fault as it is written on the command line.

    Args:
        spec: `KIND=P` with P in 0..1 or in percent, or `KIND@WHEN` with requests from 1, ranges (`10-20`, `100+`),
            times since the start (`60s-120s`, `60s+`) and commas; parameters in brackets after the kind.

    Raises:
        UsageError: it cannot be parsed, or the kind or a parameter is unknown.
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        _refuse(spec, "it is not a fault")
    kind = match["kind"]
    if kind != MIXED and kind not in KINDS:
        alike = get_close_matches(kind, (*KINDS, MIXED), n=3)
        meant = f"did you mean {' or '.join(alike)}?" if alike else f"kinds: {', '.join((*KINDS, MIXED))}"
        raise UsageError(f"fault {spec!r}: unknown kind {kind!r}", hint=meant)
    parameters = MappingProxyType(_parameters(spec, kind, match["parameters"]))
    if match["sign"] == "=":
        return Fault(kind, probability=_probability(spec, match["when"]), parameters=parameters)
    return Fault(kind, schedule=_schedule(spec, match["when"]), parameters=parameters)


def _parameters(spec: str, kind: str, text: str | None) -> dict[str, float]:
    known = DEFAULTS.get(kind, {})
    parameters = dict(known)
    for part in (text or "").split(",") if text is not None else ():
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in known:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            _refuse(spec, f"{kind} has no parameter {name!r}; {allowed}")
        parameters[name] = _seconds(spec, value)
    return parameters


def _seconds(spec: str, text: str) -> float:
    number = _number(spec, text)
    if number < 0:
        _refuse(spec, f"{text!r} is negative")
    return number


def _probability(spec: str, text: str) -> float:
    text = text.strip()
    share = _number(spec, text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        _refuse(spec, f"{text!r} is not a probability: use 0 to 1, or 0% to 100%")
    return share


def _schedule(spec: str, text: str) -> tuple[Span | Period, ...]:
    parts = [part.strip() for part in text.split(",")]
    return tuple(_period(spec, match) if (match := _PERIOD.fullmatch(part)) else _span(spec, part) for part in parts)


def _period(spec: str, match: re.Match[str]) -> Period:
    from_s, until_s = float(match[1]), None if match[2] is None else float(match[2])
    if until_s is not None and until_s <= from_s:
        _refuse(spec, f"{match[0]!r} ends before it begins")
    return Period(from_s, until_s)


def _span(spec: str, text: str) -> Span:
    match = _SPAN.fullmatch(text)
    if match is None:
        _refuse(spec, f"{text!r} names no requests")
    first = int(match[1])
    last = None if match[3] else int(match[2] or first)
    if first < 1:
        _refuse(spec, "requests count from 1")
    if last is not None and last < first:
        _refuse(spec, f"{text!r} ends before it begins")
    return Span(first, last)


def _number(spec: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        _refuse(spec, f"{text!r} is not a number")
    if not math.isfinite(number):
        _refuse(spec, f"{text!r} is not a number")
    return number


def _refuse(spec: str, why: str) -> NoReturn:
    raise UsageError(f"fault {spec!r}: {why}", hint=_HINT)
