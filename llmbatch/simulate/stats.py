"""What an endpoint has seen so far, for tests to look at."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Questions that are remembered one by one. A retry comes soon, so that the oldest can be forgotten.
_QUESTIONS = 250_000


@dataclass(slots=True)
class Stats:
    """Counts since the start or the last reset."""

    requests: int = 0
    """Requests for a completion, refused ones included."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by HTTP status; requests that never got one are not among them."""
    by_second: Counter[int] = field(default_factory=Counter)
    """Requests by the second in which they came, counted from the start: how evenly, and how hard."""
    refused_by_second: Counter[int] = field(default_factory=Counter)
    """Of them, those that were refused by a limit."""
    tokens_by_second: Counter[int] = field(default_factory=Counter)
    """Tokens of those that passed the limits, as limits count them: the prompt and the whole output limit."""
    faults: Counter[str] = field(default_factory=Counter)
    """Injected faults by kind."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    files: int = 0
    """Files that were uploaded."""
    batches: int = 0
    """Batches that were made."""
    batch_lines: int = 0
    """Lines of batches that were answered; they count as requests, too."""
    embeddings: int = 0
    """Requests for embeddings that were answered; they count as requests, too."""
    questions: dict[str, int] = field(default_factory=dict)
    """How often each question was taken up, by its digest (`question_digest`), of the last 250,000."""

    def ask(self, question: str) -> int:
        """Count that a question is taken up, and say how often it has been, this time included."""
        times = self.questions.pop(question, 0) + 1
        self.questions[question] = times
        if len(self.questions) > _QUESTIONS:
            del self.questions[next(iter(self.questions))]
        return times

    def enter(self, elapsed_s: float) -> int:
        """A request for a completion came, so long after the start. Returns its number, from 1."""
        self.requests += 1
        self.by_second[int(elapsed_s)] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return self.requests

    def leave(self) -> None:
        """It is over, answered or not."""
        self.in_flight -= 1

    def as_json(self, *, with_questions: bool) -> dict[str, Any]:
        """The counts as JSON data; every question by itself only where asked for, since they are many."""
        data: dict[str, Any] = {
            "requests": self.requests,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(sorted(self.faults.items())),
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "completion_tokens": self.completion_tokens,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "files": self.files,
            "batches": self.batches,
            "batch_lines": self.batch_lines,
            "embeddings": self.embeddings,
            "distinct_questions": len(self.questions),
            "most_asked": max(self.questions.values(), default=0),
        }
        return data | {"questions": self.questions} if with_questions else data

    def timeline_json(self) -> list[dict[str, int]]:
        """Requests second by second, those without any left out."""
        return [
            {
                "second": second,
                "requests": count,
                "refused": self.refused_by_second[second],
                "tokens": self.tokens_by_second[second],
            }
            for second, count in sorted(self.by_second.items())
        ]
