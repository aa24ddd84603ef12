"""Joins a run folder with gold labels, read-only."""

from array import array
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from llmbatch.analysis.evaluation import Evaluation, Subject, evaluate
from llmbatch.analysis.gold import Gold, GoldOptions, read_gold
from llmbatch.analysis.pairs import Judged, Pair
from llmbatch.analysis.thresholds import withheld
from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import CONTROL, FAILED, LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Rejection, Row
from llmbatch.observe.listing import RunAccuracy
from llmbatch.readers import FieldChoice
from llmbatch.readers.fields import listed
from llmbatch.runs.accuracy import save_accuracy
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.standing import refresh_views
from llmbatch.task.candidates import Candidates
from llmbatch.task.label_space import LabelSpace

_EXCERPT = 300
_TOLD = 5


class NoGoldRowError(UsageError):
    """None of the gold rows is in the run."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run folder's record, and its rows with their gold labels."""

    record: RunRecord
    judged: Judged
    reviewed: int
    """Rows labelled by people."""


def evaluate_run(path: Path, gold: GoldOptions, *, wanted: float, trust: Trust = NO_TRUST) -> Evaluation:
    """Evaluate a run folder.

    Args:
        path: the folder.
        gold: where the gold labels are.
        wanted: required precision of the rows that pass without review.
        trust: what the user says about the folder.

    Raises:
        UsageError: not a run folder, its input is gone, or no gold row matches.
    """
    require_statistics("llmbatch evaluate")
    run = judge_run(path, gold, trust, some_fields=True)
    record, space = run.record, run.judged.gold.space
    subject = Subject(
        folder=str(path),
        task=record.task.name,
        label_space=space,
        model=record.model,
        prompt=record.prompt,
        offline=record.offline,
        review_below=record.review_below,
        rows=run.judged.run_rows,
        reviewed=run.reviewed,
    )
    notes = []
    seen = {one.gold for one in record.calibrations} | {one.gold for one in record.thresholds}
    if run.judged.gold.digest in seen:
        notes.append("confidences or thresholds were calibrated on this same gold file: their figures are optimistic")
    evaluation = evaluate(run.judged, subject, wanted=wanted, notes=notes)
    return evaluation if space is record.task.label_space else _of_some_fields(evaluation, space)


def _of_some_fields(evaluation: Evaluation, space: LabelSpace) -> Evaluation:
    """An evaluation of fields by which alone no row goes to review."""
    fields = listed(space.columns())
    note = f"there is gold for {fields} only: a row counts as right if that is right"
    table = withheld(evaluation.thresholds, f"review depends on all fields, and there is gold for {fields} only")
    return replace(evaluation, thresholds=table, notes=(*evaluation.notes, note))


def remember_accuracy(path: Path, evaluation: Evaluation) -> None:
    """Record the accuracy in the run folder, for `llmbatch runs`."""
    found = evaluation.accuracy
    if found.value is not None and found.low is not None and found.high is not None:
        noted = RunAccuracy(found.value, found.low, found.high, found.total, evaluation.gold_file)
        save_accuracy(RunFolder(path), noted)


def require_statistics(needed_by: str) -> None:
    """Check that the statistics libraries are installed, before anything is read or paid for.

    Raises:
        UsageError: the extra is not installed.
    """
    with extra("eval", needed_by=needed_by):
        import scipy.stats  # noqa: F401, PLC0415 - only to check that they are installed
        import sklearn.metrics  # noqa: F401, PLC0415


def judge_run(path: Path, options: GoldOptions, trust: Trust = NO_TRUST, *, some_fields: bool = False) -> JudgedRun:
    """Join a run's outcomes with gold labels.

    Args:
        path: the run folder.
        options: where the gold labels are.
        trust: what the user says about the folder.
        some_fields: whether gold for some of the task's fields suffices; only these are compared then.

    Raises:
        UsageError: no run folder, its input is gone, or no gold row fits it.
    """
    folder, record = standing_run(path)
    refresh_views(folder, record)
    gold = read_gold(options, record.task, some_fields=some_fields)
    source = RunInput.again(record, folder, trust)
    plan, reviewed = recorded_plan(record), 0
    join = _Join(gold, record.task.label_space, record.review, plan.candidates)
    ledger = Ledger.open_to_read(
        folder.ledger, on_line=lambda _, __: None, reread=record.reread, labels=record.task.label_space
    )
    with closing(ledger), closing(DecisionLog(folder.decisions)) as log:
        decisions = TaskDecisions(log, record.task.label_space)
        for item in source.read_again(join.note_fields):
            key = "" if isinstance(item, Rejection) else plan.key(item.text)
            join.add(item, key, ledger.latest(key) if key else None)
            reviewed += isinstance(item, Row) and decisions.settles(item.text)
    return JudgedRun(record, join.judged(), reviewed)


