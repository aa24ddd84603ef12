"""Checks whether the provider's cache served what was planned, and names the likely cause if not."""

from llmbatch.core.usage import UsageTotals
from llmbatch.task.prefix_plan import PrefixPlan

_ENOUGH_ANSWERS = 20
"""Minimum number of answers; before that, the first row, which pays in full, dominates the difference."""
_NEAR = 0.8
"""Share of the planned tokens that counts as fine: occasional repeats and re-routing are normal."""
_OFTEN = 3


def far_from_plan(prefix: PrefixPlan, usage: UsageTotals) -> str | None:
    """The warning if much less was cached than planned; None if all is well or nothing can be said.

    Args:
        prefix: the plan.
        usage: usage of all answers, at least one per billed row.
    """
    answers = usage.billed_rows
    planned = prefix.cached_tokens * (answers - 1)
    if answers < _ENOUGH_ANSWERS or planned == 0 or usage.cached_input_tokens >= _NEAR * planned:
        return None
    if usage.cache_unreported_tokens >= usage.input_tokens:
        return "How much of the prefix was cached is unknown: this endpoint does not report it."
    return (
        f"Cached prefix tokens: {usage.cached_input_tokens / planned:.0%} instead of nearly all: "
        f"{_likely_cause(prefix, usage)}."
    )


def _likely_cause(prefix: PrefixPlan, usage: UsageTotals) -> str:
    writes = usage.cache_write_tokens // prefix.cached_tokens
    if usage.cached_input_tokens == 0 and writes == 0:
        return "this endpoint does not cache prompts"
    if usage.cached_input_tokens == 0:
        return f"the prefix was written {writes:,} times and never read, as if each request had a different one"
    if writes >= _OFTEN:
        return (
            f"the prefix was written {writes:,} times instead of once: it expired during pauses, or requests "
            "were spread over several of the provider's machines"
        )
    return (
        "its entry expired during pauses, requests were spread over several of the provider's machines, or many were "
        "sent before the first was answered"
    )
