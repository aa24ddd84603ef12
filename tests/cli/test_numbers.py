"""Every numeric option has bounds, so that no value causes a traceback or disables a guard."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer import BadParameter
from typer._click import Command, Context

from llmbatch.cli.commands import SUMMARIES, load
from llmbatch.cli.options.sending import parsed_concurrency
from llmbatch.core import errors
from llmbatch.core.prices import parse_price
from llmbatch.engine.failure_rate_guard import parse_share
from llmbatch.runs.options import parse_deadline, parse_tolerance
from llmbatch.runs.outputs import parse_sample
from llmbatch.spend.alerts import parse_percents

WRONG = (
    "nan",
    "-nan",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    "-1e400",
    "9" * 23,
    "-" + "9" * 23,
    "9" * 5_000,
    "1e30",
    "x",
)


def options() -> Iterator[tuple[str, Any]]:
    """All options that take a number, of all commands."""
    for name in SUMMARIES:
        yield from _of(name, load(name))


def _of(name: str, command: Command) -> Iterator[tuple[str, Any]]:
    for option in command.params:
        if getattr(getattr(option, "type_descriptor", None), "annotation", None) in (int, float):
            yield f"{name} {option.opts[0]}", option
    for below, inner in getattr(command, "commands", {}).items():
        yield from _of(f"{name} {below}", inner)


OPTIONS = dict(options())


def test_numeric_options_are_found() -> None:
    assert {"classify --max-cost", "classify --seed", "simulate --latency", "cache clear --older-than"} <= set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_number_that_is_not_finite_or_out_of_bounds_is_refused(name: str) -> None:
    option = OPTIONS[name]
    assert None not in (option.min, option.max)
    assert -(2**63) <= option.min <= option.max < 2**63
    context = Context(load("spend"))
    for text in WRONG:
        with pytest.raises(BadParameter):
            option.process_value(context, text)
    assert option.process_value(context, str(option.max)) == option.max


@pytest.mark.parametrize("text", [*WRONG, "", "-1", "1_0%x"])
def test_numbers_inside_text_options_have_bounds_too(text: str) -> None:
    for parse in (parsed_concurrency, parse_tolerance, parse_sample, parse_deadline):
        with pytest.raises(errors.UsageError):
            parse(text)
    for parse_percent in (parse_tolerance, parse_sample, parse_percents, lambda text: parse_share(text, "--x")):
        with pytest.raises(errors.UsageError):
            parse_percent(f"{text}%")
    for price in (f"{text},1,1", f"1,{text},1", f"1,1,{text}", f"1,1,1,{text}"):
        with pytest.raises(errors.UsageError, match="--price"):
            parse_price(price)


@pytest.mark.parametrize("price", ["1e30,1,1", "1e-30,1,1", "100001,1,1", "1,1,0.0000000001", "1e999999999,1,1"])
def test_a_price_that_overflows_or_rounds_to_zero_is_refused(price: str) -> None:
    with pytest.raises(errors.UsageError, match="--price"):
        parse_price(price)
