"""Costs are exact sums of whole nano-dollars."""

from decimal import Decimal

import pytest
from genai_prices import Usage as ReferenceUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.prices import PriceBook, PriceSource, find_price, is_self_hosted, parse_price
from llmbatch.core.usage import Usage

counts = st.integers(0, 400_000)


@given(plain=counts, cached=counts, written=counts, output=counts)
@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-4o-mini", "gpt-6.1-sol"])
def test_a_cost_agrees_with_the_price_library(model: str, plain: int, cached: int, written: int, output: int) -> None:
    usage = Usage(plain + cached + written, cached, written, output)
    price = find_price(model)
    assert price is not None
    reference = calc_price(
        ReferenceUsage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            output_tokens=output,
        ),
        model,
        provider_id="openai",
    )
    exact = reference.total_price * 1_000_000_000
    assert Decimal(price.cost_nanousd(usage)) - 1 < exact <= price.cost_nanousd(usage)


def test_the_users_own_price_is_used() -> None:
    assert parse_price("0.1,0.01,0.5").cost_nanousd(Usage(1_000_000, 500_000, 0, 1_000_000)) == 555_000_000


@pytest.mark.parametrize("text", ["", "1", "1,2", "a,b,c", "1,2,-3", "1,2,nan", "1,2,3,4,5", "inf,0,0"])
def test_an_invalid_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not three or four amounts"):
        parse_price(text)


def test_an_unknown_model_has_no_price() -> None:
    assert find_price("nobodys-model-9000") is None


def test_an_answer_of_an_unknown_model_is_priced_as_the_requested_model() -> None:
    book = PriceBook(None)
    assert book.price("weird-name", asked="gpt-6-luna") == find_price("gpt-6-luna")


def test_a_fourth_number_is_the_price_of_a_cache_write() -> None:
    written = Usage(1_000_000, cache_write_tokens=1_000_000)
    assert [parse_price(text).cost_nanousd(written) for text in ("0.1,0.01,0.5", "0.1,0.01,0.5,0.125")] == [
        10**8,
        125 * 10**6,
    ]


@pytest.mark.parametrize(
    ("model", "base_url", "source"),
    [
        ("qwen3-32b", "http://127.0.0.1:8000/v1", PriceSource.SELF_HOSTED),
        ("openai/gpt-oss-20b", "http://localhost:11434/v1", PriceSource.SELF_HOSTED),
        ("my-model", "http://vllm:8000/v1", PriceSource.SELF_HOSTED),
        ("my-model", "http://10.1.2.3/v1", PriceSource.SELF_HOSTED),
        ("my-model", "http://[::1]:8000/v1", PriceSource.SELF_HOSTED),
        ("gpt-6-luna", "http://localhost:4000/v1", PriceSource.PUBLISHED),
        ("anthropic/claude-haiku-4-5", "http://litellm.internal/v1", PriceSource.PUBLISHED),
        ("gpt-6-luna", "https://gateway.example.com/v1", PriceSource.PUBLISHED),
        ("my-model", "https://gateway.example.com/v1", None),
        ("gpt-6-luna", None, PriceSource.PUBLISHED),
    ],
)
def test_a_local_server_costs_nothing_unless_it_is_a_proxy(
    model: str, base_url: str | None, source: PriceSource | None
) -> None:
    price = find_price(model, base_url)
    assert (price and price.source) == source
    assert (price is not None and price.cost_nanousd(Usage(1000, 0, 0, 10)) == 0) == (source is PriceSource.SELF_HOSTED)


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://8.8.8.8/v1", "https://internal.example.com/v1"])
def test_a_public_host_is_not_local(url: str) -> None:
    assert not is_self_hosted(url)


def test_batch_answers_cost_half_where_that_is_published() -> None:
    usage = Usage(1000, output_tokens=100)
    prices = find_price("gpt-6-luna"), find_price("gpt-6-luna", service_tier="batch")
    assert [price.cost_nanousd(usage) for price in prices if price] == [150_000, 75_000]
