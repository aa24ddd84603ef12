"""What requests came to: the sums that the store keeps and reports add up."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over rows. Money in nano-dollars; the fields are columns of the store, too."""

    rows: int = 0
    """Outcomes written to a ledger, those that reused another row's answer among them."""
    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int = 0
    """Of the rows whose price is known."""
    unpriced_rows: int = 0
    """Rows that were billed at a price that is not known: they are in no sum of money."""
    possibly_billed_nusd: int = 0
    """Upper bound of what requests with an unknown outcome may have cost on top."""
    possibly_billed_requests: int = 0
    cache_unreported_tokens: int = 0
    """Of the input, what belongs to answers that do not say how much came from the cache."""

    @property
    def is_cache_reported(self) -> bool:
        """Whether any answer says how much of its input came from the cache."""
        return self.input_tokens > self.cache_unreported_tokens

    @property
    def is_usage_reported(self) -> bool:
        """Whether the tokens of any answer are known; there may have been none."""
        return self.input_tokens > 0 or not self.possibly_billed_requests

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    def __sub__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) - getattr(other, name) for name in FIELDS))


FIELDS = tuple(field.name for field in fields(Figures))
