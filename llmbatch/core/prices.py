"""What tokens cost: dated, tiered prices from `genai-prices`, or the user's own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from llmbatch.core.errors import UsageError
from llmbatch.core.hosts import Reach, reach_of
from llmbatch.core.service_tiers import BATCH, priced_tier
from llmbatch.core.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider, TieredPrices

_MILLION = 1_000_000
_LOWEST, _HIGHEST = Decimal("0.000000001"), Decimal(100_000)
"""Bounds of a price, in USD per million tokens. Lower amounts would round to zero, so no limit would hold; higher ones
do not exist."""
_LONGEST_SHOWN = 80

# Makers whose models are not available to self-host: a private server that offers them is a proxy or a stand-in.
_CLOSED_MAKERS = frozenset({"openai", "anthropic", "google", "x-ai"})
_OPEN_MODELS = ("gpt-oss", "gemma")


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in nano-dollars per million tokens: whole numbers down to $0.000000001 per million."""

    input: int
    cached: int
    cache_write: int
    output: int

    def cost_nanousd(self, usage: Usage) -> int:
        """The cost of `usage` in nano-dollars, rounded up."""
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        total = (
            max(plain, 0) * self.input
            + usage.cached_input_tokens * self.cached
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )
        return -(-total // _MILLION)


class PriceSource(StrEnum):
    """Where a price comes from."""

    PUBLISHED = "published"
    GIVEN = "given"
    """Given by the user."""
    SELF_HOSTED = "self-hosted"
    """Free: the server is the user's own."""


@dataclass(frozen=True, slots=True)
class Price:
    """A model's rates by prompt size: past a tier's start, the whole request costs that tier's rates."""

    tiers: tuple[tuple[int, Rates], ...]
    """(input tokens that must be exceeded, rates), in ascending order; the first starts at -1."""
    source: PriceSource = PriceSource.PUBLISHED

    def cost_nanousd(self, usage: Usage) -> int:
        """The cost of a request with this usage, in nano-dollars, rounded up."""
        for start, rates in reversed(self.tiers):
            if usage.input_tokens > start:
                return rates.cost_nanousd(usage)
        raise AssertionError("the first tier accepts any usage")


FREE = Price(((-1, Rates(0, 0, 0, 0)),), PriceSource.SELF_HOSTED)


def parse_price(text: str) -> Price:
    """Parse the user's price in USD per million tokens: `input,cached,output`, optionally followed by cache writes.

    If omitted, cache writes cost the same as plain input (`--price 0.1,0.01,0.5`).

    Raises:
        UsageError: not three or four numbers of zero or more.
    """
    try:
        amounts = [Decimal(part.strip()) for part in text.split(",")]
    except ArithmeticError:
        amounts = []
    if len(amounts) not in (3, 4) or not all(map(_is_price, amounts)):
        raise UsageError(
            f"--price {text[:_LONGEST_SHOWN]!r} is not three or four amounts, each 0 or {_LOWEST:f} to {_HIGHEST:,}",
            hint="give USD per million tokens: --price INPUT,CACHED,OUTPUT[,CACHE_WRITE], as in --price 0.1,0.01,0.5",
        )
    given, cached, output, *written = (_per_million(amount) for amount in amounts)
    return Price(((-1, Rates(given, cached, written[0] if written else given, output)),), PriceSource.GIVEN)


def _is_price(amount: Decimal) -> bool:
    return amount.is_finite() and (amount == 0 or _LOWEST <= amount <= _HIGHEST)


def find_price(
    model: str, base_url: str | None = None, service_tier: str | None = None, *, has_output: bool = True
) -> Price | None:
    """The price of a model today, or None if unknown.

    Args:
        model: as requested, or as named in the answer; a vendor prefix (`openai/gpt-6-luna`) is understood.
        base_url: the endpoint, which identifies the provider. An endpoint without published prices is assumed to charge
        the model vendor's price; the user's own server (on this machine or its network) is free, unless only the vendor
        serves the model: then the server is a proxy to it.
        service_tier: as stated in the answer, or as requested; if the model has no price for it, the standard price
        applies; `batch` for answers that may take a day.
        has_output: whether the model generates text; embedding models have no price for that.
    """
    found = _find_model(model, base_url)
    if base_url is not None and is_self_hosted(base_url) and not (found and _is_closed(*found)):
        return FREE
    if found is None:
        return None
    tier = priced_tier(service_tier)
    context = {} if tier is None else {"processing" if tier == BATCH else "service_tier": tier}
    prices = found[1].get_prices(datetime.now(tz=UTC), context)
    given, output = prices.input_mtok, prices.output_mtok if has_output else Decimal(0)
    if given is None or output is None:
        return None
    cached = prices.cache_read_mtok if prices.cache_read_mtok is not None else given
    written = prices.cache_write_mtok if prices.cache_write_mtok is not None else given
    parts = (given, cached, written, output)
    starts = sorted({tier.start for part in parts if not isinstance(part, Decimal) for tier in part.tiers})
    return Price(tuple((start, Rates(*(_rate_at(part, start) for part in parts))) for start in (-1, *starts)))


def is_self_hosted(base_url: str) -> bool:
    """Whether an endpoint is on this machine or its own network, by its host's name or address."""
    return reach_of(base_url) is not Reach.PUBLIC


class PriceBook:
    """Looks up each model once and remembers the result, including misses."""

    _has_output = True

    def __init__(self, base_url: str | None, own_price: Price | None = None) -> None:
        self._base_url = base_url
        self._own_price = own_price
        self._found: dict[tuple[str, str | None], Price | None] = {}

    def price(self, model: str, *, asked: str | None = None, service_tier: str | None = None) -> Price | None:
        """The price of an answer by `model`; if that name is unknown, of the requested model."""
        return self._published(model, asked, service_tier) if self._own_price is None else self._own_price

    def _published(self, model: str, asked: str | None, service_tier: str | None) -> Price | None:
        key = (model, service_tier)
        if key not in self._found:
            found = find_price(model, self._base_url, service_tier, has_output=self._has_output)
            if found in (None, FREE) and asked is not None and asked != model:
                found = find_price(asked, self._base_url, service_tier, has_output=self._has_output)
            self._found[key] = found
        return self._found[key]

    @property
    def of_embeddings(self) -> "PriceBook":
        """The prices of embedding models: published ones, else the user's."""
        return _EmbeddingPrices(self._base_url, self._own_price)

    def has_tier(self, model: str, tier: str) -> bool:
        """Whether a service tier has its own price: a published one, or the user's."""
        if priced_tier(tier) is None or self._own_price is not None:
            return True
        return self.price(model, service_tier=tier) != self.price(model)


class _EmbeddingPrices(PriceBook):
    """Embedding prices. The user's price is meant for the model that answers, so it only replaces an unknown price."""

    _has_output = False

    def price(self, model: str, *, asked: str | None = None, service_tier: str | None = None) -> Price | None:
        """See `PriceBook`."""
        published = self._published(model, asked, service_tier)
        return self._own_price or published if published in (None, FREE) else published


def known_models() -> tuple[list[str], list[str]]:
    """The names of models with known prices: OpenAI's, and other vendors'."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.3 s, and only some commands need it

    providers = get_snapshot().providers
    own = [model.id for provider in providers if provider.id == "openai" for model in provider.models]
    return own, [model.id for provider in providers if provider.id != "openai" for model in provider.models]


def _find_model(model: str, base_url: str | None) -> "tuple[Provider, ModelInfo] | None":
    """A model as listed by the endpoint's provider; for an unknown provider, as listed by the model's vendor."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.3 s, and only some commands need it

    find = get_snapshot().find_provider_model
    bare = model.rsplit("/", 1)[-1]
    by_maker = ((bare, "openai", None), (model, None, None), (bare, None, None))
    for name, provider, url in by_maker if base_url is None else ((model, None, base_url), *by_maker):
        try:
            return find(name, None, provider, url)
        except LookupError:
            continue
    return None


def _is_closed(provider: "Provider", model: "ModelInfo") -> bool:
    return provider.id in _CLOSED_MAKERS and not model.id.startswith(_OPEN_MODELS)


def _rate_at(price: "Decimal | TieredPrices", start: int) -> int:
    if isinstance(price, Decimal):
        return _per_million(price)
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return _per_million(reached[-1] if reached else price.base)


def _per_million(usd: Decimal) -> int:
    return int((usd * 1_000_000_000).to_integral_value())
