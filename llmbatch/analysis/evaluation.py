"""One evaluation: all figures about a run's labels, also as JSON."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from llmbatch.analysis.candidate_recall import CandidateRecall, candidate_recall
from llmbatch.analysis.confusion import Confusion, confusions
from llmbatch.analysis.field_scores import FieldScores, field_scores
from llmbatch.analysis.gold import GoldIssues, gold_issue_notes
from llmbatch.analysis.metrics import Proportion, Scores, proportion, score
from llmbatch.analysis.pairs import Judged, Pair
from llmbatch.analysis.reliability import Reliability, reliability
from llmbatch.analysis.thresholds import Thresholds, thresholds, withheld
from llmbatch.analysis.tree_scores import TreeScores, tree_scores
from llmbatch.core.ledger_line import CONTROL
from llmbatch.task.fields import FieldKind
from llmbatch.task.label_space import LabelSpace

_UNLIKE = 0.001
"""Below this p-value, the gold rows are reported as not a random sample of the run."""
_FEWEST_COMPARED = 8
"""With fewer rows on a side, the Kolmogorov-Smirnov test can hardly get below it: 2·exp(-2·8·8/16) = 0.0007."""
MOST_UNANSWERABLE = 0.02
"""Maximum share of answered gold rows whose gold label is not in the task: beyond it, task and gold do not match, and
no recommendation is made."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The run being evaluated."""

    folder: str
    task: str
    label_space: LabelSpace
    model: str
    prompt: str
    offline: bool
    review_below: float
    rows: int
    reviewed: int = 0
    """Rows whose label in the results is a human decision; the evaluation uses the model's answer for them, too."""
    judges: str = "model"
    """The prompt and model whose labels are evaluated."""


@dataclass(frozen=True, slots=True)
class ArmAccuracy:
    """Rows answered by one prompt and model, if the run used several."""

    arm: str
    model: str
    prompt: str
    accuracy: Proportion


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """All figures about a run's labels."""

    subject: Subject
    gold_file: str
    gold_rows: int
    matched: int
    """Rows of the run that have a gold label."""
    texts: int
    """Distinct texts among the gold rows."""
    scores: Scores
    """Scores of whole rows: a row is right if all its fields are."""
    fields: tuple[FieldScores, ...]
    """Scores of each field, if the task takes more than one label; else empty."""
    tree: TreeScores | None
    """Scores by tree level, for a task with one label and nested labels."""
    candidates: CandidateRecall | None
    """Recall of the labels retrieved for each document; None if all are in the prefix."""
    review_share: float | None
    """Share of the run's answered rows that need review; None if there are none."""
    arms: tuple[ArmAccuracy, ...]
    """Accuracy of each arm, if several prompts or models answered; else empty."""
    confusions: tuple[Confusion, ...]
    reliability: Reliability | None
    thresholds: Thresholds
    issues: GoldIssues
    notes: tuple[str, ...]
    """Caveats about the figures, one sentence each."""

    @property
    def accuracy(self) -> Proportion:
        """The share of right labels among rows with a gold label and an answer, with its 95% interval."""
        return self.scores.accuracy

    def by_decisions(self) -> "Evaluation":
        """The same evaluation, marked as using the run folder's human decisions as gold."""
        note = (
            "the gold labels are human decisions, which favour doubtful rows that needed review; "
            "also decide the random sample (llmbatch review RUN --sample)"
        )
        return replace(self, gold_file="people's decisions", notes=(*self.notes, note))

    def __repr__(self) -> str:
        accuracy, right = self.accuracy, f"{self.accuracy.count:,} of {self.accuracy.total:,} right"
        value = "unknown"
        if accuracy.value is not None and accuracy.low is not None and accuracy.high is not None:
            value = f"{accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
        return f"<Evaluation of {self.subject.folder}: accuracy {value}, {right}>"


