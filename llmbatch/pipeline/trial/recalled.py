"""What a run folder says was on trial."""

from llmbatch.drift.profile import Asked
from llmbatch.pipeline.folder import RunRecord
from llmbatch.pipeline.trial.canary import Canary
from llmbatch.pipeline.trial.escalation import Escalation
from llmbatch.pipeline.trial.run_profiler import RunProfiler
from llmbatch.pipeline.trial.watch import Baseline, Trial


def recalled_trial(record: RunRecord, baseline: Baseline | None = None) -> Trial:
    """What a run's record says was watched, ready to be fed with its ledger."""
    control, canary, escalation = Asked(record.prompt, record.model), None, None
    if record.canary is not None:
        on_trial = Asked(record.canary.prompt, record.canary.model)
        canary = Canary(
            control,
            on_trial,
            share=record.canary.share,
            expand=record.canary.expand,
            tell=lambda _: None,
            since=record.canary.since,
        )
    if record.escalate_to is not None:
        escalation = Escalation(record.escalate_to, record.review_below)
    return Trial(canary, escalation, baseline, RunProfiler(control))
