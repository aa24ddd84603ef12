"""Whether the provider's cache served what was planned, and what the likely cause is where it did not."""

from llmbatch.core.usage import UsageTotals
from llmbatch.task.prefix_plan import PrefixPlan

_ENOUGH_ANSWERS = 20
"""Before that, a first row that pays in full is most of the difference."""
_NEAR = 0.8
"""Share of the planned tokens from which on all is well: some repeats and re-routings are the provider's daily life."""
_OFTEN = 3


def far_from_plan(prefix: PrefixPlan, usage: UsageTotals) -> str | None:
    """The warning if much less came from the cache than planned; None where all is well or nothing can be said.

    Args:
        prefix: what was planned.
        usage: of all answers, of which there were at least as many as rows that were billed.
    """
    answers = usage.billed_rows
    planned = prefix.cached_tokens * (answers - 1)
    if answers < _ENOUGH_ANSWERS or planned == 0 or usage.cached_input_tokens >= _NEAR * planned:
        return None
    if usage.cache_unreported_tokens >= usage.input_tokens:
        return "How much of the prefix came from the cache is not known: this endpoint does not report it."
    return (
        f"Of the prefix's tokens {usage.cached_input_tokens / planned:.0%} came from the cache instead of nearly all: "
        f"{_likely_cause(prefix, usage)}."
    )


def _likely_cause(prefix: PrefixPlan, usage: UsageTotals) -> str:
    writes = usage.cache_write_tokens // prefix.cached_tokens
    if usage.cached_input_tokens == 0 and writes == 0:
        return "this endpoint does not cache prompts"
    if usage.cached_input_tokens == 0:
        return f"the prefix was written {writes:,} times and never found again, as if each request had a different one"
    if writes >= _OFTEN:
        return (
            f"the prefix was written {writes:,} times instead of once: it expired in pauses, or requests were spread "
            "over several of the provider's machines"
        )
    return (
        "its entry expired in pauses, requests were spread over several of the provider's machines, or many were "
        "sent before the first was answered"
    )
