"""The expected cost of requests, with bounds.

Four unknowns affect a run's cost: how much of the prompts comes from the provider's cache, how long answers are, how
many requests are repeated, and how many tokens the documents have if only a sample was counted. Each has its own 95%
interval. They are independent, so their contributions are added in squares: all at their worst at once is far rarer
than one in twenty. The bounds are not a guarantee (`--max-cost` is).
"""

import math
from dataclasses import dataclass, replace

from msgspec import structs

from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage
from llmbatch.estimate.sample import TokenTotal

# Framing of a prompt: four tokens for each of two messages, and three before the answer (OpenAI's cookbook,
# "How to count tokens with tiktoken").
FRAME_TOKENS = 11
OPENING_TOKENS = 3
"""The framing tokens that open a message: they precede the prefix, so they are cached with it."""

# Assumptions for a run without answers. A prefix in steady use stays in the cache, but caches are shared and
# best-effort; a good model rarely needs a re-ask.
_MISSES = 0.05
_REPEATS = 0.05


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with its bounds."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True)
class Pack:
    """The parts of a request about several rows, in tokens."""

    rows: int
    prefix_tokens: int
    cached_tokens: int
    written_tokens: int
    heading_tokens: int
    """Tokens before each document."""
    key_tokens: float
    """Tokens of the answer before the parts about each document."""


@dataclass(frozen=True, slots=True)
class Job:
    """What will be sent, in tokens."""

    requests: int
    """One per row, unless rows are packed."""
    prefix_tokens: int
    documents: TokenTotal
    """Tokens of all documents, as they are sent."""
    cached_tokens: int
    """The cached part of the prefix on a cache hit."""
    written_tokens: int
    """What a request writes to the cache, and pays for, on a miss."""
    output_tokens: Range
    """Tokens of one answer, including reasoning."""
    pack: Pack | None = None
    """The shared parts, if several rows share a request."""
    first_uses: float = 1.0
    """Requests that miss the cache because they are the first with their prefix."""

    @property
    def as_sent(self) -> "Job":
        """The job counted by requests: if rows share requests, each request counts as one row with everything in it."""
        pack = self.pack
        if pack is None or not self.requests:
            return replace(self, pack=None)
        requests, output = math.ceil(self.requests / pack.rows), self.output_tokens
        rows = self.requests / requests
        return Job(
            requests,
            pack.prefix_tokens,
            replace(self.documents, tokens=self.documents.tokens + self.requests * pack.heading_tokens),
            pack.cached_tokens,
            pack.written_tokens,
            Range(*(rows * (tokens + pack.key_tokens) for tokens in (output.low, output.expected, output.high))),
        )

    @property
    def input_tokens(self) -> float:
        """Tokens of all prompts."""
        sent = self.as_sent
        return sent.requests * (sent.prefix_tokens + FRAME_TOKENS) + sent.documents.tokens

    @property
    def cached_share(self) -> float:
        """The expected share of cached input (0..1): all requests but the first of each prefix hit the cache."""
        sent = self.as_sent
        return (
            max(sent.requests - sent.first_uses, 0) * sent.cached_tokens / self.input_tokens if sent.requests else 0.0
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What the answers so far show about a run's requests; shares are 0..1, with 95% intervals."""

    misses: Range = Range(0.0, 0.0, _MISSES)
    """Share of requests after the first that miss the cache."""
    repeats: Range = Range(0.0, 0.0, _REPEATS)
    """Repeated and billed requests per request, because of unusable answers."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A job's cost in nano-dollars."""

    expected: int
    low: int
    high: int
    without_cache: int
    """The expected cost without any caching."""
    movers: tuple[tuple[str, int], ...]
    """What each high end alone adds to the expected cost, the largest first."""


@dataclass(frozen=True, slots=True)
class _Conduct:
    """Assumed behaviour of provider and model."""

    misses: float
    answer_tokens: float
    repeats: float
    document_tokens: float


def cost_of(job: Job, price: Price, known: Known = Known()) -> Cost:
    """Estimate a job's cost.

    Args:
        job: what will be sent.
        price: the model's price.
        known: what earlier answers show.
    """
    if job.pack is not None and job.requests > 1:
        return _with_first_alone(job, price, known)
    documents, answer = job.documents, job.output_tokens
    usual = _Conduct(known.misses.expected, answer.expected, known.repeats.expected, documents.tokens)
    expected = _nanousd(job, price, usual)

    def moved(**changes: float) -> int:
        return _nanousd(job, price, replace(usual, **changes)) - expected

    more = {
        f"{known.misses.high:.0%} of the requests miss the cache": moved(misses=known.misses.high),
        f"answers of {answer.high:,.0f} tokens": moved(answer_tokens=answer.high),
        f"{known.repeats.high:.0%} of the requests are repeated": moved(repeats=known.repeats.high),
        "the sampling margin": moved(document_tokens=documents.tokens + documents.margin),
    }
    less = (
        moved(misses=known.misses.low),
        moved(answer_tokens=answer.low),
        moved(repeats=known.repeats.low),
        moved(document_tokens=max(documents.tokens - documents.margin, 0.0)),
    )
    return Cost(
        expected=expected,
        low=expected - round(math.hypot(*less)),
        high=expected + round(math.hypot(*more.values())),
        without_cache=_nanousd(replace(job, cached_tokens=0, written_tokens=0), price, usual),
        movers=tuple(
            sorted(((name, nanousd) for name, nanousd in more.items() if nanousd > 0), key=lambda mover: -mover[1])
        ),
    )


def _with_first_alone(job: Job, price: Price, known: Known) -> Cost:
    """The cost of a packed job, whose first row is sent alone to check that the endpoint works."""
    average = job.documents.tokens / job.requests
    first = cost_of(replace(job, pack=None, requests=1, documents=TokenTotal(average, 0.0, 1, 1)), price)
    rest = cost_of(replace(job, requests=job.requests - 1).as_sent, price, known)
    return replace(
        rest,
        expected=rest.expected + first.expected,
        low=rest.low + first.expected,
        high=rest.high + first.expected,
        without_cache=rest.without_cache + first.without_cache,
    )


def _nanousd(job: Job, price: Price, conduct: _Conduct) -> int:
    if not job.requests:
        return 0
    document = conduct.document_tokens / job.requests
    sent = job.requests * (1 + conduct.repeats)
    hits = max(sent - job.first_uses, 0) * (1 - conduct.misses)
    found = _request_nanousd(job, price, document, conduct.answer_tokens, Usage(cached_input_tokens=job.cached_tokens))
    missed = _request_nanousd(job, price, document, conduct.answer_tokens, Usage(cache_write_tokens=job.written_tokens))
    return round(hits * found + (sent - hits) * missed)


def _request_nanousd(job: Job, price: Price, document: float, answer: float, cache: Usage) -> float:
    """The cost of the average request, interpolated between whole token counts, since averages are not whole."""

    def at(document_tokens: int, answer_tokens: int) -> int:
        input_tokens = job.prefix_tokens + FRAME_TOKENS + document_tokens
        return price.cost_nanousd(structs.replace(cache, input_tokens=input_tokens, output_tokens=answer_tokens))

    whole, part = divmod(document, 1)
    whole_answer, answer_part = divmod(answer, 1)
    base = at(int(whole), int(whole_answer))
    more_document = at(int(whole) + 1, int(whole_answer)) - base
    more_answer = at(int(whole), int(whole_answer) + 1) - base
    return base + part * more_document + answer_part * more_answer
