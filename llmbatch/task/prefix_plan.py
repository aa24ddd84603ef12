"""How much of the task's pool of examples goes into the prefix: as much as makes the run cheapest.

A provider keeps the beginning of a prompt from some length on (1,024 tokens with OpenAI), and charges a tenth or a
half for it from the second row on. So a prefix a little below that floor costs more than one a little above it, and a
few more worked examples make a run both better and cheaper. Where what is kept ends at a multiple of 128 tokens, the
same holds for each of these steps. Only arithmetic decides; docs/explanation/economics.md shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.core.models import NO_CACHING, PromptCaching
from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage
from llmbatch.task.prefix_policy import PrefixPolicy

# Rows of a stream of unknown length: so many that the first row's share is nothing.
_MANY_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class PrefixTerms:
    """What a prefix's cost depends on, beside its size."""

    caching: PromptCaching | None
    """How the model's provider caches; None where that is not known."""
    price: Price | None
    """None where it is not known."""
    rows: int | None
    """How many will be asked; None for a stream without a known end."""
    has_hits: bool = True
    """Whether requests can count on the cache; those in batches cannot."""

    def cached_tokens(self, prefix_tokens: int) -> int:
        """How much of a prefix comes from the cache from the second row on; 0 where it is not known to be cached."""
        return 0 if self.caching is None else self.caching.cached_tokens(prefix_tokens)

    def cost_nanousd(self, prefix_tokens: int) -> int | None:
        """What the prefix alone costs the run, nano-dollars: written by the first row, read by all others.

        None where the price is not known. Requests that are repeated and entries that are lost come on top.
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
    """What was decided about the prefix, and why."""

    pool_examples: int
    """How many of the pool's examples follow the task's own."""
    tokens: int
    """The whole prefix, without the few that frame its message."""
    cached_tokens: int
    """Of them, those that come from the cache from the second row on."""
    why: str
    """One line for people."""


def plan_prefix(
    sizes: Sequence[int], policy: PrefixPolicy, terms: PrefixTerms, *, standing: int | None = None
) -> PrefixPlan:
    """Decide about the prefix of a run.

    Args:
        sizes: tokens of the prefix with none of the pool's examples, with the first, with the first two, and so on.
        policy: what the user wants. `AUTO` takes nothing from the pool where price or caching is not known.
        terms: what the prefix's cost depends on.
        standing: how many of the pool's examples the run has been asked with so far; that is kept.
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
    """How many of the pool's examples make the run cheapest; of equals, the fewest."""
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
    return f"{tokens:,} tokens, too short for the cache, which begins at {caching.floor_tokens:,}"


def _about_the_pool(sizes: Sequence[int], taken: int, policy: PrefixPolicy, terms: PrefixTerms, *, kept: bool) -> str:
    found = f"{taken} of the pool's {len(sizes) - 1} examples are in it"
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
        return "the price is not known"
    if not terms.has_hits:
        return "batches cannot count on the cache"
    if terms.cached_tokens(sizes[-1]) <= terms.cached_tokens(sizes[0]):
        return "with them, no more of the prefix is cached"
    asked = "" if terms.rows is None else " in one row" if terms.rows == 1 else f" in {terms.rows:,} rows"
    return f"they would cost more than they save{asked}"
