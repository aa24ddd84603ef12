"""Gates for jobs: what an evaluation has to show. Each is judged by the worse end of its interval."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.metrics import LabelScore
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.core.shares import share_of
from llmbatch.stats.intervals import wilson


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants, in shares of 1."""

    accuracy: float | None = None
    f1: tuple[tuple[str, float], ...] = ()
    """By label; of a task with several fields by `field=label`."""
    review: float | None = None
    """The most that may go to people."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate, and what was found. Shares of 1; None where no gold row shows it."""

    name: str
    bound: Literal["at least", "at most"]
    wanted: float
    value: float | None
    judged: float | None
    """The end of the 95% interval that is compared: the lower one of what is wanted high."""
    passed: bool

    @property
    def finding(self) -> str:
        """In one line: `accuracy: at least 90% is wanted, 95.0% was found, 88.1% at the lower end of the interval`."""
        wanted = f"{self.name}: {self.bound} {_percent(self.wanted)} wanted"
        if self.value is None:
            return f"{wanted}, and no gold row shows it"
        end = "" if self.judged == self.value else f", {_percent(self.judged)} at the lower end of its interval"
        return f"{wanted}, {_percent(self.value)} found{end}"


def parse_wanted(accuracy: str | None, f1: Sequence[str], review: str | None) -> Wanted:
    """The gates as the user writes them: `90%`, `refund=80%`, `15%`.

    Raises:
        UsageError: one is no percentage, or names no label.
    """
    by_label = []
    for text in f1:
        label, is_there, share = text.rpartition("=")
        if not is_there or not label:
            raise UsageError(f"--min-f1 {text!r} names no label", hint="say --min-f1 LABEL=80%")
        by_label.append((label, _share("--min-f1", share)))
    return Wanted(
        None if accuracy is None else _share("--min-accuracy", accuracy),
        tuple(by_label),
        None if review is None else _share("--max-review", review),
    )


def gates(evaluation: Evaluation, wanted: Wanted) -> tuple[Gate, ...]:
    """What the evaluation says to each gate.

    Raises:
        UsageError: a label is not the task's.
    """
    return tuple(_gates(evaluation, wanted))


def save_junit(path: Path, evaluation: Evaluation, found: Sequence[Gate]) -> None:
    """Write the gates as a JUnit report, which CI servers show: a test case each.

    Raises:
        UsageError: the file cannot be written.
    """
    failures = sum(not gate.passed for gate in found)
    suite = ET.Element("testsuite", name="llmbatch evaluate", tests=str(len(found)), failures=str(failures))
    for gate in found:
        task = _legal(evaluation.subject.task)
        case = ET.SubElement(suite, "testcase", classname=task, name=_legal(gate.name))
        if not gate.passed:
            ET.SubElement(case, "failure", message=_legal(gate.finding))
    try:
        with replacing(path) as file:
            ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def gates_json(found: Sequence[Gate]) -> list[dict[str, Any]]:
    """The gates as JSON."""
    return [asdict(gate) for gate in found]


def _gates(evaluation: Evaluation, wanted: Wanted) -> Iterator[Gate]:
    if wanted.accuracy is not None:
        accuracy = evaluation.scores.accuracy_of_all
        yield _at_least("accuracy", wanted.accuracy, accuracy.value, accuracy.low)
    labels = dict(_labels(evaluation))
    for name, share in wanted.f1:
        if name not in labels and name not in evaluation.subject.label_space.parts:
            parts = ", ".join(evaluation.subject.label_space.parts)
            raise UsageError(f"--min-f1: {name!r} is not a label of the task", hint=f"its labels: {parts}")
        score = labels.get(name)
        rows = 0 if score is None else score.gold + score.given - score.right
        value, low = (None, None) if score is None or not rows else (score.f1, _least_f1(score, rows))
        yield _at_least(f"F1 of {name}", share, value, low)
    if wanted.review is not None:
        review = evaluation.review_share
        passed = review is not None and review <= wanted.review
        yield Gate("share in review", "at most", wanted.review, review, review, passed)


def _at_least(name: str, wanted: float, value: float | None, low: float | None) -> Gate:
    return Gate(name, "at least", wanted, value, low, passed=low is not None and low >= wanted)


def _labels(evaluation: Evaluation) -> Iterator[tuple[str, LabelScore]]:
    for score in evaluation.scores.labels:
        yield score.label, score
    alone = len(evaluation.fields) == 1
    for field in evaluation.fields:
        scored = field.several.labels if field.several is not None else () if field.one is None else field.one.labels
        for score in scored:
            yield score.label if alone else f"{field.field}={score.label}", score


def _least_f1(score: LabelScore, rows: int) -> float:
    """The lower end of F1's interval.

    F1 is 2J / (1 + J) of the share J of rows that are right among those that have the label in gold or in the answer,
    and that share has Wilson's interval.
    """
    low, _ = wilson(score.right / rows, rows)
    return 2 * low / (1 + low)


def _share(option: str, text: str) -> float:
    share = share_of(text)
    if share is None:
        raise UsageError(f"{option} {text!r} is no percentage", hint=f"say {option} 90%")
    return share


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _legal(text: str) -> str:
    """Text that XML takes: of control characters only those of lines."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
