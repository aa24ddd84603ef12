"""Statistics of an endpoint, for tests."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# How many questions are remembered. A retry follows soon, so the oldest can be forgotten.
_QUESTIONS = 250_000


@dataclass(slots=True)
class Stats:
    """Counts since the start or the last reset."""

    requests: int = 0
    """Requests for a completion, including refused ones."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by HTTP status; requests without an answer are not included."""
    by_second: Counter[int] = field(default_factory=Counter)
    """Requests by the second of their arrival since the start."""
    refused_by_second: Counter[int] = field(default_factory=Counter)
    """Those of them that a limit refused."""
    tokens_by_second: Counter[int] = field(default_factory=Counter)
    """Tokens of those that passed the limits, as limits count them: the prompt and the full output limit."""
    faults: Counter[str] = field(default_factory=Counter)
    """Injected faults by kind."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    files: int = 0
    """Uploaded files."""
    batches: int = 0
    """Created batches."""
    batch_lines: int = 0
    """Answered lines of batches; they also count as requests."""
    embeddings: int = 0
    """Requests for embeddings that were answered; they count as requests, too."""
    questions: dict[str, int] = field(default_factory=dict)
    """How often each question was asked, by its digest (`question_digest`), for the last 250,000."""

    def ask(self, question: str) -> int:
        """Count a question, and return how often it has been asked, including this time."""
        times = self.questions.pop(question, 0) + 1
        self.questions[question] = times
        if len(self.questions) > _QUESTIONS:
            del self.questions[next(iter(self.questions))]
        return times

    def enter(self, elapsed_s: float) -> int:
        """Count a request for a completion that arrived at `elapsed_s`. Returns its number, from 1."""
        self.requests += 1
        self.by_second[int(elapsed_s)] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return self.requests

    def leave(self) -> None:
        """Record that a request is over, answered or not."""
        self.in_flight -= 1

    def as_json(self, *, with_questions: bool) -> dict[str, Any]:
        """The counts as JSON data; individual questions only if requested, since they are many."""
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
        """Requests second by second, without seconds that have none."""
        return [
            {
                "second": second,
                "requests": count,
                "refused": self.refused_by_second[second],
                "tokens": self.tokens_by_second[second],
            }
            for second, count in sorted(self.by_second.items())
        ]
