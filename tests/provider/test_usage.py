"""Token counts as endpoints report them: in any format, never less than what may be billed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from llmbatch.core.prices import parse_price
from llmbatch.core.usage import Usage
from llmbatch.provider.usage import CONTRADICTORY, MISSING, read_usage

PRICE = parse_price("1,0.1,5,1.25")


def prompt(tokens: int, **details: Any) -> dict[str, Any]:
    return {"prompt_tokens": tokens, "prompt_tokens_details": details}


def completion(tokens: Any, **details: Any) -> dict[str, Any]:
    return {"completion_tokens": tokens, "completion_tokens_details": details}


def total(tokens: Any) -> dict[str, Any]:
    return {"total_tokens": tokens}


def counts(reported: dict[str, Any]) -> tuple[Usage, str | None]:
    """The usage that is read, ignoring whether the cache is reported, and its flag."""
    found = read_usage(reported)
    assert found.usage is not None
    return replace(found.usage, cache_unreported_tokens=0), found.flag


THOUGHT = Usage(1_300, output_tokens=209, reasoning_tokens=200)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (prompt(1_300, cached_tokens=1_200) | completion(9) | total(1_309), Usage(1_300, 1_200, 0, 9)),
        (prompt(1_300) | completion(9), Usage(1_300, output_tokens=9)),
        (prompt(1_300) | completion(209, reasoning_tokens=200) | total(1_509), THOUGHT),
        (prompt(1_300) | completion(209, reasoning_tokens=200), THOUGHT),
        # Thinking beside the answer instead of in it, as xAI and proxies to Gemini have it.
        (prompt(1_300) | completion(9, reasoning_tokens=200) | total(1_509), THOUGHT),
        (prompt(21) | completion(0, reasoning_tokens=60) | total(81), Usage(21, 0, 0, 60, 60)),
        (prompt(1_300) | completion(9) | {"prompt_cache_hit_tokens": 1_200}, Usage(1_300, 1_200, 0, 9)),
        (prompt(1_300, cache_creation_tokens=900) | completion(9), Usage(1_300, 0, 900, 9)),
        # Cached input beside the rest of the input, as Anthropic has it.
        (
            {"input_tokens": 100, "output_tokens": 9, "cache_read_input_tokens": 1_200, "total_tokens": 1_309},
            Usage(1_300, 1_200, 0, 9),
        ),
        (prompt(1_300) | completion(9.0) | total("1309"), Usage(1_300, output_tokens=9)),
        (prompt(1_300, cached_tokens=None) | completion(9, reasoning_tokens=None), Usage(1_300, output_tokens=9)),
        (
            {"prompt_tokens": 5, "prompt_tokens_details": None, "completion_tokens": 9, "total_tokens": None},
            Usage(5, 0, 0, 9),
        ),
    ],
)
def test_every_field_name_is_read(reported: dict[str, Any], usage: Usage) -> None:
    assert counts(reported) == (usage, None)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (prompt(1_300) | completion(9) | total(3_309), Usage(1_300, output_tokens=2_009)),
        (prompt(1_300) | completion(9, reasoning_tokens=200) | total(3_309), Usage(1_300, 0, 0, 2_009, 200)),
        (total(3_309), Usage(output_tokens=3_309)),
        ({"prompt_tokens": 0, "completion_tokens": 0} | total(3_309), Usage(output_tokens=3_309)),
        (prompt(1_300) | total(1_500), Usage(1_300, output_tokens=200)),
        (completion(9) | total(1_309), Usage(output_tokens=1_309)),
        (prompt(1_300) | completion(9) | total(100), Usage(1_300, output_tokens=9)),
        (prompt(1_300) | completion(9) | total(-5), Usage(1_300, output_tokens=9)),
        (prompt(-1) | completion(9) | total(1_309), Usage(output_tokens=1_309)),
        (prompt(1_300) | completion(None) | total(1_309), Usage(1_300, output_tokens=9)),
        (prompt(1_300) | completion("nine") | total(1_309), Usage(1_300, output_tokens=9)),
        (prompt(1_300) | completion(9, reasoning_tokens=200), THOUGHT),
        (prompt(100, cached_tokens=1_200) | completion(9), Usage(1_300, 1_200, 0, 9)),
        (prompt(100, cached_tokens=1_200) | completion(9) | total(109), Usage(1_300, 1_200, 0, 9)),
        (prompt(1_300, cached_tokens=-5) | completion(9), Usage(1_300, output_tokens=9)),
        (prompt(1_300, cached_tokens=True) | completion(8.5), Usage(1_300, output_tokens=9)),
    ],
)
def test_if_counts_contradict_each_other_the_more_expensive_reading_is_used(
    reported: dict[str, Any], usage: Usage
) -> None:
    assert counts(reported) == (usage, CONTRADICTORY)


@pytest.mark.parametrize(
    ("reported", "unreported"),
    [
        (prompt(1_300, cached_tokens=0), 0),
        (prompt(1_300) | {"cached_tokens": 0}, 0),
        (prompt(1_300) | {"prompt_cache_hit_tokens": 0}, 0),
        (prompt(1_300) | {"cache_read_input_tokens": 0}, 0),
        (prompt(1_300, cache_creation_tokens=0), 0),
        (prompt(1_300), 1_300),
        (prompt(1_300, cached_tokens=None), 1_300),
        (prompt(1_300, cached_tokens="some"), 1_300),
        ({"prompt_tokens": 1_300, "prompt_tokens_details": None}, 1_300),
    ],
)
def test_missing_cache_counts_are_not_taken_for_zero(reported: dict[str, Any], unreported: int) -> None:
    usage = read_usage(reported | completion(9)).usage
    assert usage is not None
    assert (usage.cached_input_tokens, usage.cache_unreported_tokens) == (0, unreported)


@pytest.mark.parametrize(
    "reported",
    [
        None,
        {},
        [],
        "1309",
        5,
        completion(9),
        prompt(1_300),
        {"prompt_tokens": "many", "completion_tokens": 9},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": -1_300, "completion_tokens": -9, "total_tokens": -1_309},
        {"prompt_tokens": "inf", "completion_tokens": "nan", "total_tokens": "1e999"},
    ],
)
def test_unusable_usage_counts_as_missing(reported: Any) -> None:
    assert (read_usage(reported).usage, read_usage(reported).flag) == (None, MISSING)


COUNTS: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 5_000),
    st.sampled_from([None, -1, 0, 1.5, -0.5, True, "7", "x", "nan", "-3", 9 * 10**15, 1e300, [], {}]),
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens", "output_tokens"), COUNTS),
            "prompt_tokens_details": st.one_of(
                st.none(), COUNTS, st.fixed_dictionaries({"cached_tokens": COUNTS, "cache_write_tokens": COUNTS})
            ),
            "completion_tokens_details": st.one_of(st.none(), st.fixed_dictionaries({"reasoning_tokens": COUNTS})),
        },
    )
)
def test_no_reading_is_cheaper_than_the_valid_counts(reported: dict[str, Any]) -> None:
    usage = read_usage(reported).usage
    if usage is None:
        return
    assert min(usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens, usage.output_tokens) >= 0
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert usage.reasoning_tokens <= usage.output_tokens
    plain = {name: value for name, value in reported.items() if type(value) is int and value >= 0}
    as_stated = Usage(plain.get("prompt_tokens", 0), output_tokens=plain.get("completion_tokens", 0))
    cached = Usage(as_stated.input_tokens, as_stated.input_tokens, 0, as_stated.output_tokens)
    assert PRICE.cost_nanousd(usage) >= PRICE.cost_nanousd(cached)
    assert usage.input_tokens + usage.output_tokens >= plain.get("total_tokens", 0)
