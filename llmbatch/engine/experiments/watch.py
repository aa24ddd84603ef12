"""What a run does beside asking its own plan: a canary, other models for doubtful rows, a look at an earlier run."""

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
    """What is asked for. `share` (0..1) of the rows go to the canary, more and more while it holds with `expand`."""

    canary: Plan | None = None
    share: float = 0.0
    expand: bool = False
    escalation: Plan | None = None
    jury: tuple[Plan, ...] = ()
    """Who votes on doubtful rows; not together with `escalation`."""
    baseline: Baseline | None = None

    @property
    def second_opinions(self) -> tuple[Plan, ...]:
        """What doubtful rows are asked by."""
        return self.jury if self.escalation is None else (self.escalation,)


class Experiments:
    """Watches a run's lines, those of its earlier sessions first."""

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
        """Whether a row whose latest line this is goes to the stronger model, or to the jury."""
        return self.doubtful is not None and self.doubtful.takes(line)

    @property
    def needs_lines(self) -> bool:
        """Whether it has to see each line of the ledger, not only new ones."""
        return any(part is not None for part in (self.canary, self.doubtful, self._baseline))

    def watch(self, line: LedgerLine) -> None:
        """Take note of a line."""
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
        """The outcome."""
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
    """What a session watches.

    Args:
        plan: what it asks beside its own plan.
        prompt: that its own plan asks, by its hash.
        model: that it asks.
        review: which rows need it.
        emit: takes the events of a canary: it holds, is dropped, or grows.
        since: when the canary's trial began, UTC; empty where all lines are of it.
        parts_of: takes a row's value apart into its labels.
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
    """What becomes of doubtful rows, by `review`; None where they go straight to people."""
    if escalation is not None:
        return Escalation(escalation.question.model, review)
    return Jury([plan.question.model for plan in jury], review) if jury else None
