"""A run's experiments: a canary, other models for low-confidence rows, comparison with an earlier run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.experiments.escalation import Escalation
from llmbatch.engine.experiments.jury import Jury
from llmbatch.engine.experiments.run_profiler import RunStatisticsCollector, drift_report
from llmbatch.engine.plan import Plan
from llmbatch.observe.events import Event
from llmbatch.observe.summary import ExperimentReport
from llmbatch.stats.profile import Asked, PartsOf, Profile, one_label


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier run to compare with; `fails` makes a significant shift count as failed rows do."""

    path: Path
    profile: Profile
    fails: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """The requested experiments. `share` (0..1) of the rows go to the canary, growing with `expand` while it holds."""

    canary: Plan | None = None
    share: float = 0.0
    expand: bool = False
    escalation: Plan | None = None
    jury: tuple[Plan, ...] = ()
    """The models that vote on low-confidence rows; not combined with `escalation`."""
    baseline: Baseline | None = None

    @property
    def second_opinions(self) -> tuple[Plan, ...]:
        """The plans for low-confidence rows."""
        return self.jury if self.escalation is None else (self.escalation,)


class Experiments:
    """Watches a run's lines, starting with those of earlier sessions."""

    def __init__(
        self,
        canary: Canary | None,
        doubtful: Escalation | Jury | None,
        baseline: Baseline | None,
        profiler: RunStatisticsCollector,
    ) -> None:
        self.canary = canary
        self.doubtful = doubtful
        self._baseline = baseline
        self._profiler = profiler

    def takes(self, line: LedgerLine | None) -> bool:
        """Whether a row with this latest line goes to the stronger model or to the jury."""
        return self.doubtful is not None and self.doubtful.takes(line)

    @property
    def needs_lines(self) -> bool:
        """Whether it must see every ledger line, not only new ones."""
        return any(part is not None for part in (self.canary, self.doubtful, self._baseline))

    def watch(self, line: LedgerLine) -> None:
        """Count a line."""
        if self.canary is not None:
            self.canary.watch(line)
        if self.doubtful is not None:
            self.doubtful.watch(line)
        if self._baseline is not None:
            self._profiler.watch(line)

    def end_batch(self) -> None:
        """All answers of a batch have been watched."""
        if self.canary is not None:
            self.canary.end_batch()

    def report(self) -> ExperimentReport:
        """The results so far."""
        drift, baseline = None, self._baseline
        if baseline is not None:
            drift = drift_report(baseline.path, baseline.profile, self._profiler.profile(), fails=baseline.fails)
        return ExperimentReport(
            canary=None if self.canary is None else self.canary.report(),
            escalation=self.doubtful.report() if isinstance(self.doubtful, Escalation) else None,
            jury=self.doubtful.report() if isinstance(self.doubtful, Jury) else None,
            drift=drift,
        )


def begin_experiments(
    plan: ExperimentPlan,
    *,
    prompt: str,
    model: str,
    review: ReviewRule,
    emit: Callable[[Event], None],
    since: str = "",
    parts_of: PartsOf = one_label,
) -> Experiments:
    """Set up a session's experiments.

    Args:
        plan: the experiments.
        prompt: hash of the main plan's prompt.
        model: the main plan's model.
        review: decides which rows need review.
        emit: receives a canary's events: it holds, is dropped, or expands.
        since: when the canary's current experiment began, UTC; empty if all lines belong to it.
        parts_of: splits a row's value into its labels.
    """
    control, canary = Asked(prompt, model), None
    if plan.canary is not None:
        candidate = Asked(plan.canary.prompt, plan.canary.question.model)
        canary = Canary(
            control, candidate, share=plan.share, expand=plan.expand, emit=emit, since=since, parts_of=parts_of
        )
    doubtful = of_doubtful(plan.escalation, plan.jury, review)
    return Experiments(canary, doubtful, plan.baseline, RunStatisticsCollector(control, parts_of))


def of_doubtful(escalation: Plan | None, jury: Sequence[Plan], review: ReviewRule) -> Escalation | Jury | None:
    """The handling of low-confidence rows; None if they go straight to review."""
    if escalation is not None:
        return Escalation(escalation.question.model, review)
    return Jury([plan.question.model for plan in jury], review) if jury else None