def evaluate(judged: Judged, subject: Subject, *, wanted: float, notes: Sequence[str] = ()) -> Evaluation:
    """Compute all figures.

    Args:
        judged: the run's rows with their gold labels.
        subject: the run.
        wanted: required precision of the rows that pass without review.
        notes: further caveats from the caller.
    """
    labelled, space = judged.labelled, subject.label_space
    answerable = [pair for pair in labelled if pair.gold in space]
    confidences = [pair.confidence or 0.0 for pair in labelled]
    right = [pair.is_right for pair in labelled]
    texts = [pair.text_id for pair in labelled]
    all_texts = [pair.text_id for pair in judged.pairs]
    arms = _arms(labelled)
    table = thresholds(confidences, right, judged.run_confidences, wanted=wanted, texts=texts)
    if remark := unanswerable_remark(labelled, subject.label_space):
        table = withheld(table, remark)
    return Evaluation(
        subject=subject,
        gold_file=judged.gold.file,
        gold_rows=judged.gold.rows,
        matched=len(judged.pairs),
        texts=len(set(all_texts)),
        scores=score(
            [pair.gold for pair in judged.pairs],
            [pair.answer for pair in judged.pairs],
            space.parts if space.takes_one_label else (),
            all_texts,
            known=space,
        ),
        fields=field_scores(
            [pair.gold for pair in answerable],
            [pair.answer or "" for pair in answerable],
            space,
            [pair.text_id for pair in answerable],
        ),
        tree=_tree_scores(answerable, space),
        candidates=candidate_recall(judged),
        review_share=judged.in_review / len(judged.run_confidences) if judged.run_confidences else None,
        arms=arms,
        confusions=confusions(judged.pairs if space.takes_one_label else _by_field(answerable, space)),
        reliability=reliability(confidences, right, texts),
        thresholds=table,
        issues=judged.gold.issues,
        notes=tuple(_notes(judged, arms)) + tuple(notes),
    )


def _tree_scores(pairs: Sequence[Pair], space: LabelSpace) -> TreeScores | None:
    if not space.takes_one_label:
        return None
    gold, answers = [[pair.gold] for pair in pairs], [[pair.answer or ""] for pair in pairs]
    return tree_scores(gold, answers, space.fields[0].tree, [pair.text_id for pair in pairs])


def _by_field(pairs: Sequence[Pair], space: LabelSpace) -> Iterator[Pair]:
    """Each single-label field as a separate row, so that `topic=billing` can be confused with `topic=technical`."""
    single = [field.name for field in space.fields if field.kind in (FieldKind.single, FieldKind.yes_no)]
    for pair in pairs:
        gold, answer = space.cells_of(pair.gold), space.cells_of(pair.answer)
        for name in single:
            yield replace(pair, gold=f"{name}={gold[name]}", answer=f"{name}={answer[name]}")


def unanswerable_remark(labelled: Sequence[Pair], labels: Container[str]) -> str | None:
    """Why no recommendation is possible: too many gold rows have labels that are not in the task. None if it is.

    Args:
        labelled: gold rows with an answer.
        labels: the task's labels.
    """
    unanswerable = sum(pair.gold not in labels for pair in labelled)
    if unanswerable <= MOST_UNANSWERABLE * len(labelled):
        return None
    return (
        f"{unanswerable:,} of {len(labelled):,} gold rows have a label that the task does not have, more than "
        f"{MOST_UNANSWERABLE:.0%}; add their labels to the task, as labels or aliases"
    )


