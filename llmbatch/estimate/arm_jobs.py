"""What each arm of a run would send: the main arm, a canary, and the arms for low-confidence rows."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import sqrt

from llmbatch.core.ledger_line import CANARY, CONTROL
from llmbatch.core.prices import PriceBook
from llmbatch.engine.experiments.canary import LARGEST_SHARE
from llmbatch.engine.experiments.watch import ExperimentPlan
from llmbatch.engine.plan import Plan
from llmbatch.estimate.arms import ArmJob, joined, share_of
from llmbatch.estimate.cost import Job, Range
from llmbatch.estimate.input_scan import History, Survey

_DEVIATIONS = 3


@dataclass(frozen=True, slots=True)
class Beside:
    """The arms besides the main one, and what is known about them."""

    experiments: ExperimentPlan = ExperimentPlan()
    review_below: float = 0.0
    """Rows with a lower confidence (0..1) go to the stronger model or the jury."""
    is_waiting: Callable[[str], bool] = lambda _: False
    """Whether a key already has an answer and only awaits the stronger model or the jury."""
    histories: Mapping[str, History] = field(default_factory=dict)
    """Cached answers, by arm; for the arms of low-confidence rows, by `opinion`."""


def arm_jobs(
    found: Survey,
    waiting: Survey,
    beside: Beside,
    *,
    prices: PriceBook,
    job_of: Callable[[Survey, Plan, History], Job],
) -> list[ArmJob]:
    """The jobs of all arms, the main arm first.

    Args:
        found: the rows to send.
        waiting: the rows that only await the stronger model or the jury.
        beside: the arms besides the main one.
        prices: where prices are found.
        job_of: builds the job of a survey's rows under a plan, given the plan's earlier answers.
    """
    asked, experiments = found.asked, beside.experiments
    history = beside.histories.get(CONTROL) or History(asked)
    control = job_of(found, asked, history)
    all_rows = control.requests
    jobs = [_job(CONTROL, asked, control, Range(all_rows, all_rows, all_rows), history, prices)]
    if (canary := experiments.canary) is not None:
        rows = share_of(all_rows, experiments.share, most=LARGEST_SHARE if experiments.expand else None)
        own = beside.histories.get(CANARY) or History(canary)
        jobs[0] = replace(jobs[0], rows=Range(all_rows - rows.high, all_rows - rows.expected, all_rows))
        jobs.append(_job(CANARY, canary, job_of(found, canary, own), rows, own, prices))
    plans = {opinion(plan): plan for plan in experiments.second_opinions}
    for name, times in Counter(map(opinion, experiments.second_opinions)).items():
        plan, own = plans[name], beside.histories.get(name) or History(plans[name])
        job = joined(job_of(found, plan, own), waits := job_of(waiting, plan, own))
        doubt, certain = _share_in_doubt(history, beside.review_below), waits.requests
        shares = (doubt.low, doubt.expected, doubt.high)
        rows = Range(*(times * (certain + share * all_rows) for share in shares))
        jobs.append(_job(plan.arm, plan, job, rows, own, prices))
    return jobs


def opinion(plan: Plan) -> str:
    """The key of a plan for low-confidence rows."""
    return f"{plan.arm} {plan.question.model}"


def _job(arm: str, plan: Plan, job: Job, rows: Range, history: History, prices: PriceBook) -> ArmJob:
    model = plan.question.model
    return ArmJob(
        arm, model, job, rows, prices.price(model, service_tier=plan.shape.service_tier), history.conduct(job)
    )


def _share_in_doubt(history: History, review_below: float) -> Range:
    """Share of the rows (0..1) answered with a lower confidence.

    Models are rarely unsure, but the share is unknown until some rows are answered; the cube of the threshold gives an
    eighth at 0.5 and everything at 1.
    """
    if not history.is_enough:
        return Range(0.0, review_below**3, 1.0 if review_below else 0.0)
    share = history.in_doubt / history.rows
    off = _DEVIATIONS * sqrt(max(share * (1 - share), 1 / history.rows) / history.rows)
    return Range(max(share - off, 0.0), share, min(share + off, 1.0))
