"""Compares the rates of bad rows in two arms, while the arms' shares and the overall rate change.

Arms are compared within blocks of consecutively processed rows with a constant share. Comparing rates over the whole
run would be misleading (Simpson's paradox): late trouble mostly hits the arm that has grown by then.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

BLOCK_ROWS = 100
"""Rows of both arms in a block; a larger one would compare rows of different hours, a smaller one says less."""

_LARGEST_LOG = 700.0


@dataclass(slots=True)
class _Block:
    """A block of rows compared with each other."""

    rows: int = 0
    canary_rows: int = 0
    bad: int = 0
    canary_bad: int = 0

    def add(self, *, is_canary: bool, is_bad: bool) -> None:
        self.rows += 1
        self.canary_rows += is_canary
        self.bad += is_bad
        self.canary_bad += is_canary and is_bad


class _Weight:
    """The combined evidence of blocks."""

    def __init__(self, ratios: Sequence[float]) -> None:
        self._ratios = ratios
        self.logs = [0.0] * len(ratios)
        self.bad = self.canary_bad = 0
        self.expected = 0.0

    def add(self, block: _Block) -> None:
        self.bad += block.bad
        self.canary_bad += block.canary_bad
        self.expected += block.bad * block.canary_rows / block.rows
        control_rows, most = block.rows - block.canary_rows, min(block.bad, block.canary_rows)
        ways = [math.comb(block.canary_rows, k) * math.comb(control_rows, block.bad - k) for k in range(most + 1)]
        for n, ratio in enumerate(self._ratios):
            odds = sum(way * ratio**k for k, way in enumerate(ways)) / sum(ways)
            self.logs[n] += block.canary_bad * math.log(ratio) - math.log(odds)


class ArmEvidence:
    """Evidence from bad rows about the ratio of the canary's odds to the control's; it may be examined at any time.

    Rows go to the arms by chance. So of the bad rows in a block, the canary's are a hypergeometric draw where the arms
    are alike, whatever the block's rate of bad rows is. The likelihood of each odds ratio (Fisher's noncentral
    hypergeometric distribution) against that of equal arms, multiplied over blocks and averaged over ratios, is a
    martingale where the arms are equal; so it passes 1/alpha with probability alpha at most, whenever one looks
    (Ville's inequality; Robbins' method of mixtures, Ann. Math. Stat. 41, 1970; Shafer et al., Stat. Science 26, 2011).

    Answers out of batches come arm by arm, in no order: their blocks are rows that are next to each other in the input.
    """

    def __init__(self, ratios: Sequence[float]) -> None:
        """`ratios`: of the odds, above 1, that are held against equal ones."""
        self._ratios = tuple(ratios)
        self._block, self._weight = _Block(), _Weight(self._ratios)
        self._of_batches: defaultdict[int, _Block] = defaultdict(_Block)
        self._batches_weight = _Weight(self._ratios)

    @property
    def bad(self) -> int:
        """Bad rows in the blocks so far."""
        return self._weight.bad + self._batches_weight.bad

    @property
    def canary_bad(self) -> int:
        """Of these, the canary's."""
        return self._weight.canary_bad + self._batches_weight.canary_bad

    @property
    def expected(self) -> float:
        """Of the bad rows, how many would be the canary's on average if the arms were alike."""
        return self._weight.expected + self._batches_weight.expected

    def add(self, *, is_canary: bool, is_bad: bool) -> bool:
        """Add a row; true if it completes a block, so that the evidence may have changed."""
        self._block.add(is_canary=is_canary, is_bad=is_bad)
        if self._block.rows < BLOCK_ROWS:
            return False
        self._weight.add(self._block)
        self._block = _Block()
        return True

    def add_of_batch(self, row: int, *, is_canary: bool, is_bad: bool) -> None:
        """Add a row, by its number, that was answered in a batch. It counts from the next `weigh_batches` on."""
        self._of_batches[row // BLOCK_ROWS].add(is_canary=is_canary, is_bad=is_bad)

    def weigh_batches(self) -> None:
        """Weigh the rows of batches so far."""
        self._batches_weight = _Weight(self._ratios)
        for block in self._of_batches.values():
            self._batches_weight.add(block)

    @property
    def worse(self) -> float:
        """Evidence that the canary is worse: exceeds 1/alpha with probability at most alpha if it is not."""
        return sum(map(_exp, self._logs)) / len(self._ratios)

    def within(self, ratio: float) -> float:
        """Evidence that the canary's odds are less than `ratio` (one of those given) times the control's.

        It exceeds 1/alpha with probability at most alpha if they are that much higher, or more.
        """
        return _exp(-self._logs[self._ratios.index(ratio)])

    @property
    def _logs(self) -> list[float]:
        return [one + other for one, other in zip(self._weight.logs, self._batches_weight.logs, strict=True)]


def _exp(log: float) -> float:
    """Like `math.exp`, but large if that overflows."""
    return math.exp(min(log, _LARGEST_LOG))
