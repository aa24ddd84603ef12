"""Turns decided rows into task examples; rows that the model got wrong are the most useful."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

from llmbatch.review.opened import OpenedRun
from llmbatch.task.examples import add_examples
from llmbatch.task.load import load_task
from llmbatch.task.model import Example, Task
from llmbatch.task.similar_examples import LONGEST_EXAMPLE


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to a task's examples."""

    examples: tuple[Example, ...]
    values: tuple[str, ...]
    """The added values, as the task's label space writes them."""
    corrected: int
    """How many of them the model got wrong."""
    left_out: dict[str, int]
    """Decided rows that were left out, by reason."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    example: Example
    value: str
    is_corrected: bool
    confidence: float
    row: int


def add_decided(run: OpenedRun, task: Path, *, labels: Sequence[str] = (), most: int) -> Added:
    """Add decided rows to a task file's examples: corrected rows first, then the least confident; labels alternate.

    Args:
        run: the run with the decisions.
        task: the task file.
        labels: only rows with these labels; empty for all.
        most: how many to add.

    Raises:
        UsageError: the file is not a valid task or cannot be written.
    """
    left_out: Counter[str] = Counter()
    candidates = list(_candidates(run, load_task(task).task, frozenset(labels), left_out))
    chosen = nsmallest(most, _in_turn(candidates), key=lambda turn: turn[0])
    if rest := len(candidates) - len(chosen):
        left_out["above the limit (--max)"] = rest
    examples = tuple(candidate.example for _, candidate in chosen)
    if examples:
        add_examples(task, examples)
    values = tuple(candidate.value for _, candidate in chosen)
    return Added(examples, values, sum(candidate.is_corrected for _, candidate in chosen), dict(left_out))


def _candidates(run: OpenedRun, task: Task, labels: frozenset[str], left_out: Counter[str]) -> Iterator[_Candidate]:
    space, seen = task.label_space, {example.text.strip() for example in task.examples}
    for outcome, _ in run.outcomes():
        decision, text = outcome.human, outcome.row.text
        if (
            decision is None
            or decision.category is None
            or (labels and labels.isdisjoint(space.parts_of(decision.category)))
        ):
            continue
        if decision.category not in space:
            left_out["the task does not have their label"] += 1
        elif text.strip() in seen:
            left_out["already an example, or the same text as one"] += 1
        elif len(text) > LONGEST_EXAMPLE:
            left_out[f"longer than {LONGEST_EXAMPLE:,} characters"] += 1
        else:
            seen.add(text.strip())
            is_corrected = decision.category != decision.model_category
            example = task.example(text, decision.category)
            yield _Candidate(
                example, decision.category, is_corrected, decision.model_confidence or 0.0, outcome.row.index
            )


def _in_turn(candidates: Sequence[_Candidate]) -> Iterator[tuple[tuple[int, bool, float, int], _Candidate]]:
    """Each candidate with its rank: the first of each label, then the second of each."""
    turns: Counter[str] = Counter()
    for one in sorted(candidates, key=lambda one: (not one.is_corrected, one.confidence, one.row)):
        turns[one.value] += 1
        yield (turns[one.value], not one.is_corrected, one.confidence, one.row), one
