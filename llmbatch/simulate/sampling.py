"""Answers that vary, like a model's at a temperature above 0: drawn by the question and how often it was asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.simulate.draw import uniform

_LEAST = 1e-12
_LARGEST_STEP = 0.25
"""How far values other than labels move at temperature 1, as a share of their range."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is drawn."""

    temperature: float
    """0 takes the most likely answer."""
    draw: str
    """Identifies the draw: the same name gives the same answer."""

    def place(self, odds: Sequence[float], key: str) -> int | None:
        """The index of the label that is drawn; None to take the most likely one."""
        if not self.temperature:
            return None
        shifted = self.shifted(odds, key)
        return shifted.index(max(shifted))

    def shifted(self, odds: Sequence[float], key: str) -> Sequence[float]:
        """Odds shifted such that the most likely label is a draw from them (the Gumbel-max trick); their sum is 1."""
        if not self.temperature:
            return odds
        noise = [-math.log(-math.log(self._uniform(f"{key}/{place}"))) for place in range(len(odds))]
        logs = [math.log(max(share, _LEAST)) + self.temperature * one for share, one in zip(odds, noise, strict=True)]
        weights = [math.exp(one - max(logs)) for one in logs]
        return [weight / sum(weights) for weight in weights]

    def moved(self, chance: float, key: str) -> float:
        """A share of a range (0..1), moved up or down."""
        if not self.temperature:
            return chance
        step = (2 * self._uniform(key) - 1) * _LARGEST_STEP * self.temperature
        return min(max(chance + step, 0.0), 1.0)

    def _uniform(self, key: str) -> float:
        return min(max(uniform(f"{self.draw}/{key}"), _LEAST), 1 - _LEAST)


GREEDY = Sampling(0.0, "")
