"""What requests will cost: expected, and between which bounds.

Three things move a run's cost that nobody knows beforehand: how much of the prompts comes from the provider's cache,
how long answers are, and how many requests are repeated. The low end takes the kindest value of each, the high end an
unkind one; the bounds are no guarantee (`--max-cost` is).
"""

from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from llmbatch.estimate.sample import TokenTotal
from llmbatch.prices import Price, Usage

# A prompt is framed: four tokens a message, of which there are two, and three before the answer (OpenAI's cookbook,
# "How to count tokens with tiktoken").
FRAME_TOKENS = 11
OPENING_TOKENS = 3
"""Of these, the ones that open a message: before the prefix, and so in the cache with it."""

# Caches are shared and not promised. One request in five that finds nothing is what a busy day may look like.
_UNKIND_HITS = 0.8
# Repeated requests that were billed: answers that could not be used, and attempts whose outcome stayed unknown.
_UNKIND_REPEATS = 0.1


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with its bounds."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be asked, in tokens."""

    requests: int
    prefix_tokens: int
    documents: TokenTotal
    """Of all documents that are asked about, as they are sent."""
    cached_tokens: int
    """Of the prefix, what comes from the cache when a request finds it there."""
    written_tokens: int
    """What a request writes to the cache, and pays for, when it finds nothing there."""
    output_tokens: Range
    """Of one answer, thinking included."""

    @property
    def input_tokens(self) -> float:
        """Tokens of all prompts."""
        return self.requests * (self.prefix_tokens + FRAME_TOKENS) + self.documents.tokens

    @property
    def cached_share(self) -> float:
        """The share of the input that is expected from the cache (0..1): all requests but the first find it."""
        return max(self.requests - 1, 0) * self.cached_tokens / self.input_tokens if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job costs, nano-dollars."""

    expected: int
    low: int
    high: int
    without_cache: int
    """Expected, if nothing came from a cache."""
    movers: tuple[tuple[str, int], ...]
    """What each unkind assumption alone adds to what is expected, the largest first."""


@dataclass(frozen=True, slots=True)
class _Conduct:
    """How provider and model behave."""

    hits: float
    """Share of the requests after the first that find the prefix in the cache."""
    answer_tokens: float
    repeats: float
    """Requests that are sent and billed once more, per request."""
    document_tokens: float


def cost_of(job: Job, price: Price, *, repeats: float = 0.0) -> Cost:
    """What a job costs.

    Args:
        job: what is to be asked.
        price: the model's.
        repeats: share of the requests (0..1) that are billed twice, as far as it is known from earlier ones.
    """
    documents, answer = job.documents, job.output_tokens
    usual = _Conduct(1.0, answer.expected, repeats, documents.tokens)
    unkind: dict[str, dict[str, Any]] = {
        f"1 request in {round(1 / (1 - _UNKIND_HITS))} misses the cache": {"hits": _UNKIND_HITS},
        f"answers of {answer.high:,.0f} tokens": {"answer_tokens": answer.high},
        f"{_UNKIND_REPEATS:.0%} of the requests are repeated": {"repeats": max(repeats, _UNKIND_REPEATS)},
        "the sample's margin": {"document_tokens": documents.tokens + documents.margin},
    }
    expected = _nusd(job, price, usual)
    worst = replace(usual, **{name: value for change in unkind.values() for name, value in change.items()})
    kindest = _Conduct(1.0, answer.low, 0.0, max(documents.tokens - documents.margin, 0.0))
    added = {name: _nusd(job, price, replace(usual, **change)) - expected for name, change in unkind.items()}
    return Cost(
        expected=expected,
        low=_nusd(job, price, kindest),
        high=_nusd(job, price, worst),
        without_cache=_nusd(replace(job, cached_tokens=0, written_tokens=0), price, usual),
        movers=tuple(sorted(((name, nusd) for name, nusd in added.items() if nusd > 0), key=lambda mover: -mover[1])),
    )


def _nusd(job: Job, price: Price, conduct: _Conduct) -> int:
    if not job.requests:
        return 0
    document = conduct.document_tokens / job.requests
    sent = job.requests * (1 + conduct.repeats)
    hits = (sent - 1) * conduct.hits
    found = _request_nusd(job, price, document, conduct.answer_tokens, Usage(cached_input_tokens=job.cached_tokens))
    missed = _request_nusd(job, price, document, conduct.answer_tokens, Usage(cache_write_tokens=job.written_tokens))
    return round(hits * found + (sent - hits) * missed)


def _request_nusd(job: Job, price: Price, document: float, answer: float, cache: Usage) -> float:
    """The cost of the average request. Tokens are whole, averages are not: between two whole ones it is a line."""

    def at(document_tokens: int, answer_tokens: int) -> int:
        input_tokens = job.prefix_tokens + FRAME_TOKENS + document_tokens
        return price.cost_nusd(structs.replace(cache, input_tokens=input_tokens, output_tokens=answer_tokens))

    whole, part = divmod(document, 1)
    whole_answer, answer_part = divmod(answer, 1)
    base = at(int(whole), int(whole_answer))
    more_document = at(int(whole) + 1, int(whole_answer)) - base
    more_answer = at(int(whole), int(whole_answer) + 1) - base
    return base + part * more_document + answer_part * more_answer
