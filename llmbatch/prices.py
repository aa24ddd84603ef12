"""What tokens cost: dated, tiered prices from `genai-prices`, or the user's own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from llmbatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_prices.types import ModelInfo, TieredPrices

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, as the endpoint reports them.

    `input_tokens` holds the cached and cache-written ones, `output_tokens` the reasoning ones.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in nano-dollars for a million tokens: whole numbers down to $0.000000001 per million."""

    input: int
    cached: int
    cache_write: int
    output: int

    def cost_nusd(self, usage: Usage) -> int:
        """What `usage` costs, in nano-dollars, rounded up."""
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        total = (
            max(plain, 0) * self.input
            + usage.cached_input_tokens * self.cached
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )
        return -(-total // _MILLION)


@dataclass(frozen=True, slots=True)
class Price:
    """A model's rates by prompt size: past a tier's start, the whole request costs that tier's rates."""

    tiers: tuple[tuple[int, Rates], ...]
    """(input tokens that must be exceeded, rates), in rising order; the first starts at -1."""

    def cost_nusd(self, usage: Usage) -> int:
        """What a request with this usage costs, in nano-dollars, rounded up."""
        rates = next(rates for start, rates in reversed(self.tiers) if usage.input_tokens > start)
        return rates.cost_nusd(usage)


def parse_price(text: str) -> Price:
    """The user's own price, `input,cached,output` in USD for a million tokens (`--price 0.1,0.01,0.5`).

    Raises:
        UsageError: not three numbers of zero or more.
    """
    try:
        amounts = [Decimal(part.strip()) for part in text.split(",")]
    except ArithmeticError:
        amounts = []
    if len(amounts) != len(("input", "cached", "output")) or not all(a.is_finite() and a >= 0 for a in amounts):
        raise UsageError(
            f"--price {text!r} is not three amounts",
            hint="give USD per million tokens: --price INPUT,CACHED,OUTPUT, say --price 0.1,0.01,0.5",
        )
    given, cached, output = (_per_million(amount) for amount in amounts)
    return Price(((-1, Rates(given, cached, given, output)),))


def find_price(model: str, base_url: str | None = None, service_tier: str | None = None) -> Price | None:
    """The published price of a model today, or None where it is not known.

    Args:
        model: as asked for, or as the answer names it; a maker's prefix (`openai/gpt-6-luna`) is understood.
        base_url: the endpoint, which tells the provider; endpoints that nobody published prices for fall back
            to the model's maker.
        service_tier: as the answer states it (`flex`, `priority`); None for the standard price.
    """
    info = _find_model(model, base_url)
    if info is None:
        return None
    context = {"service_tier": service_tier} if service_tier not in (None, "default", "auto") else None
    prices = info.get_prices(datetime.now(tz=UTC), context)
    given, output = prices.input_mtok, prices.output_mtok
    if given is None or output is None:
        return None
    cached = prices.cache_read_mtok if prices.cache_read_mtok is not None else given
    written = prices.cache_write_mtok if prices.cache_write_mtok is not None else given
    parts = (given, cached, written, output)
    starts = sorted({tier.start for part in parts if not isinstance(part, Decimal) for tier in part.tiers})
    return Price(tuple((start, Rates(*(_rate_at(part, start) for part in parts))) for start in (-1, *starts)))


class PriceBook:
    """Looks each model up once and remembers the answer, misses too."""

    def __init__(self, base_url: str | None, own_price: Price | None = None) -> None:
        self._base_url = base_url
        self._own_price = own_price
        self._found: dict[tuple[str, str | None], Price | None] = {}

    def price(self, model: str, *, asked: str | None = None, service_tier: str | None = None) -> Price | None:
        """The price of an answer by `model`; where that name is unknown, of the model that was asked for."""
        if self._own_price is not None:
            return self._own_price
        key = (model, service_tier)
        if key not in self._found:
            found = find_price(model, self._base_url, service_tier)
            if found is None and asked is not None and asked != model:
                found = find_price(asked, self._base_url, service_tier)
            self._found[key] = found
        return self._found[key]


def _find_model(model: str, base_url: str | None) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.3 s, and only some commands ask

    find = get_snapshot().find_provider_model
    bare = model.rsplit("/", 1)[-1]
    lookups: list[Callable[[], tuple[object, ModelInfo]]] = []
    if base_url is not None:
        lookups.append(lambda: find(model, None, None, base_url))
    lookups += [lambda: find(bare, None, "openai", None), lambda: find(model, None, None, None)]
    for lookup in lookups:
        try:
            return lookup()[1]
        except LookupError:
            continue
    return None


def _rate_at(price: "Decimal | TieredPrices", start: int) -> int:
    if isinstance(price, Decimal):
        return _per_million(price)
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return _per_million(reached[-1] if reached else price.base)


def _per_million(usd: Decimal) -> int:
    return int((usd * 1_000_000_000).to_integral_value())