def _arms(labelled: Sequence[Pair]) -> tuple[ArmAccuracy, ...]:
    """Accuracy by prompt and model; empty if there is only one."""
    rows: defaultdict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for pair in labelled:
        rows[pair.arm, pair.model or "", pair.prompt or ""].append(pair)
    if len(rows) == 1:
        return ()
    return tuple(
        ArmAccuracy(*asked, proportion(sum(p.is_right for p in pairs), len(pairs), [p.text_id for p in pairs]))
        for asked, pairs in sorted(rows.items(), key=lambda item: (item[0][0] != CONTROL, item[0]))
    )


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as `--json` prints it: stable names, shares in 0..1, null where a figure is undefined."""
    scores, calibration = evaluation.scores, evaluation.reliability
    return {
        **_subject(evaluation),
        "accuracy": asdict(scores.accuracy),
        "fields": [asdict(field) for field in evaluation.fields],
        "tree": None if evaluation.tree is None else asdict(evaluation.tree),
        "accuracy_of_task_labels": asdict(scores.accuracy_of_task_labels),
        "unanswerable": scores.unanswerable,
        "accuracy_of_all": asdict(scores.accuracy_of_all),
        "coverage": asdict(scores.coverage),
        "candidates": None if evaluation.candidates is None else asdict(evaluation.candidates),
        "arms": [asdict(arm) for arm in evaluation.arms],
        "kappa": scores.kappa,
        "macro": asdict(scores.macro),
        "weighted": asdict(scores.weighted),
        "labels": [asdict(label) for label in scores.labels],
        "confusion_matrix": {
            "labels": [label.label for label in scores.labels],
            "gold_by_answer": [list(row) for row in scores.matrix],
        },
        "confusions": [_confusion(confusion) for confusion in evaluation.confusions],
        "reliability": None if calibration is None else asdict(calibration),
        "thresholds": asdict(evaluation.thresholds),
        "issues": asdict(evaluation.issues),
        "notes": list(evaluation.notes),
    }


def _subject(evaluation: Evaluation) -> dict[str, Any]:
    subject = asdict(evaluation.subject)
    subject.pop("label_space")
    gold: Mapping[str, Any] = {
        "gold_file": evaluation.gold_file,
        "gold_rows": evaluation.gold_rows,
        "matched": evaluation.matched,
        "texts": evaluation.texts,
    }
    return {**subject, **gold}


def _confusion(confusion: Confusion) -> dict[str, Any]:
    examples = [
        {"row": pair.row, "id": pair.id, "confidence": pair.confidence, "text": pair.text}
        for pair in confusion.examples
    ]
    return {**asdict(confusion), "examples": examples}


def _notes(judged: Judged, arms: Sequence[ArmAccuracy]) -> list[str]:
    notes = list(gold_issue_notes(judged.gold.issues))
    if judged.unmatched_count:
        first = ", ".join(judged.unmatched)
        notes.append(f"gold rows not in the run: {judged.unmatched_count:,} (first: {first})")
    if judged.same_id_rows:
        notes.append(f"rows of the run that repeat an id and share its gold label: {judged.same_id_rows:,}")
    if judged.gold.by_row:
        notes.append(f"{judged.gold.file} has no ids: its rows were matched to the run's by position")
    if arms:
        counts = ", ".join(f"{arm.accuracy.total:,} by {_asked(arm)}" for arm in arms)
        notes.append(
            f"several prompts or models answered these rows ({counts}): "
            "the figures describe the mixture, not any single one"
        )
    if unlike := _unlike(judged):
        notes.append(unlike)
    return notes


def _asked(arm: ArmAccuracy) -> str:
    return f"{arm.arm} {arm.model} prompt {arm.prompt}"


def _unlike(judged: Judged) -> str | None:
    """A warning if the gold texts' confidences differ from the other texts' (Kolmogorov-Smirnov), each text once."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 - an extra, and slow to import

    gold = list({pair.text_id: pair.confidence or 0.0 for pair in judged.labelled}.values())
    rest = judged.rest_confidences
    if min(len(gold), len(rest)) < _FEWEST_COMPARED or ks_2samp(gold, rest, method="asymp").pvalue >= _UNLIKE:
        return None
    return (
        "the gold rows differ from the run's other rows (in confidence): the figures apply only to rows like "
        "the gold ones, and a threshold based on them may miss its precision"
    )
