"""Reuse of an outcome at no additional cost."""

from msgspec.structs import replace

from llmbatch.core.ledger_line import LedgerLine


def without_cost(line: LedgerLine) -> LedgerLine:
    """The same outcome without its cost."""
    return replace(
        line,
        source="reused",
        batch=None,
        attempts=0,
        shared_attempts=0,
        retries=(),
        input_tokens=0,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        cost_usd=0.0,
        possibly_billed_usd=0.0,
        possibly_billed_attempts=0,
        latency_s=0.0,
        answer=None,
    )
