"""A row's confidence: taken from the answer or measured, then calibrated, alike for new lines and those read again."""

from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.rows import ConfidenceKind
from llmbatch.engine.plan import Plan
from llmbatch.provider.completion import Completion
from llmbatch.task.answer import Answer
from llmbatch.task.calibration import Calibration, fitting_calibration
from llmbatch.task.logprobs import LEAST_MASS
from llmbatch.task.measured_value import measured_value

LOGPROBS_MISSING = "logprobs_missing"
"""Flag of a row whose confidence could not be measured as requested: the model's stated one is used instead."""
LABELS_UNLIKELY = "labels_unlikely"
"""Flag of a row for which the model, if unconstrained, would have answered something other than a label."""


class Score(Struct, frozen=True, gc=False):
    """An answer's confidence figures. `confidence` is calibrated if there is a calibration."""

    confidence: float
    raw: float
    kind: ConfidenceKind
    runner_up: str | None = None
    flags: tuple[str, ...] = ()
    confidences: Mapping[str, float] | None = None
    """Confidence by field and label, if the task takes more than one label."""


class Scorer:
    """Scores the answers to one plan."""

    def __init__(self, plan: Plan, calibrations: Iterable[Calibration]) -> None:
        self._plan = plan
        self._calibrations = tuple(calibrations)

    def score(self, answer: Answer, completion: Completion | None) -> Score:
        """The confidence of an answer that was read from `completion`."""
        reported = Score(answer.confidence, answer.confidence, ConfidenceKind.reported, confidences=answer.confidences)
        if not self._plan.shape.logprobs:
            return self._calibrated(reported)
        tokens = None if completion is None else completion.logprobs
        measured = None if tokens is None else measured_value(tokens, answer.category, self._plan.space)
        if measured is None:
            return self._calibrated(structs.replace(reported, flags=(LOGPROBS_MISSING,)))
        return self._calibrated(
            Score(
                measured.probability,
                measured.probability,
                ConfidenceKind.logprobs,
                measured.runner_up,
                (LABELS_UNLIKELY,) if measured.mass < LEAST_MASS else (),
                measured.probabilities,
            )
        )

    def _calibrated(self, score: Score) -> Score:
        calibration = fitting_calibration(
            self._calibrations,
            prompt=self._plan.prompt,
            model=self._plan.question.model,
            kind=score.kind,
            offline=self._plan.offline,
        )
        return score if calibration is None else structs.replace(score, confidence=calibration.of(score.raw))


class Recalibration:
    """Applies the run's current calibrations to ledger lines, whatever calibrations they were written under.

    So a new calibration needs no requests, and everything that reads the ledger sees the same confidence.
    """

    def __init__(self, calibrations: Iterable[Calibration], *, offline: bool) -> None:
        self._calibrations = tuple(calibrations)
        self._offline = offline

    def __call__(self, line: LedgerLine) -> LedgerLine:
        """The line with its confidence recalibrated from the raw one."""
        raw = line.raw_confidence
        if raw is None or (not self._calibrations and line.confidence == raw):
            return line
        prompt, model = line.judges
        calibration = fitting_calibration(
            self._calibrations,
            prompt=prompt,
            model=model,
            kind=line.confidence_from,
            offline=self._offline,
        )
        confidence = raw if calibration is None else calibration.of(raw)
        return (
            line if confidence == line.confidence else structs.replace(line, confidence=confidence, confidence_raw=raw)
        )
