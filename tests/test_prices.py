"""Costs are exact sums of whole nano-dollars."""

from decimal import Decimal

import pytest
from genai_prices import Usage as ReferenceUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.errors import UsageError
from llmbatch.prices import PriceBook, Usage, find_price, parse_price

counts = st.integers(0, 400_000)


@given(plain=counts, cached=counts, written=counts, output=counts)
@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-4o-mini", "gpt-6.1-sol"])
def test_a_cost_agrees_with_the_price_librarys(model: str, plain: int, cached: int, written: int, output: int) -> None:
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
    assert Decimal(price.cost_nusd(usage)) - 1 < exact <= price.cost_nusd(usage)


def test_the_users_own_price_is_taken() -> None:
    assert parse_price("0.1,0.01,0.5").cost_nusd(Usage(1_000_000, 500_000, 0, 1_000_000)) == 555_000_000


@pytest.mark.parametrize("text", ["", "1", "1,2", "a,b,c", "1,2,-3", "1,2,nan", "1,2,3,4", "inf,0,0"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not three amounts"):
        parse_price(text)


def test_an_unknown_model_has_no_price() -> None:
    assert find_price("nobodys-model-9000") is None


def test_an_answer_by_an_unknown_name_is_priced_as_what_was_asked() -> None:
    book = PriceBook(None)
    assert book.price("weird-name", asked="gpt-6-luna") == find_price("gpt-6-luna")
