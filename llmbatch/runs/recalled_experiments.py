"""The experiments of a run, from its run folder."""

from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.experiments.escalation import Escalation
from llmbatch.engine.experiments.jury import Jury
from llmbatch.engine.experiments.run_profiler import RunStatisticsCollector
from llmbatch.engine.experiments.watch import Baseline, Experiments
from llmbatch.runs.folder import RunRecord
from llmbatch.stats.profile import Asked


def recalled_experiments(record: RunRecord, baseline: Baseline | None = None) -> Experiments:
    """The experiments in a run's record, to which its ledger can then be added."""
    control, canary = Asked(record.prompt, record.model), None
    doubtful: Escalation | Jury | None = None
    parts_of = record.task.label_space.parts_of
    if record.canary is not None:
        canary_arm = Asked(record.canary.prompt, record.canary.model)
        canary = Canary(
            control,
            canary_arm,
            share=record.canary.share,
            expand=record.canary.expand,
            emit=lambda _: None,
            since=record.canary.since,
            parts_of=parts_of,
        )
    if record.escalate_to is not None:
        doubtful = Escalation(record.escalate_to, record.review)
    elif record.jury:
        doubtful = Jury(record.jury, record.review)
    return Experiments(canary, doubtful, baseline, RunStatisticsCollector(control, parts_of))
