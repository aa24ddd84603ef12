"""A run's experiments in addition to its own plan: its canary, models for doubtful rows, its baseline."""

from dataclasses import replace
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import CANARY, ESCALATION, JURY
from llmbatch.engine.experiments.watch import Baseline, ExperimentPlan
from llmbatch.engine.plan import Plan, make_plan
from llmbatch.runs.baseline import run_profile
from llmbatch.runs.folder import CanaryRecord, RunRecord, now_text
from llmbatch.runs.options import JuryOptions, RunOptions
from llmbatch.task.load import LoadedTask, load_task


def plan_experiments(loaded: LoadedTask, options: RunOptions, plan: Plan) -> ExperimentPlan:
    """The experiments of a run.

    Raises:
        UsageError: the canary has another task, the jury is invalid, or the baseline is not a run folder.
    """
    canary, offline = options.canary, options.sending.offline
    escalation = baseline = canary_plan = None
    if canary is not None:
        canary_arm = loaded if canary.task is None else replace(load_task(canary.task), decided=loaded.decided)
        choice = replace(options.choice, model=canary.model or plan.question.model)
        canary_plan = replace(make_plan(canary_arm, choice, offline=offline), arm=CANARY)
        _check_canary(plan, canary_plan)
    if options.escalate_to is not None:
        choice = replace(options.choice, model=options.escalate_to)
        escalation = replace(make_plan(loaded, choice, offline=offline), arm=ESCALATION)
    if options.baseline is not None:
        baseline = Baseline(options.baseline, run_profile(options.baseline, offline=offline), options.fail_on_drift)
    share, expand = (canary.share, canary.expand) if canary is not None else (0.0, False)
    jury = () if options.jury is None else _jury_plans(loaded, options, options.jury, plan)
    return ExperimentPlan(canary_plan, share, expand, escalation, jury, baseline)


def _jury_plans(loaded: LoadedTask, options: RunOptions, jury: JuryOptions, plan: Plan) -> tuple[Plan, ...]:
    """The voters' plans: the run's task with other models, or with its own model once more and answers that vary."""
    own, offline = plan.question.model, options.sending.offline
    if own in jury.models:
        raise UsageError(
            f"--jury: {own} is the run's own model, which already casts the first vote",
            hint="name other models, or ask the run's own model several times: --votes 3",
        )
    choices = [replace(options.choice, model=model) for model in jury.models]
    if jury.votes:
        choices = [replace(options.choice, model=own, temperature=VARYING)] * (jury.votes - 1)
    return tuple(replace(make_plan(loaded, choice, offline=offline), arm=JURY) for choice in choices)


VARYING = 1.0
"""Temperature of votes of one model: at 0 it would repeat itself. Models that accept only one value accept this one."""


def _check_canary(plan: Plan, canary: Plan) -> None:
    """Refuse a canary that is not a trial of the same task."""
    if not plan.task.label_space.is_like(canary.task.label_space):
        raise UsageError(
            f"{canary.task_source}: the canary's labels are not the task's",
            hint="a canary tries another prompt or model for the same labels; another task needs its own run",
        )
    if (plan.prompt, plan.question.model) == (canary.prompt, canary.question.model):
        raise UsageError(
            "the canary has the same prompt and model as the run", hint="give another --canary-prompt or --canary-model"
        )


def canary_record(experiments: ExperimentPlan, standing: RunRecord | None) -> CanaryRecord | None:
    """The canary that is on trial now, otherwise the last one."""
    canary = experiments.canary
    if canary is None:
        return standing.canary if standing else None
    record = CanaryRecord(
        task=canary.task,
        task_source=_absolute(canary.task_source),
        prompt=canary.prompt,
        model=canary.question.model,
        share=experiments.share,
        expand=experiments.expand,
    )
    before = standing.canary if standing else None
    if before is None:
        return record
    # Rows that were assigned with another share cannot be judged with this one: the experiment starts over.
    is_same = (before.prompt, before.model, before.share, before.expand) == (
        record.prompt, record.model, record.share, record.expand,
    )  # fmt: skip
    return record.model_copy(update={"since": before.since if is_same else now_text()})


def _absolute(task_source: str) -> str:
    """A task's source such that it can be found from another folder; a packaged task's name is unchanged."""
    path = Path(task_source)
    return str(path.absolute()) if path.is_file() else task_source
