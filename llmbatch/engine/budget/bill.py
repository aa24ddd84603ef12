"""What a row has cost so far, and what its next request may cost at most."""

from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.core.ledger_line import ABOVE_BOUND
from llmbatch.core.prices import Price, PriceBook, PriceSource
from llmbatch.core.service_tiers import BATCH
from llmbatch.core.usage import Usage, UsageTotals
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.plan import Plan
from llmbatch.provider.completion import Completion
from llmbatch.provider.shape import RequestShape
from llmbatch.provider.usage import IMPLAUSIBLE

_MOST_BEYOND = 131_072
"""Tokens that an endpoint may have added to the input, or generated beyond the given limit: its own instructions,
reasoning. No model writes more in one answer (OpenAI, "Models": 128,000)."""


@dataclass(slots=True)
class Bill:
    """One row's bill over all its attempts."""

    usage: UsageTotals = UsageTotals()
    flags: tuple[str, ...] = ()
    """Ledger flags of the row."""

    def may_be_billed(self, at_most_nanousd: int) -> None:
        """Record that an attempt ended with its outcome unknown."""
        self.usage += UsageTotals(possibly_billed_requests=1, possibly_billed_nanousd=at_most_nanousd)

    def charge(self, usage: Usage, cost_nanousd: int | None) -> None:
        """Record that an answer arrived; its cost is None if the price is unknown."""
        unpriced_rows = int(cost_nanousd is None and not self.usage.unpriced_rows)
        self.usage += UsageTotals.of(usage, priced_nanousd=cost_nanousd or 0, unpriced_rows=unpriced_rows)

    def flag(self, name: str) -> None:
        """Add a flag, once."""
        if name not in self.flags:
            self.flags = (*self.flags, name)


class Biller:
    """Prices the requests of one plan."""

    def __init__(self, plan: Plan, prices: PriceBook, surplus: Surplus) -> None:
        """`surplus` records what answers have cost beyond their bounds."""
        self._model = plan.question.model
        self._prefix_tokens = plan.prefix_tokens
        self._prefix_bytes = len(plan.question.prefix.encode())
        self._prices = prices
        self._surplus = surplus

    def most_nanousd(self, body: bytes, shape: RequestShape) -> int:
        """Upper bound of a request's cost: no text has more tokens than bytes, and the prefix's are counted.

        It holds as long as the endpoint keeps to the output limit and bills nothing else; see `surplus_nanousd`.
        Whichever tier was requested, the answer may be served at the standard one. 0 if the price is unknown.
        """
        plain = self._most_tokens(len(body), shape)
        written = replace(plain, cache_write_tokens=plain.input_tokens)
        prices = self._prices_at(self._model, {shape.service_tier, None})
        return max(price.cost_nanousd(usage) if price else 0 for price in prices for usage in (plain, written))

    def most_in_batch_nanousd(self, body: bytes, shape: RequestShape, counted_tokens: int) -> int:
        """Upper bound of a request's cost in a batch, given its prompt's token count. 0 if unknown.

        Allows for a different tokenizer, up to the number of bytes.
        """
        most = self._most_tokens(len(body), shape)
        plain = replace(most, input_tokens=min(most.input_tokens, counted_tokens))
        written = replace(plain, cache_write_tokens=plain.input_tokens)
        price = self._prices.price(self._model, service_tier=BATCH)
        return 0 if price is None else max(price.cost_nanousd(usage) for usage in (plain, written))

    def surplus_nanousd(self) -> int:
        """The extra reservation, if answers so far have exceeded the bound."""
        price = self._prices.price(self._model)
        return 0 if price is None else self._surplus.nanousd(self._model, price)

    def bounded(self, completion: Completion, size: int, shape: RequestShape) -> Completion:
        """The answer to a request of `size` bytes, without its usage if that is implausibly large."""
        usage, most = completion.usage, self._most_tokens(size, shape)
        if usage is None or (
            usage.input_tokens <= most.input_tokens + _MOST_BEYOND
            and usage.output_tokens <= most.output_tokens + _MOST_BEYOND
        ):
            return completion
        return replace(completion, usage=None, usage_flag=IMPLAUSIBLE)

    def charge(
        self, bill: Bill, completion: Completion, reserved_nanousd: int, *, asked_tier: str | None = None
    ) -> int:
        """Charge an answer to a row's bill and return its amount against the budget, in nano-dollars.

        It is priced by its reported tier, or if none is reported, by the more expensive of `asked_tier` and standard.
        """
        if completion.usage_flag is not None:
            bill.flag(completion.usage_flag)
        if completion.usage is None:
            bill.may_be_billed(reserved_nanousd)
            return reserved_nanousd
        answered = completion.model or self._model
        served = completion.service_tier
        prices = self._prices_at(answered, {asked_tier, None} if served is None else {served})
        costs = (_cost_nanousd(price, completion.usage, completion.stated_cost_nanousd) for price in prices)
        cost_nanousd = max((cost for cost in costs if cost is not None), default=None)
        bill.charge(completion.usage, cost_nanousd)
        if cost_nanousd is None:
            return 0
        if cost_nanousd > reserved_nanousd and self._prices.price(self._model) is not None:
            bill.flag(ABOVE_BOUND)
            self._surplus.note(self._model, cost_nanousd, completion.usage)
        return cost_nanousd

    def _prices_at(self, model: str, tiers: set[str | None]) -> list[Price | None]:
        """A model's prices at these service tiers; None if unknown."""
        return [self._prices.price(model, asked=self._model, service_tier=tier) for tier in tiers]

    def _most_tokens(self, size: int, shape: RequestShape) -> Usage:
        tokens = self._prefix_tokens + max(size - self._prefix_bytes, 0)
        return Usage(input_tokens=tokens, output_tokens=shape.max_output_tokens)


def _cost_nanousd(price: Price | None, usage: Usage, stated_nanousd: int | None) -> int | None:
    """An answer's cost: the higher of its price and a proxy's stated cost, unless the user gave the price."""
    if price is None:
        return stated_nanousd
    counted = price.cost_nanousd(usage)
    return counted if price.source is PriceSource.GIVEN or stated_nanousd is None else max(counted, stated_nanousd)
