"""Jury votes on low-confidence rows: outstanding votes, verdicts, and the jury's cost and effect.

Each vote is a separate line with its cost. Until all have voted, the line repeats the first, low-confidence answer, so
that a kill at any time leaves the row in review with its votes stored; the last line has the verdict.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import FAILED, JURY, NONE_FITS, VOTES, LedgerLine, Vote
from llmbatch.core.review_rule import ReviewRule
from llmbatch.engine.experiments.escalation import AskedRows
from llmbatch.observe.summary import JuryReport
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.voting import verdict

_ASKED, _CHANGED, _SETTLED = 1, 2, 4


class Jury:
    """Counts rows that were voted on, including those of earlier sessions."""

    def __init__(self, models: Sequence[str], review: ReviewRule) -> None:
        """`models` vote in addition to the first answer, each as often as named; `review` decides on which rows."""
        self._models = tuple(models)
        self._needs_review = review.needs_review
        self._asked = AskedRows()
        self._rows = KeyIndex()
        self._counts: Counter[int] = Counter()

    def takes(self, line: LedgerLine | None) -> bool:
        """Whether a row with this latest line goes to the jury: low confidence, and votes are missing."""
        return line is not None and self._needs_review(line) and bool(missing(self._models, line))

    def watch(self, line: LedgerLine) -> None:
        """Count a line of any arm."""
        if line.arm == JURY and line.source != "reused":
            self._asked.add(line)
            self._mark(line.key, _ASKED)
        if line.confidence_from == VOTES and line.status != FAILED:
            changed = _CHANGED * (line.category != line.votes[0].category)
            self._mark(line.key, _ASKED | changed | _SETTLED * (not self._needs_review(line)))

    def report(self) -> JuryReport:
        """How many rows were voted on, their outcomes, and the cost."""
        return JuryReport(
            models=self._models,
            rows=sum(self._counts.values()),
            changed=sum(count for marks, count in self._counts.items() if marks & _CHANGED),
            settled=sum(count for marks, count in self._counts.items() if marks & _SETTLED),
            cost_nanousd=self._asked.cost_nanousd,
        )

    def _mark(self, key: str, marks: int) -> None:
        before = self._rows.get(short(key))
        if before is not None:
            self._counts[before] -= 1
        self._rows[short(key)] = marks
        self._counts[marks] += 1


def missing(models: Sequence[str], line: LedgerLine) -> list[str]:
    """The models that have not voted yet; `line` is the row's latest."""
    left = Counter(models) - Counter(vote.model for vote in line.votes[1:])
    return list(left.elements())


def with_vote(line: LedgerLine, vote: LedgerLine) -> LedgerLine:
    """The line that records a vote: its cost, with the row's outcome unchanged."""
    return replace(
        vote,
        category=line.category,
        confidence=line.confidence,
        confidence_raw=line.confidence_raw,
        confidences=line.confidences,
        confidence_from=line.confidence_from,
        runner_up=line.runner_up,
        reasoning=line.reasoning,
        flags=tuple({**dict.fromkeys(line.flags), **dict.fromkeys(flag for flag in vote.flags if flag != NONE_FITS)}),
        votes=(*(line.votes or (_vote(line),)), _vote(vote)),
    )


def with_verdict(line: LedgerLine, space: LabelSpace) -> LedgerLine:
    """A row's line with the verdict of its votes; unchanged if there are none."""
    if not line.votes:
        return line
    found = verdict(space, line.votes)
    flags = [flag for flag in line.flags if flag != NONE_FITS]
    return replace(
        line,
        category=found.category,
        confidence=found.confidence,
        confidence_raw=None,
        confidences=None if found.confidences is None else dict(found.confidences),
        confidence_from=VOTES,
        runner_up=None,
        reasoning=next((vote.reasoning for vote in line.votes if vote.category == found.category), None),
        flags=(*flags, *([NONE_FITS] if found.none_fits else [])),
    )


def _vote(line: LedgerLine) -> Vote:
    return Vote(
        model=line.model,
        prompt=line.prompt,
        category=line.category or "",
        confidence=line.raw_confidence or 0.0,
        confidence_from=line.confidence_from,
        confidences=line.confidences,
        reasoning=line.reasoning,
        none_fits=NONE_FITS in line.flags,
    )
