"""Divides the usage of several rows among them: in whole tokens and nano-dollars, with exact sums."""

from collections.abc import Sequence

from llmbatch.core.usage import UsageTotals


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Whole-number parts that add up to a total, as nearly in proportion to their weights as possible.

    Args:
        total: 0 or more.
        weights: one per part, each above 0.
    """
    whole, so_far, given, parts = sum(weights), 0, 0, list[int]()
    for weight in weights:
        so_far += weight
        up_to_here = total * so_far // whole
        parts.append(up_to_here - given)
        given = up_to_here
    return parts


def shared_usage(usage: UsageTotals, weights: Sequence[int]) -> list[UsageTotals]:
    """Each row's share of tokens and money. No row has more cached input than input.

    Cache reads and writes concern the common beginning, and answers have similar lengths: each row gets an equal part
    of these. A request with an unknown outcome counts as possibly billed for each of its rows, and so does one with an
    unknown price.
    """
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    alike = [1] * len(weights)
    columns = [
        shares(max(total, 0), by)
        for total, by in (
            (plain, weights),
            (usage.cached_input_tokens, alike),
            (usage.cache_write_tokens, alike),
            (usage.output_tokens - usage.reasoning_tokens, alike),
            (usage.reasoning_tokens, alike),
            (usage.priced_nanousd, weights),
            (usage.possibly_billed_nanousd, weights),
            (usage.cache_unreported_tokens, weights),
        )
    ]
    return [
        UsageTotals(
            input_tokens=own + cached + written,
            cached_input_tokens=cached,
            cache_write_tokens=written,
            output_tokens=visible + reasoning,
            reasoning_tokens=reasoning,
            priced_nanousd=priced,
            unpriced_rows=usage.unpriced_rows,
            possibly_billed_nanousd=possibly,
            possibly_billed_requests=usage.possibly_billed_requests,
            cache_unreported_tokens=unreported,
        )
        for own, cached, written, visible, reasoning, priced, possibly, unreported in zip(*columns, strict=True)
    ]
