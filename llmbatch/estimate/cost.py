"""What requests will cost: expected, and between which bounds.

Four things that are unknown beforehand move a run's cost: how much of the prompts comes from the provider's cache,
how long answers are, how many requests are repeated, and how many tokens the documents have where only a sample was
counted. Each has an interval of its own, 95%; they have nothing to do with each other, so that what they may add is
added in squares: all of them at their worst at once is far rarer than one in twenty. The bounds are no guarantee
(`--max-cost` is).
"""

import math
from dataclasses import dataclass, replace

from msgspec import structs

from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage
from llmbatch.estimate.sample import TokenTotal

# A prompt is framed: four tokens a message, of which there are two, and three before the answer (OpenAI's cookbook,
# "How to count tokens with tiktoken").
FRAME_TOKENS = 11
OPENING_TOKENS = 3
"""Of these, the ones that open a message: before the prefix, and so in the cache with it."""

# What is assumed of a run that has no answers yet. A prefix that is in steady use stays in the cache, but caches are
# shared and not promised; and a good model is seldom re-asked.
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
    """What a request about several rows holds, in tokens."""

    rows: int
    prefix_tokens: int
    cached_tokens: int
    written_tokens: int
    heading_tokens: int
    """Before each document."""
    key_tokens: float
    """In the answer, before that about each document."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be asked, in tokens."""

    requests: int
    """One for each row, unless rows are packed."""
    prefix_tokens: int
    documents: TokenTotal
    """Of all documents that are asked about, as they are sent."""
    cached_tokens: int
    """Of the prefix, what comes from the cache when a request finds it there."""
    written_tokens: int
    """What a request writes to the cache, and pays for, when it finds nothing there."""
    output_tokens: Range
    """Of one answer, thinking included."""
    pack: Pack | None = None
    """What rows share, where several share a request."""
    first_uses: float = 1.0
    """Requests that find nothing in the cache, since they are the first with their prefix."""

    @property
    def as_sent(self) -> "Job":
        """The job by the requests that are sent: where rows share them, each counts as a row with all that is in it."""
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
        """The share of the input that is expected from the cache (0..1): all requests but the first ones find it."""
        sent = self.as_sent
        return (
            max(sent.requests - sent.first_uses, 0) * sent.cached_tokens / self.input_tokens if sent.requests else 0.0
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What the answers so far show of a run's requests; shares are 0..1, with their 95% intervals."""

    misses: Range = Range(0.0, 0.0, _MISSES)
    """Share of the requests after the first that do not find the prefix in the cache."""
    repeats: Range = Range(0.0, 0.0, _REPEATS)
    """Requests that are sent and billed once more, per request: answers that could not be used."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job costs, nano-dollars."""

    expected: int
    low: int
    high: int
    without_cache: int
    """Expected, if nothing came from a cache."""
    movers: tuple[tuple[str, int], ...]
    """What each high end alone adds to what is expected, the largest first."""


@dataclass(frozen=True, slots=True)
class _Conduct:
    """How provider and model behave."""

    misses: float
    answer_tokens: float
    repeats: float
    document_tokens: float


def cost_of(job: Job, price: Price, known: Known = Known()) -> Cost:
    """What a job costs.

    Args:
        job: what is to be asked.
        price: the model's.
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
        "the sample's margin": moved(document_tokens=documents.tokens + documents.margin),
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
    """What a job in packs costs: the first row of a run goes alone, which shows that the endpoint works."""
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
    """The cost of the average request. Tokens are whole, averages are not: between two whole ones it is a line."""

    def at(document_tokens: int, answer_tokens: int) -> int:
        input_tokens = job.prefix_tokens + FRAME_TOKENS + document_tokens
        return price.cost_nanousd(structs.replace(cache, input_tokens=input_tokens, output_tokens=answer_tokens))

    whole, part = divmod(document, 1)
    whole_answer, answer_part = divmod(answer, 1)
    base = at(int(whole), int(whole_answer))
    more_document = at(int(whole) + 1, int(whole_answer)) - base
    more_answer = at(int(whole), int(whole_answer) + 1) - base
    return base + part * more_document + answer_part * more_answer
