"""Which of two arms has the more bad rows, while the arms' shares and the rate of bad rows change.

Arms are compared within blocks of rows that were asked one after the other, with one share. Comparing rates over the
whole run does not do (Simpson's paradox): trouble that comes late hits most the arm that has grown meanwhile.
"""

import math
from collections.abc import Sequence

BLOCK_ROWS = 100
"""Rows of both arms in a block; a larger one would compare rows of different hours, a smaller one says less."""

_LARGEST_LOG = 700.0


class ArmEvidence:
    """How much bad rows speak for the canary's odds being so many times the control's; looking often costs nothing.

    Rows go to the arms by chance. So of the bad rows in a block, the canary's are a hypergeometric draw where the arms
    are alike, whatever the block's rate of bad rows is. The likelihood of each odds ratio (Fisher's noncentral
    hypergeometric distribution) against that of equal arms, multiplied over blocks and averaged over ratios, is a
    martingale where the arms are equal; so it passes 1/alpha with probability alpha at most, whenever one looks
    (Ville's inequality; Robbins' method of mixtures, Ann. Math. Stat. 41, 1970; Shafer et al., Stat. Science 26, 2011).
    """

    def __init__(self, ratios: Sequence[float]) -> None:
        """`ratios`: of the odds, above 1, that are held against equal ones."""
        self._ratios = tuple(ratios)
        self._logs = [0.0] * len(self._ratios)
        self._rows = self._canary_rows = self._bad = self._canary_bad = 0
        self.bad = 0
        """Bad rows in the blocks so far."""
        self.canary_bad = 0
        self.expected = 0.0
        """Of the bad rows, how many would be the canary's on average if the arms were alike."""

    def add(self, *, is_canary: bool, is_bad: bool) -> bool:
        """Take in a row; true where it ends a block, and the evidence may have changed."""
        self._rows += 1
        self._canary_rows += is_canary
        self._bad += is_bad
        self._canary_bad += is_canary and is_bad
        if self._rows < BLOCK_ROWS:
            return False
        self._weigh_block()
        self._rows = self._canary_rows = self._bad = self._canary_bad = 0
        return True

    @property
    def worse(self) -> float:
        """Evidence that the canary is worse: 1/alpha is passed with probability alpha at most where it is not."""
        return sum(map(_exp, self._logs)) / len(self._logs)

    def within(self, ratio: float) -> float:
        """Evidence that the canary's odds are less than `ratio` (one of those given) times the control's.

        It passes 1/alpha with probability alpha at most where they are that much higher, or more.
        """
        return _exp(-self._logs[self._ratios.index(ratio)])

    def _weigh_block(self) -> None:
        self.bad += self._bad
        self.canary_bad += self._canary_bad
        self.expected += self._bad * self._canary_rows / self._rows
        control_rows, most = self._rows - self._canary_rows, min(self._bad, self._canary_rows)
        ways = [math.comb(self._canary_rows, k) * math.comb(control_rows, self._bad - k) for k in range(most + 1)]
        for n, ratio in enumerate(self._ratios):
            odds = sum(way * ratio**k for k, way in enumerate(ways)) / sum(ways)
            self._logs[n] += self._canary_bad * math.log(ratio) - math.log(odds)


def _exp(log: float) -> float:
    """As `math.exp`, but large where that overflows."""
    return math.exp(min(log, _LARGEST_LOG))
