"""What a row has cost so far, and what its next request may cost at most."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from llmbatch.pipeline.plan import Plan
from llmbatch.prices import PriceBook, Usage
from llmbatch.provider.completion import Completion
from llmbatch.provider.shape import RequestShape


@dataclass(slots=True)
class Bill:
    """One row's, over all its attempts. Money in nano-dollars; `cost_nusd` is None where a price is unknown."""

    usage: Usage = field(default_factory=Usage)
    cost_nusd: int | None = 0
    possibly_billed_nusd: int = 0
    possibly_billed_attempts: int = 0
    usage_missing: bool = False

    def may_be_billed(self, at_most_nusd: int) -> None:
        """An attempt ended with its outcome unknown."""
        self.possibly_billed_attempts += 1
        self.possibly_billed_nusd += at_most_nusd


class Biller:
    """Prices the requests of one plan."""

    def __init__(self, plan: Plan, prices: PriceBook) -> None:
        self._model = plan.question.model
        self._prefix_tokens = plan.prefix_tokens
        self._prefix_bytes = len(plan.question.prefix.encode())
        self._prices = prices

    def most_nusd(self, body: bytes, shape: RequestShape) -> int:
        """Upper bound of a request's cost: no text has more tokens than bytes, and the prefix's are counted.

        0 where the price is unknown.
        """
        price = self._prices.price(self._model)
        if price is None:
            return 0
        tokens = self._prefix_tokens + max(len(body) - self._prefix_bytes, 0)
        plain = Usage(input_tokens=tokens, output_tokens=shape.max_output_tokens)
        return max(price.cost_nusd(plain), price.cost_nusd(replace(plain, cache_write_tokens=tokens)))

    def charge(self, bill: Bill, completion: Completion, reserved_nusd: int) -> int:
        """Put an answer on a row's bill. Returns what it counts for against the budget, nano-dollars."""
        if completion.usage is None:
            bill.usage_missing = True
            bill.may_be_billed(reserved_nusd)
            return reserved_nusd
        bill.usage += completion.usage
        answered = completion.model or self._model
        price = self._prices.price(answered, asked=self._model, service_tier=completion.service_tier)
        if price is None:
            bill.cost_nusd = None
            return 0
        cost_nusd = price.cost_nusd(completion.usage)
        if bill.cost_nusd is not None:
            bill.cost_nusd += cost_nusd
        return cost_nusd
