"""Decides how many of the task's pool examples go into the prefix: as many as make the run cheapest.

A provider caches the start of a prompt above some length (1,024 tokens with OpenAI), and charges a tenth or a half for
it from the second row on. So a prefix just below that floor costs more than one just above it, and a few more worked
examples make a run both better and cheaper. If the cached part ends at a multiple of 128 tokens, the same applies to
each of these steps. The decision is pure arithmetic; see docs/explanation/economics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.core.models import NO_CACHING, PromptCaching
from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage
from llmbatch.task.prefix_policy import PrefixPolicy

# Assumed rows of a stream of unknown length: enough for the first row's share to vanish.
_MANY_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class PrefixTerms:
    """What a prefix's cost depends on, besides its size."""

    caching: PromptCaching | None
    """How the model's provider caches; None if unknown."""
    price: Price | None
    """None if unknown."""
    rows: int | None
    """How many will be sent; None for a stream without a known end."""
    has_hits: bool = True
    """Whether requests can rely on the cache; those in batches cannot."""

    def cached_tokens(self, prefix_tokens: int) -> int:
        """How much of a prefix is cached from the second row on; 0 if it is not known to be cached."""
        return 0 if self.caching is None else self.caching.cached_tokens(prefix_tokens)

    def cost_nanousd(self, prefix_tokens: int) -> int | None:
        """The cost of the prefix alone in nano-dollars: written by the first row, read by all others.

        None if the price is unknown. Repeated requests and lost cache entries come on top.
        """
        rows = _MANY_ROWS if self.rows is None else self.rows
        if self.price is None or rows == 0:
            return None if self.price is None else 0
        if not self.has_hits:
            return rows * self.price.cost_nanousd(Usage(prefix_tokens))
        cached = self.cached_tokens(prefix_tokens)
        written = cached if self.caching is not None and self.caching.breakpoints else 0
        first = self.price.cost_nanousd(Usage(prefix_tokens, cache_write_tokens=written))
        return first + (rows - 1) * self.price.cost_nanousd(Usage(prefix_tokens, cached_input_tokens=cached))


@dataclass(frozen=True, slots=True)
class PrefixPlan:
    """The decision about the prefix, and its reason."""

    pool_examples: int
    """Number of pool examples after the task's own."""
    tokens: int
    """Tokens of the whole prefix, without the few that frame its message."""
    cached_tokens: int
    """Prefix tokens that are cached from the second row on."""
    why: str
    """One line for people."""


def plan_prefix(
    sizes: Sequence[int], policy: PrefixPolicy, terms: PrefixTerms, *, standing: int | None = None
) -> PrefixPlan:
    """Decide on a run's prefix.

    Args:
        sizes: tokens of the prefix with none of the pool's examples, with the first, with the first two, and so on.
        policy: the user's choice. `AUTO` uses no pool examples if the price or caching is unknown.
        terms: what the prefix's cost depends on.
        standing: how many pool examples the run has used so far; this number is then kept.
    """
    taken = _decided(sizes, policy, terms) if standing is None else min(standing, len(sizes) - 1)
    remark = "" if len(sizes) == 1 else "; " + _about_the_pool(sizes, taken, policy, terms, kept=standing is not None)
    return PrefixPlan(
        pool_examples=taken,
        tokens=sizes[taken],
        cached_tokens=terms.cached_tokens(sizes[taken]),
        why=_about_the_cache(sizes[taken], terms.caching) + remark,
    )


def _decided(sizes: Sequence[int], policy: PrefixPolicy, terms: PrefixTerms) -> int:
    match policy:
        case PrefixPolicy.MINIMAL:
            return 0
        case PrefixPolicy.FULL:
            return len(sizes) - 1
        case PrefixPolicy.AUTO:
            return _cheapest(sizes, terms)


def _cheapest(sizes: Sequence[int], terms: PrefixTerms) -> int:
    """How many pool examples make the run cheapest, the fewest if tied."""
    costs = [terms.cost_nanousd(size) for size in sizes]
    known = [cost for cost in costs if cost is not None]
    return costs.index(min(known)) if known else 0


def _about_the_cache(tokens: int, caching: PromptCaching | None) -> str:
    if caching is None:
        return f"{tokens:,} tokens, not known to be cached by this model's provider"
    if cached := caching.cached_tokens(tokens):
        share = "" if cached == tokens else f"{cached:,} of them "
        return f"{tokens:,} tokens, {share}cached from row 2"
    if caching is NO_CACHING:
        return f"{tokens:,} tokens, not cached by this protocol"
    return f"{tokens:,} tokens, too short to be cached (minimum {caching.floor_tokens:,})"


def _about_the_pool(sizes: Sequence[int], taken: int, policy: PrefixPolicy, terms: PrefixTerms, *, kept: bool) -> str:
    found = f"it has {taken} of the {len(sizes) - 1} pool examples"
    if kept:
        return f"{found}, as when the run began"
    if policy is not PrefixPolicy.AUTO:
        return f"{found} (--prefix {policy})"
    if not taken:
        return f"{found}: {_why_not(sizes, terms)}"
    with_them, without = terms.cost_nanousd(sizes[taken]), terms.cost_nanousd(sizes[0])
    saved = 1 - with_them / without if with_them is not None and without else 0.0
    return f"{found}, which makes it {saved:.0%} cheaper than without them"


def _why_not(sizes: Sequence[int], terms: PrefixTerms) -> str:
    if terms.price is None:
        return "the price is unknown"
    if not terms.has_hits:
        return "batches cannot count on the cache"
    if terms.cached_tokens(sizes[-1]) <= terms.cached_tokens(sizes[0]):
        return "with them, no more of the prefix is cached"
    asked = "" if terms.rows is None else " in one row" if terms.rows == 1 else f" in {terms.rows:,} rows"
    return f"they would cost more than they save{asked}"
