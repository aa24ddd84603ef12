"""Whether batches pay off: a first part shows how much of the prompt comes from the cache, before the rest is sent.

Batch prices are half the standard ones, but a single request finds nearly all of its prompt in the cache, at a tenth of
the price. No provider guarantees this for batches. If the decision depends on it, a small part is sent first.
"""

from dataclasses import dataclass

from msgspec import structs

from llmbatch.core.errors import BudgetReached
from llmbatch.core.money import to_usd
from llmbatch.core.prices import Price, PriceBook, PriceSource
from llmbatch.core.service_tiers import BATCH, ServiceTier
from llmbatch.core.usage import Usage, UsageTotals
from llmbatch.engine.plan import Plan

FIRST_ROWS = 500
"""Rows of the part that shows it."""
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class WayPrices:
    """The published prices of one model; None if there is none for a way."""

    sync: Price | None
    flex: Price | None
    batch: Price | None

    @classmethod
    def of(cls, prices: PriceBook, model: str) -> "WayPrices":
        """The prices of a model. A price that the user set says nothing about other ways."""
        sync = prices.price(model)
        if sync is None or sync.source is not PriceSource.PUBLISHED:
            return cls(None, None, None)
        flex = prices.price(model, service_tier=ServiceTier.FLEX)
        return cls(sync, None if flex == sync else flex, prices.price(model, service_tier=BATCH))


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """Compares the ways to send one plan."""

    plan: Plan
    prices: WayPrices

    def needs_measuring(self, input_tokens: int) -> bool:
        """Whether rows with this many input tokens cost less as single requests, if batches do not use the cache."""
        sync, batch = self.prices.sync, self.prices.batch
        if sync is None or batch is None:
            return False
        output = self.plan.shape.max_output_tokens
        alone = sync.cost_nanousd(Usage(input_tokens, self._cached(input_tokens), output_tokens=output))
        return batch.cost_nanousd(Usage(input_tokens, output_tokens=output)) > alone

    def marks_prefix(self, measured: UsageTotals) -> bool:
        """Whether to write the prompt to the cache, given the batches so far."""
        batch, tokens = self.prices.batch, self.plan.prefix.cached_tokens
        if batch is None or not tokens:
            return False
        if not measured.rows:
            return self.needs_measuring(self.plan.prefix_tokens)
        hits = self._hits(measured)
        found = batch.cost_nanousd(Usage(tokens, tokens))
        written = batch.cost_nanousd(Usage(tokens, cache_write_tokens=tokens))
        return hits * found + (1 - hits) * written < batch.cost_nanousd(Usage(tokens))

    def objection(self, measured: UsageTotals) -> BudgetReached | None:
        """Why the rest should not be submitted, given the batches so far; None if they do not cost more."""
        sync, rows = self.prices.sync, measured.rows
        if sync is None or not rows or not measured.input_tokens:
            return None
        usage = Usage(measured.input_tokens // rows, output_tokens=measured.output_tokens // rows)
        cached = self._cached(usage.input_tokens)
        alone = Usage(usage.input_tokens, cached, output_tokens=usage.output_tokens)
        batch_nanousd = self._in_batches(measured, usage)
        if batch_nanousd <= sync.cost_nanousd(alone):
            return None
        share = measured.cached_input_tokens / measured.input_tokens
        flex = self.prices.flex
        other = "" if flex is None else f", {_per_1000(flex.cost_nanousd(alone))} with --service-tier flex"
        return BudgetReached(
            f"batches cost more here: {_per_1000(batch_nanousd)} for 1,000 rows, {share:.0%} of their input cached in "
            f"{rows:,} rows; {_per_1000(sync.cost_nanousd(alone))} without --batch{other}. The rest was not submitted",
            hint="leave out --batch, or submit anyway with --yes",
        )

    def _in_batches(self, measured: UsageTotals, usage: Usage) -> float:
        """Expected cost of another row in a batch, nano-dollars."""
        batch, cached = self.prices.batch, self._cached(usage.input_tokens)
        if batch is None:
            return measured.priced_nanousd / measured.rows
        written = cached if self.marks_prefix(measured) else 0
        found = batch.cost_nanousd(structs.replace(usage, cached_input_tokens=cached))
        missed = batch.cost_nanousd(structs.replace(usage, cache_write_tokens=written))
        return self._hits(measured) * found + (1 - self._hits(measured)) * missed

    def _hits(self, measured: UsageTotals) -> float:
        """Share of the rows that found the prompt in the cache, 0..1, without the first one, which cannot."""
        tokens = self.plan.prefix.cached_tokens * max(measured.rows - 1, 1)
        return min(measured.cached_input_tokens / tokens, 1.0) if tokens else 0.0

    def _cached(self, input_tokens: int) -> int:
        return min(self.plan.prefix.cached_tokens, input_tokens)


def _per_1000(nanousd: float) -> str:
    return f"${to_usd(round(nanousd * _THOUSAND)):.3g}"
