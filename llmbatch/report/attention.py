"""The rows that a person should look at, up to a limit: some of each failure kind, and the least confident answers."""

import heapq
from collections import Counter
from dataclasses import asdict, dataclass

from llmbatch.core.rows import Rejection, Row
from llmbatch.core.sanitize import neutral
from llmbatch.runs.outputs.outcome import FAILED_VIEW, REVIEW, Outcome

MOST_OF_A_KIND = 100
MOST_IN_REVIEW = 500
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class Case:
    """One row to look at. Its texts are plain data, cut to fit a list."""

    row: int
    id: str
    kind: str
    """`review`, or the failure kind."""
    label: str | None
    confidence: float | None
    message: str | None
    text: str


class Attention:
    """Collects rows, and counts the ones it leaves out."""

    def __init__(self) -> None:
        self._failed: list[Case] = []
        self._uncertain: list[tuple[float, int, Case]] = []
        self.counts: Counter[str] = Counter()
        """All rows to look at by kind, including those left out."""

    def reject(self, rejection: Rejection) -> None:
        """Add a row that could not be read."""
        text = rejection.raw.decode("utf-8", "replace")
        self._add(
            Case(rejection.index, str(rejection.place), rejection.kind, None, None, rejection.message, _excerpt(text))
        )

    def look_at(self, outcome: Outcome) -> None:
        """Add a row, whatever its outcome. Rows that people have decided are skipped."""
        row, line = outcome.row, outcome.line
        if outcome.view == FAILED_VIEW:
            kind, message = (line.error.kind, line.error.message) if line and line.error else ("failed", None)
            self._add(Case(row.index, _name(row), kind, None, None, message, _excerpt(row.text)))
        elif outcome.view == REVIEW:
            self.counts["review"] += 1
            confidence = (line.confidence if line else None) or 0.0
            if len(self._uncertain) == MOST_IN_REVIEW and -self._uncertain[0][0] <= confidence:
                return
            reasoning = line.reasoning if line else None
            case = Case(row.index, _name(row), "review", outcome.category, confidence, reasoning, _excerpt(row.text))
            entry = (-confidence, -row.index, case)
            if len(self._uncertain) < MOST_IN_REVIEW:
                heapq.heappush(self._uncertain, entry)
            else:
                heapq.heapreplace(self._uncertain, entry)

    def cases(self) -> list[dict[str, object]]:
        """The failed rows in input order, then those in review, the least confident first."""
        uncertain = [case for *_, case in sorted(self._uncertain, key=lambda entry: entry[:2], reverse=True)]
        return [asdict(case) for case in (*self._failed, *uncertain)]

    def left_out(self) -> dict[str, int]:
        """How many rows of each kind are not among the cases."""
        most = {kind: MOST_IN_REVIEW if kind == "review" else MOST_OF_A_KIND for kind in self.counts}
        return {kind: count - most[kind] for kind, count in self.counts.items() if count > most[kind]}

    def _add(self, case: Case) -> None:
        self.counts[case.kind] += 1
        if self.counts[case.kind] <= MOST_OF_A_KIND:
            self._failed.append(case)


def _name(row: Row) -> str:
    return neutral(str(row.id), limit=80)


def _excerpt(text: str) -> str:
    return neutral(text, limit=_EXCERPT)
