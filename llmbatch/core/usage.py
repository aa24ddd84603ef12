"""Usage: the tokens of one answer, and totals of tokens and money over any number of rows."""

from collections.abc import Mapping
from operator import add, sub

from msgspec import Struct
from msgspec.structs import astuple


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one answer, as the endpoint reports them.

    `input_tokens` includes cached and cache-written tokens, `output_tokens` includes reasoning tokens.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_unreported_tokens: int = 0
    """Input tokens of answers that do not report how many were cached."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*map(add, astuple(self), astuple(other)))


class UsageTotals(Struct, frozen=True, gc=False):
    """Tokens and money of any number of rows, failed attempts included. Money is in whole nano-dollars (1e-9 USD).

    Used everywhere, from a row's first answer to the spend store.
    """

    rows: int = 0
    """Outcomes written to a ledger, including those that reused another row's answer."""
    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    priced_nanousd: int = 0
    """The cost of rows with a known price."""
    unpriced_rows: int = 0
    """Rows billed at an unknown price; they are not in any sum of money."""
    possibly_billed_nanousd: int = 0
    """Upper bound of the additional cost of requests with an unknown outcome (timeouts, kills)."""
    possibly_billed_requests: int = 0
    cache_unreported_tokens: int = 0
    """Input tokens of answers that do not report how many were cached."""
    saved_nanousd: int = 0
    """The original cost of reused answers."""
    labelled: int = 0
    """Rows that got a label from any prompt; one also sent to a stronger model counts once."""
    billed_rows: int = 0
    """Rows with at least one answer that reported token counts."""

    @classmethod
    def of(cls, usage: Usage, *, priced_nanousd: int = 0, unpriced_rows: int = 0) -> "UsageTotals":
        """The tokens of one answer, and its cost."""
        return cls(
            priced_nanousd=priced_nanousd,
            unpriced_rows=unpriced_rows,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cache_unreported_tokens=usage.cache_unreported_tokens,
        )

    @classmethod
    def restored(cls, stored: Mapping[str, int]) -> "UsageTotals":
        """Totals from the names used in files and the spend store; figures not stored there are 0.

        Raises:
            TypeError: a name is unknown.
        """
        return cls(**{_FIELDS_BY_COLUMN.get(name, name): amount for name, amount in stored.items()})

    def stored(self) -> dict[str, int]:
        """The figures stored in files and the spend store, by their stored names."""
        return {column: getattr(self, field) for column, field in _FIELDS_BY_COLUMN.items()}

    @property
    def cost_nanousd(self) -> int | None:
        """The cost of all rows; None if any row's price is unknown."""
        return None if self.unpriced_rows else self.priced_nanousd

    @property
    def most_nanousd(self) -> int:
        """The cost of the priced rows plus everything that may have been billed."""
        return self.priced_nanousd + self.possibly_billed_nanousd

    @property
    def is_usage_reported(self) -> bool:
        """Whether any answer's tokens are known; true if there were no answers."""
        return self.input_tokens > 0 or not self.possibly_billed_requests

    @property
    def cached_share(self) -> float | None:
        """Share of the input read from the provider's prompt cache, 0..1; None if no answer reports it."""
        reported = self.input_tokens - self.cache_unreported_tokens
        if reported > 0:
            return self.cached_input_tokens / reported
        return None if self.input_tokens or not self.is_usage_reported else 0.0

    def __add__(self, other: "UsageTotals") -> "UsageTotals":
        return UsageTotals(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: "UsageTotals") -> "UsageTotals":
        return UsageTotals(*map(sub, astuple(self), astuple(other)))


STORED = (
    "rows",
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nusd",
    "unpriced_rows",
    "possibly_billed_nusd",
    "possibly_billed_requests",
    "cache_unreported_tokens",
)
"""The names of totals in the spend store and in `sent.log`, which must not change."""
_FIELDS_BY_COLUMN = {name: name for name in STORED} | {
    "cost_nusd": "priced_nanousd",
    "possibly_billed_nusd": "possibly_billed_nanousd",
}
