"""Output for GitHub Actions: annotations for the gates, and a job summary in Markdown.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.gates import Gate
from llmbatch.analysis.metrics import LabelScore
from llmbatch.core.errors import UsageError
from llmbatch.core.files import append_private
from llmbatch.core.sanitize import neutral

SUMMARY_FILE = "GITHUB_STEP_SUMMARY"
"""Environment variable that names the step's summary file."""
_MOST_LABELS = 20
_MOST_CONFUSIONS = 5
_MARKUP = frozenset(r"""&<>"'\`*_{}[]()#+!|~@""")


def annotations(evaluation: Evaluation, gates: Sequence[Gate]) -> Iterator[str]:
    """One workflow command per gate: an error if it was missed, else a notice."""
    task = _property(f"llmbatch: {evaluation.subject.task}")
    for gate in gates:
        yield f"::{'notice' if gate.passed else 'error'} title={task}::{_data(gate.finding)}"


def write_job_summary(evaluation: Evaluation, gates: Sequence[Gate]) -> bool:
    """Append the summary to the step's summary file. Returns False if there is none, that is, outside GitHub.

    Raises:
        UsageError: the file cannot be written.
    """
    path = os.environ.get(SUMMARY_FILE)
    if not path:
        return False
    try:
        with append_private(Path(path)) as file:
            file.write(f"{job_summary(evaluation, gates)}\n")
    except OSError as error:
        raise UsageError(f"{SUMMARY_FILE}={path}: cannot be written ({error.strerror})") from None
    return True


def job_summary(evaluation: Evaluation, gates: Sequence[Gate]) -> str:
    """The evaluation in Markdown; no text from documents or labels acts as markup."""
    return "\n".join(_lines(evaluation, gates))


def _lines(evaluation: Evaluation, gates: Sequence[Gate]) -> Iterator[str]:
    subject, accuracy = evaluation.subject, evaluation.accuracy
    word = "" if not gates else "passed: " if all(gate.passed for gate in gates) else "failed: "
    yield f"### {word}{_text(subject.task)}, {_text(subject.model)}\n"
    yield (
        f"Accuracy **{_percent(accuracy.value)}** ({_percent(accuracy.low)} to {_percent(accuracy.high)}), "
        f"{accuracy.count:,} of {accuracy.total:,} right; in review {_percent(evaluation.review_share)}.\n"
    )
    if gates:
        yield from _table(("gate", "wanted", "found", "judged", ""), [_gate(gate) for gate in gates])
    labels = sorted((label for label in evaluation.scores.labels if label.gold), key=lambda label: label.f1)
    if labels:
        heading = ("label", "precision", "recall", "F1", "gold", "given")
        yield from _table(heading, [_label(label) for label in labels[:_MOST_LABELS]])
    for confusion in evaluation.confusions[:_MOST_CONFUSIONS]:
        yield f"- {confusion.count:,} x {_text(confusion.gold)} labelled as {_text(confusion.answer)}"
    for note in evaluation.notes:
        yield f"\n> {_text(note)}"


def _gate(gate: Gate) -> tuple[str, ...]:
    mark = "passed" if gate.passed else "**missed**"
    return (_text(gate.name), _percent(gate.wanted), _percent(gate.value), _percent(gate.judged), mark)


def _label(label: LabelScore) -> tuple[str, ...]:
    scores = (_percent(label.precision), _percent(label.recall), _percent(label.f1))
    return (_text(label.label), *scores, f"{label.gold:,}", f"{label.given:,}")


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield f"|{' --- |' * len(heading)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _text(text: str) -> str:
    """Text escaped so that it cannot act as HTML, Markdown or a table border."""
    return "".join(f"&#{ord(one)};" if one in _MARKUP else one for one in neutral(text, limit=200))


def _data(text: str) -> str:
    return neutral(text, limit=500).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
