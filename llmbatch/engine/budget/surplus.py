"""What an endpoint takes beyond the bounds of its requests: thinking that keeps to no limit, a dearer model or tier."""

from collections.abc import Mapping

from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage

_TIMES = 2
"""The next one may take more than the dearest so far."""


class Surplus:
    """Learnt from answers that cost more than was set aside for them, those of earlier sessions among them."""

    def __init__(self, dearest_nanousd: Mapping[str, int] | None = None, output_tokens: int = 0) -> None:
        """Begin with what is known.

        Args:
            dearest_nanousd: by the model, the dearest such answer.
            output_tokens: of the longest one, whichever model gave it.
        """
        self._dearest_nanousd = dict(dearest_nanousd or {})
        self._output_tokens = output_tokens

    def nanousd(self, model: str, price: Price) -> int:
        """What to set aside on top of a request's bound, nano-dollars; 0 while every bound has held.

        What one model of an endpoint thinks another may think as well.
        """
        if not self._output_tokens and not self._dearest_nanousd:  # as with nearly every endpoint
            return 0
        thought_nanousd = price.cost_nanousd(Usage(output_tokens=self._output_tokens))
        return _TIMES * max(self._dearest_nanousd.get(model, 0), thought_nanousd)

    def note(self, model: str, cost_nanousd: int, usage: Usage) -> None:
        """An answer of this model has cost more than was set aside for it."""
        self._dearest_nanousd[model] = max(self._dearest_nanousd.get(model, 0), cost_nanousd)
        self._output_tokens = max(self._output_tokens, usage.output_tokens)