class _Join:
    """Goes through the run's rows and picks those with a gold label."""

    def __init__(self, gold: Gold, space: LabelSpace, review: ReviewRule, candidates: Candidates | None) -> None:
        self._gold = gold
        self._space = space
        self._review = review
        self._candidates = candidates
        self._in_review = 0
        self._cell_files: set[str] = set()
        self._pairs: list[Pair] = []
        self._confidences, self._rest = array("d"), array("d")
        self._texts = KeyIndex()
        self._found: set[object] = set()
        self._same_id = 0
        self._rows = 0

    def note_fields(self, choice: FieldChoice) -> None:
        """Note whether ids have a JSON type; those of CSV files do not."""
        if not choice.is_typed:
            self._cell_files.add(choice.file)

    def add(self, item: Row | Rejection, text_key: str, line: LedgerLine | None) -> None:
        """Add a row; `text_key` identifies its text, empty if it could not be read."""
        self._rows += 1
        labelled = line if line is not None and line.status != FAILED else None
        needs_review = labelled is not None and self._review.needs_review(labelled)
        self._in_review += needs_review
        labelled = None if labelled is None else self._compared(labelled)
        if labelled is not None and labelled.confidence is not None:
            self._confidences.append(labelled.confidence)
        row_id = item.id if isinstance(item, Row) else None
        key = self._gold.key_for(item.index, row_id, typed=item.place.file not in self._cell_files)
        if key is None:
            self._add_to_rest(text_key, labelled)
            return
        self._same_id += key in self._found
        self._found.add(key)
        label, answer = self._gold.label_of(key), labelled.category if labelled else None
        prompt, model = labelled.judges if labelled else (None, None)
        wrong = isinstance(item, Row) and answer is not None and answer != label
        self._pairs.append(
            Pair(
                row=item.index,
                id=row_id,
                gold=label,
                answer=answer,
                confidence=labelled.confidence if labelled else None,
                confidence_raw=labelled.raw_confidence if labelled else None,
                confidence_from=labelled.confidence_from if labelled else None,
                model=model,
                prompt=prompt,
                arm=labelled.arm if labelled else CONTROL,
                key=text_key,
                ranks=self._ranks(item, label, line),
                needs_review=needs_review,
                confidences=labelled.confidences if labelled else None,
                text=item.text[:_EXCERPT] if wrong and isinstance(item, Row) else "",
            )
        )

    def _compared(self, line: LedgerLine) -> LedgerLine:
        """A line with the fields that have gold, and the lowest of their confidences."""
        space = self._gold.space
        if space is self._space or line.category is None:
            return line
        kept = {
            part: confidence
            for part, confidence in (line.confidences or {}).items()
            if part.partition("=")[0] in space.columns()
        }
        values = self._space.values(line.category)
        return structs.replace(
            line,
            category=space.text({name: values[name] for name in space.columns()}),
            confidence=min(kept.values(), default=line.confidence),
            confidence_raw=None,
            confidences=kept,
        )

    def _ranks(self, item: Row | Rejection, label: str, line: LedgerLine | None) -> tuple[int, ...]:
        space = self._gold.space
        if self._candidates is None or isinstance(item, Rejection) or label not in space:
            return ()
        kept = None if line is None else line.ranking
        ranking = self._candidates.whole_ranking(item.text) if kept is None else kept
        return self._candidates.ranks(ranking, space.cells_of(label))

    def _add_to_rest(self, text_key: str, labelled: LedgerLine | None) -> None:
        if labelled is None or labelled.confidence is None or self._texts.get(short(text_key)) is not None:
            return
        self._texts[short(text_key)] = len(self._rest)
        self._rest.append(labelled.confidence)

    def judged(self) -> Judged:
        """The joined rows.

        Raises:
            NoGoldRowError: no gold row is in the run.
        """
        gold = self._gold
        if not self._pairs:
            ids = ", ".join(repr(key[1]) for key in list(gold.labels)[:3])
            raise NoGoldRowError(
                f"{gold.file}: none of its rows is in the run",
                hint=f"rows are matched by id; gold ids look like {ids}; --id-field names the id field",
            )
        missing = [repr(key[1]) for key in gold.labels if key not in self._found]
        return Judged(
            gold=gold,
            pairs=tuple(self._pairs),
            run_rows=self._rows,
            run_confidences=self._confidences,
            rest_confidences=self._rest,
            candidates=None if self._candidates is None else self._candidates.most,
            in_review=self._in_review,
            same_id_rows=self._same_id,
            unmatched=tuple(missing[:_TOLD]),
            unmatched_count=len(missing),
        )
