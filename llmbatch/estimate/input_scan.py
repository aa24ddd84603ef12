"""Scans the input before a run: which rows would be sent, and how many tokens they have."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from llmbatch.core.key_index import KeyIndex
from llmbatch.core.ledger_line import JURY, LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Rejection, Row
from llmbatch.engine.intake import Document, Intake, Skipped
from llmbatch.engine.label_lists import Level
from llmbatch.engine.plan import Plan
from llmbatch.estimate.cost import FRAME_TOKENS, OPENING_TOKENS, Job, Known, Range
from llmbatch.estimate.result import RowsFound
from llmbatch.estimate.sample import TokenSample, TokenTotal
from llmbatch.stats.intervals import wilson
from llmbatch.task.document_limit import TRUNCATED
from llmbatch.task.fence import build_document
from llmbatch.tokens import count_tokens

_AT_ONCE = 64
_DRAW_DIGITS = 16
_ENOUGH_ROWS = 30
"""Minimum number of answered rows for measured rather than assumed lengths and repeats."""
_WIDENED = Range(0.0, 0.0, 0.25)
"""Assumed share of rows for which none of the listed labels fits, so that a second list is sent: on the offline
endpoint none to a half, depending on how well the search or the groups fit the documents."""
_USELESS = frozenset({"invalid", "empty", "truncated", "refusal", "filtered", "unusable"})
"""Failure kinds after a billed answer."""


@dataclass(slots=True)
class History:
    """What a run folder's ledger shows about the answers to one plan."""

    plan: Plan
    review: ReviewRule = field(default_factory=lambda: ReviewRule(0.0))
    """Which answers have low confidence."""
    rows: int = 0
    in_doubt: int = 0
    answers: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    at_first_try: int = 0
    latency_s: float = 0.0

    def add(self, line: LedgerLine) -> None:
        """Count a row's outcome if this plan alone was sent for it."""
        asked = (line.prompt, line.model) == (self.plan.prompt, self.plan.question.model)
        is_own = asked and (line.arm == JURY) == (self.plan.arm == JURY)  # the main arm's model may also vote
        if not is_own or line.source != "api" or not line.output_tokens or line.rows_in_request > 1:
            return
        self.rows += 1
        self.in_doubt += self.review.needs_review(line)
        self.answers += 1 + sum(retry.error in _USELESS for retry in line.retries)
        self.output_tokens += line.output_tokens
        self.cached_tokens += line.cached_input_tokens
        if line.attempts == 1:
            self.at_first_try += 1
            self.latency_s += line.latency_s

    @property
    def is_enough(self) -> bool:
        """Whether there are enough rows to rely on."""
        return self.rows >= _ENOUGH_ROWS

    def conduct(self, job: Job) -> Known:
        """How often the job's requests will miss the cache and be repeated, as far as known."""
        if not self.is_enough:
            return Known() if self.plan.candidates is None else Known(repeats=_WIDENED)
        cached = job.cached_tokens * max(self.answers - 1, 1)
        misses = max(1 - self.cached_tokens / cached, 0.0) if cached else 0.0
        return Known(
            share_known(misses, self.answers, job.requests),
            share_known((self.answers - self.rows) / self.rows, self.rows, job.requests),
        )

    @property
    def answer_s(self) -> float | None:
        """Mean seconds per answer."""
        return self.latency_s / self.at_first_try if self.at_first_try >= _ENOUGH_ROWS else None

    def known(self, assumed: Range) -> Range:
        """Tokens of an answer: measured if known, else `assumed`."""
        if not self.is_enough:
            return assumed
        mean = self.output_tokens / self.answers
        return Range(min(assumed.low, mean), mean, max(assumed.high, mean))


def share_known(share: float, seen: int, coming: int) -> Range:
    """A share observed in `seen` requests, with its 95% interval for the `coming` ones.

    Both are subject to chance: their variances add up, as if fewer had been seen.
    """
    low, high = wilson(min(share, 1.0), seen * coming / (seen + coming))
    return Range(low, share, max(high, share))


