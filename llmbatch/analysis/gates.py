"""Quality gates for CI jobs: what an evaluation must show. Each is judged by the worse end of its interval."""

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
    """The user's requirements, in shares of 1."""

    accuracy: float | None = None
    f1: tuple[tuple[str, float], ...] = ()
    """By label; for a task with several fields, by `field=label`."""
    review: float | None = None
    """Maximum share in review."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate and its result. Shares of 1; None if there are no gold rows for it."""

    name: str
    bound: Literal["at least", "at most"]
    wanted: float
    value: float | None
    judged: float | None
    """The end of the 95% interval that is compared: the lower one for figures that should be high."""
    passed: bool

    @property
    def finding(self) -> str:
        """One line: `accuracy: at least 90.0% required, 95.0% found, 88.1% at the lower end of its interval`."""
        wanted = f"{self.name}: {self.bound} {_percent(self.wanted)} required"
        if self.value is None:
            return f"{wanted}, but no gold row covers it"
        end = "" if self.judged == self.value else f", {_percent(self.judged)} at the lower end of its interval"
        return f"{wanted}, {_percent(self.value)} found{end}"


def parse_wanted(accuracy: str | None, f1: Sequence[str], review: str | None) -> Wanted:
    """Parse the gates as written by the user: `90%`, `refund=80%`, `15%`.

    Raises:
        UsageError: not a percentage, or no label named.
    """
    by_label = []
    for text in f1:
        label, is_there, share = text.rpartition("=")
        if not is_there or not label:
            raise UsageError(f"--min-f1 {text!r} does not name a label", hint="use --min-f1 LABEL=80%")
        by_label.append((label, _share("--min-f1", share)))
    return Wanted(
        None if accuracy is None else _share("--min-accuracy", accuracy),
        tuple(by_label),
        None if review is None else _share("--max-review", review),
    )


def gates(evaluation: Evaluation, wanted: Wanted) -> tuple[Gate, ...]:
    """Judge each gate by the evaluation.

    Raises:
        UsageError: a label is not in the task.
    """
    return tuple(_gates(evaluation, wanted))


def save_junit(path: Path, evaluation: Evaluation, found: Sequence[Gate]) -> None:
    """Write the gates as a JUnit report for CI servers, one test case each.

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
    """The lower end of the interval of F1.

    F1 is 2J / (1 + J), where J is the share of right rows among those with the label in gold or in the answer; Wilson's
    interval applies to J.
    """
    low, _ = wilson(score.right / rows, rows)
    return 2 * low / (1 + low)


def _share(option: str, text: str) -> float:
    share = share_of(text)
    if share is None:
        raise UsageError(f"{option} {text!r} is not a percentage", hint=f"use {option} 90%")
    return share


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _legal(text: str) -> str:
    """Text valid in XML, which allows no control characters except line breaks and tabs."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
