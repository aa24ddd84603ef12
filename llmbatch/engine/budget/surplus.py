"""Costs beyond the bounds of requests: unlimited reasoning, a more expensive model or tier."""

from collections.abc import Mapping

from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage

_TIMES = 2
"""Safety factor: the next one may cost more than the most expensive so far."""


class Surplus:
    """Learned from answers that cost more than was reserved for them, including those of earlier sessions."""

    def __init__(self, dearest_nanousd: Mapping[str, int] | None = None, output_tokens: int = 0) -> None:
        """Start from the most expensive answers of earlier sessions.

        Args:
            dearest_nanousd: the most expensive such answer, by model.
            output_tokens: tokens of the longest one, from any model.
        """
        self._dearest_nanousd = dict(dearest_nanousd or {})
        self._output_tokens = output_tokens

    def nanousd(self, model: str, price: Price) -> int:
        """The extra reservation on top of a request's bound, in nano-dollars; 0 as long as every bound has held.

        Reasoning by one model of an endpoint is expected of its others, too.
        """
        if not self._output_tokens and not self._dearest_nanousd:  # the usual case
            return 0
        thought_nanousd = price.cost_nanousd(Usage(output_tokens=self._output_tokens))
        return _TIMES * max(self._dearest_nanousd.get(model, 0), thought_nanousd)

    def note(self, model: str, cost_nanousd: int, usage: Usage) -> None:
        """Record an answer that cost more than was reserved for it."""
        self._dearest_nanousd[model] = max(self._dearest_nanousd.get(model, 0), cost_nanousd)
        self._output_tokens = max(self._output_tokens, usage.output_tokens)