class Survey:
    """Counts what a run by one plan would send, row by row, as the engine would process them."""

    def __init__(
        self,
        plan: Plan,
        is_done: Callable[[str], bool],
        *,
        is_settled: Callable[[str], bool] = lambda _: False,
        asked: Plan | None = None,
        count: Callable[[str], int] = count_tokens,
        most_bytes: int | None,
    ) -> None:
        """Start an empty count.

        Args:
            plan: the run's plan, which gives the rows their keys.
            is_done: whether a key already has an answer.
            is_settled: whether people have labelled a text.
            asked: the plan by which rows would be sent, if not the run's own.
            count: counts a text's tokens.
            most_bytes: total size of the texts whose tokens are counted; None for all.
        """
        self.asked = asked or plan
        self._intake = Intake(plan, self.asked, is_skipped=is_done, is_settled=is_settled)
        self._count = count
        self._fence = count(build_document(""))
        self._sample = TokenSample(most_bytes, self._document_tokens)
        self._seen = KeyIndex()
        self._found: Counter[str] = Counter()

    def add(self, rows: Sequence[Row | Rejection]) -> None:
        """Count some rows, in input order."""
        for item in self._intake.prepared(rows, batch=_AT_ONCE):
            match item:
                case Skipped(count):
                    self._found["done"] += count
                case Rejection():
                    self._found["rejected"] += 1
                case Document():
                    self._found[self._kind(item)] += 1

    @property
    def rows(self) -> RowsFound:
        """What would happen to the rows."""
        found = self._found
        return RowsFound(**found, total=found.total() - found["truncated"])

    @property
    def documents(self) -> TokenTotal:
        """The tokens of the documents to send, and of what is listed before them."""
        return self._sample.total()

    def job(self, asked: Plan, output_tokens: Range) -> Job:
        """The job under this plan; all answers to a row together have `output_tokens`."""
        documents = self.documents
        caching = asked.caching
        prefixes = [asked.prefix_tokens + level.tokens for level in asked.levels] or [asked.prefix_tokens]
        levels = len(prefixes)
        by_level = [0 if caching is None else caching.cached_tokens(tokens + OPENING_TOKENS) for tokens in prefixes]
        cached = sum(by_level)
        sent = TokenTotal(
            levels * (documents.tokens + documents.rows * self._fence),
            levels * documents.margin,
            documents.rows,
            documents.counted_rows,
        )
        return Job(  # a descent sends one request per level: its requests for a row count as one
            requests=documents.rows,
            prefix_tokens=sum(prefixes) + (levels - 1) * FRAME_TOKENS,
            documents=sent,
            cached_tokens=cached,
            written_tokens=cached if caching is not None and caching.breakpoints else 0,
            output_tokens=output_tokens,
            first_uses=_first_uses(asked.levels, by_level, documents.rows),
        )

    def _kind(self, document: Document) -> str:
        draw = int(document.key[:_DRAW_DIGITS], 16)
        if self._seen.get(draw) is not None:
            return "like_another"
        self._seen[draw] = 0
        if document.outcome is not None:
            return "too_long"
        self._found["truncated"] += TRUNCATED in document.row.flags
        self._sample.add(draw, document.row.text)
        return "to_ask"

    def _document_tokens(self, text: str) -> int:
        return self._count(self.asked.before(text) + build_document(text)) - self._fence


def _first_uses(levels: Sequence[Level], cached: Sequence[int], rows: int) -> float:
    """Rows that find no prefix in the cache, since nothing was sent with it yet; of a descent, in parts of a row."""
    if not levels or not any(cached):
        return 1.0
    misses = (level.opened_by(rows) * tokens for level, tokens in zip(levels, cached, strict=True))
    return sum(misses) / sum(cached)


def survey(rows: Iterable[Row | Rejection], surveys: Sequence[Survey], *, within_s: float | None = None) -> bool:
    """Scan the input once for several surveys.

    Args:
        rows: the input.
        surveys: each is given every row.
        within_s: stop after so many seconds; None for no limit.

    Returns:
        Whether the end was reached.
    """
    began, left = time.monotonic(), iter(rows)
    while group := list(islice(left, _AT_ONCE)):
        for each in surveys:
            each.add(group)
        if within_s is not None and time.monotonic() - began > within_s:
            return False
    return True
