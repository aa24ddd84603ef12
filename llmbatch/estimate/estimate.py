"""Estimates what a run would cost and how long it would take, without sending or writing anything."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import CANARY, CONTROL, LedgerLine, as_written
from llmbatch.core.prices import PriceBook
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Rejection, Row
from llmbatch.core.service_tiers import BATCH
from llmbatch.engine.experiments.escalation import Escalation
from llmbatch.engine.experiments.jury import Jury
from llmbatch.engine.experiments.watch import ExperimentPlan, of_doubtful
from llmbatch.engine.packing.plans import can_be_packed, check_can_be_packed
from llmbatch.engine.plan import Plan, review_threshold
from llmbatch.engine.sending import Sending
from llmbatch.estimate.answers import answer_tokens
from llmbatch.estimate.arm_jobs import Beside, arm_jobs, opinion
from llmbatch.estimate.arms import ArmEstimate, ArmJob, arm_estimate, together
from llmbatch.estimate.cost import Job, Range
from llmbatch.estimate.embeddings import embedding_look
from llmbatch.estimate.input_scan import History, Survey, survey
from llmbatch.estimate.packs import USUAL_ROWS, with_packs
from llmbatch.estimate.result import Estimate, ModelEstimate
from llmbatch.estimate.time import Speed, time_needed
from llmbatch.estimate.ways import way_estimates
from llmbatch.observe.events import ArmEstimated, RunEstimated
from llmbatch.runs.calibrations import confidence_for
from llmbatch.runs.decided_examples import with_decided
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.experiment_plan import plan_experiments
from llmbatch.runs.folder import STDIN, RunFolder, RunRecord, load_record
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.options import RunOptions
from llmbatch.runs.ownership import check_answers, check_inputs
from llmbatch.runs.packing_trials import with_allowed_packing
from llmbatch.runs.planning import decided_labels, plan_run
from llmbatch.task.label_thresholds import review_rule
from llmbatch.task.load import LoadedTask, load_task
from llmbatch.tokens import count_tokens

_SAMPLE_BYTES = 4_000_000
"""Size of the texts whose tokens are counted unless all are requested; takes a second or two."""
_ENOUGH_REQUESTS = 30
_QUICK_S = 0.25
"""How long a run's first request may wait for the estimate."""
# Measured with o200k_base: 4.6 bytes a token on AG News, 3.5 to 8.2 in nineteen of SIB-200's languages (Amharic: 1.5).
_BYTES_A_TOKEN, _GUESS_MARGIN = 4, 0.5


@dataclass(frozen=True, slots=True)
class EstimateOptions:
    """A run, and how to estimate it."""

    run: RunOptions
    models: tuple[str, ...] = ()
    """Models to compare; none for the run's own model."""
    exact: bool = False
    """Count every document's tokens."""


def estimate_run(options: EstimateOptions) -> Estimate:
    """Estimate what `classify_run` would do with these options.

    Raises:
        UsageError: the input, the task or an option cannot be used.
    """
    run = options.run
    loaded = load_task(run.task)
    folder = RunFolder.for_inputs(run.inputs, run.out, offline=run.sending.offline)
    standing = load_record(folder) if folder.run_json.exists() else None
    check_answers(folder, standing, offline=run.sending.offline)
    base_url = None if run.sending.offline else run.sending.base_url
    prices = PriceBook(base_url, run.sending.price)
    with ExitStack() as stack:
        source = stack.enter_context(RunInput.only_once(run.inputs, run.reading))
        if standing is not None:
            source.take_fields_of(standing)
        is_chosen, query = run.out is not None, run.reading.query
        check_inputs(folder, standing, run.inputs, source.names, query=query, is_chosen=is_chosen)
        log = stack.enter_context(closing(DecisionLog(folder.decisions)))
        loaded = with_decided(loaded, run.choice, source, log, run.decisions)
        run, labels = decided_labels(loaded, run, base_url, standing)
        plans = [
            plan_run(loaded, replace(run, choice=replace(run.choice, model=model)), base_url, source, standing)
            for model in options.models or (run.choice.model,)
        ]
        if run.sending.packing is not None:
            for plan in plans:
                check_can_be_packed(plan)
        if run.shard is not None:
            folder = folder.shard(run.shard)
            source.restrict(run.shard, plans[0].key)
        asked = [_Asked.by(loaded, run, plan) for plan in plans]
        ledger = _opened(stack, folder, standing, asked)
        is_done = (lambda _: False) if ledger is None else ledger.is_done
        is_settled = TaskDecisions(log, loaded.task.label_space).settles
        most_bytes = None if options.exact else _SAMPLE_BYTES
        looks = [
            _Look(each.plan, each.plan, is_done, is_settled, each.beside(ledger), count_tokens, most_bytes=most_bytes)
            for each in asked
        ]
        survey(source.rows(lambda _: None), [part for look in looks for part in look.surveys])
    sendings = (with_allowed_packing(run, plan)[0].sending for plan in plans)
    estimates = [look.estimate(one, prices, standing) for look, one in zip(looks, sendings, strict=True)]
    why = None if labels is None else labels.why
    return Estimate(str(folder.path), loaded.task.name, tuple(estimates), why)


def dear_run(run: RunOptions, above_nanousd: int) -> ModelEstimate | None:
    """The estimate of a run that may cost more than this, or None if it will not.

    Raises:
        UsageError: the cost is unknown, or the run's options cannot be used.
    """
    if STDIN in run.inputs:
        raise UsageError(
            "--confirm-above cannot be enforced: the size of standard input is not known in advance",
            hint="write it to a file first, or limit the cost with --max-cost",
        )
    (estimate,) = estimate_run(EstimateOptions(run)).models
    return above(estimate, above_nanousd)


def dear_runs(runs: Sequence[RunOptions], above_nanousd: int) -> ModelEstimate | None:
    """The combined estimate of several runs that may cost more than this, or None if they will not.

    Raises:
        UsageError: the cost is unknown, or a run's options cannot be used.
    """
    estimates = [estimate_run(EstimateOptions(run)).models[0] for run in runs]
    arms = tuple(arm for estimate in estimates for arm in estimate.arms)
    rows = replace(estimates[0].rows, to_ask=sum(estimate.rows.to_ask for estimate in estimates))
    return above(replace(estimates[0], rows=rows, cost=together(arms), arms=arms), above_nanousd)


def above(estimate: ModelEstimate, limit_nanousd: int) -> ModelEstimate | None:
    """The estimate if it may cost more than this, else None.

    Raises:
        UsageError: a price is unknown.
    """
    if estimate.cost is None:
        raise UsageError(
            f"--confirm-above cannot be enforced: the price of {estimate.unpriced} is unknown",
            hint="give it with --price INPUT,CACHED,OUTPUT, in USD per million tokens",
        )
    return estimate if estimate.cost.high > limit_nanousd else None


def counted_estimate(
    plan: Plan,
    asked: Plan,
    rows: Iterable[Row | Rejection],
    is_done: Callable[[str], bool],
    is_settled: Callable[[str], bool],
    *,
    sending: Sending,
    prices: PriceBook,
    standing: RunRecord,
) -> ModelEstimate:
    """The cost of sending some of a run's rows, with tokens counted. Takes the arguments of `quick_estimate`."""
    look = _Look(plan, asked, is_done, is_settled, Beside(), count_tokens, most_bytes=_SAMPLE_BYTES)
    survey(rows, look.surveys)
    return look.estimate(sending, prices, standing)


def quick_estimate(
    plan: Plan,
    asked: Plan,
    rows: Iterable[Row | Rejection],
    is_done: Callable[[str], bool],
    is_settled: Callable[[str], bool],
    beside: Beside,
    *,
    sending: Sending,
    prices: PriceBook,
    standing: RunRecord,
    within_s: float | None = _QUICK_S,
) -> RunEstimated:
    """A quick rough estimate of a run: tokens are guessed from bytes.

    Args:
        plan: the run's plan, which gives the rows their keys.
        asked: the plan by which rows are sent.
        rows: the input; only the first rows of a large one are read.
        is_done: whether a key already has an answer.
        is_settled: whether people have labelled a text.
        beside: the arms besides the main one.
        sending: the user's limits.
        prices: where the model's price is found.
        standing: the run folder's record, if any.
        within_s: stop after so many seconds; None for no limit.
    """
    look = _Look(plan, asked, is_done, is_settled, beside, _guessed_tokens, most_bytes=None, margin=_GUESS_MARGIN)
    is_whole = survey(rows, look.surveys, within_s=within_s)
    estimate = look.estimate(sending, prices, standing, is_whole=is_whole)
    cost = estimate.cost
    return RunEstimated(
        model=estimate.unpriced or estimate.model,
        rows=estimate.rows.to_ask,
        done=estimate.rows.done,
        is_whole=is_whole,
        cost_nanousd=None if cost is None else cost.expected,
        low_nanousd=None if cost is None else cost.low,
        high_nanousd=None if cost is None else cost.high,
        seconds=estimate.time.seconds if is_whole else None,
        arms=tuple(_estimated_arm(arm) for arm in estimate.arms),
    )


def _estimated_arm(arm: ArmEstimate) -> ArmEstimated:
    cost = arm.cost
    return ArmEstimated(
        arm.arm,
        arm.model,
        low_rows=round(arm.rows.low),
        high_rows=ceil(arm.rows.high),
        low_nanousd=None if cost is None else cost.low,
        high_nanousd=None if cost is None else cost.high,
    )


def _guessed_tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A plan and the other arms, with what the run folder's ledger shows about them."""

    plan: Plan
    experiments: ExperimentPlan
    review: ReviewRule
    histories: Mapping[str, History]
    doubtful: Escalation | Jury | None

    @classmethod
    def by(cls, loaded: LoadedTask, run: RunOptions, plan: Plan) -> "_Asked":
        experiments = plan_experiments(loaded, replace(run, baseline=None), plan)
        thresholds = confidence_for(plan, run.task, run.calibration).thresholds
        below = review_threshold(loaded.task, run.review_below)
        review = review_rule(below, thresholds, loaded.task.label_space, offline=plan.offline)
        opinions = {opinion(one): one for one in experiments.second_opinions}
        arms = {CONTROL: plan, CANARY: experiments.canary, **opinions}
        histories = {arm: History(asked, review) for arm, asked in arms.items() if asked is not None}
        doubtful = of_doubtful(experiments.escalation, experiments.jury, review)
        return cls(plan, experiments, review, histories, doubtful)

    def add(self, line: LedgerLine) -> None:
        for history in self.histories.values():
            history.add(line)
        if self.doubtful is not None:
            self.doubtful.watch(line)

    def beside(self, ledger: Ledger | None) -> Beside:
        def is_waiting(key: str) -> bool:
            if ledger is None or self.doubtful is None or not ledger.is_done(key):
                return False
            return self.doubtful.takes(ledger.latest(key))

        return Beside(self.experiments, self.review.below, is_waiting, self.histories)


class _Look:
    """A scan of the input: which rows each arm would get, and the resulting estimate."""

    def __init__(
        self,
        plan: Plan,
        asked: Plan,
        is_done: Callable[[str], bool],
        is_settled: Callable[[str], bool],
        beside: Beside,
        count: Callable[[str], int],
        *,
        most_bytes: int | None,
        margin: float | None = None,
    ) -> None:
        """`margin`: share by which document tokens may be off; None if they are counted."""
        waits = beside.is_waiting
        self._count = count
        self._margin = margin
        self._beside = beside
        survey_of = partial(Survey, plan, is_settled=is_settled, most_bytes=most_bytes)

        def is_skipped(key: str) -> bool:
            return is_done(key) or waits(key)

        self._found = survey_of(is_skipped, asked=asked, count=count)
        self._waiting = survey_of(lambda key: not waits(key), asked=asked, count=count)
        self._embedding = embedding_look(
            asked, count, lambda plan, count: survey_of(is_skipped, asked=plan, count=count)
        )

    @property
    def surveys(self) -> list[Survey]:
        """The surveys that must see the input's rows."""
        waiting = [self._waiting] if self._beside.experiments.second_opinions else []
        return [self._found, *waiting, *([] if self._embedding is None else [self._embedding.survey])]

    def estimate(
        self, sending: Sending, prices: PriceBook, standing: RunRecord | None, *, is_whole: bool = True
    ) -> ModelEstimate:
        """The estimate for the rows seen; without costs that do not grow with the rows, unless these are all."""
        plan = self._found.asked
        history = self._beside.histories.get(CONTROL) or History(plan)
        jobs = arm_jobs(self._found, self._waiting, self._beside, prices=prices, job_of=self._job)
        if sending.packing is not None:
            jobs = [self._packed(one, sending.packing.rows) for one in jobs]
        embedding = [] if self._embedding is None else [self._embedding.job(prices, with_labels=is_whole)]
        arms, job = tuple(map(arm_estimate, (*jobs, *embedding))), jobs[0].job
        sent = job.as_sent
        time = time_needed(
            sent.requests,
            job.input_tokens + sent.requests * plan.shape.max_output_tokens,
            Speed(sending.limits.requests_per_s, sending.limits.tokens_per_s, sending.concurrency),
            _earlier_speed(plan, history, standing),
        )
        model = plan.question.model
        packed = None
        if sending.packing is None and can_be_packed(plan):
            packed = with_packs(job, plan, USUAL_ROWS)
        ways = way_estimates(model, job, jobs[0].known, prices, time, packed=packed) if len(jobs) == 1 else ()
        if plan.candidates is not None:  # a batch cannot ask again if none of the listed labels fits
            ways = tuple(way for way in ways if way.way != BATCH)
        return ModelEstimate(
            model=plan.question.model,
            rows=self._found.rows,
            job=job,
            cost=together(arms),
            time=time,
            known_rows=history.rows if history.is_enough else 0,
            service_tier=(tier := plan.shape.service_tier),
            is_tier_priced=tier is None or prices.has_tier(plan.question.model, tier),
            arms=arms,
            ways=ways,
        )

    def _packed(self, asked: ArmJob, rows: int) -> ArmJob:
        """The job of an arm whose rows share requests; second opinions are sent one by one."""
        plans = {CONTROL: self._found.asked, CANARY: self._beside.experiments.canary}
        plan = plans.get(asked.arm)
        return asked if plan is None else replace(asked, job=with_packs(asked.job, plan, rows))

    def _job(self, found: Survey, plan: Plan, history: History) -> Job:
        assumed = answer_tokens(
            plan.question.schema,
            ceiling=plan.shape.max_output_tokens,
            effort=plan.shape.reasoning_effort,
            count=self._count,
        )
        levels = max(len(plan.levels), 1)
        all_levels = Range(levels * assumed.low, levels * assumed.expected, levels * assumed.high)
        job = found.job(plan, history.known(all_levels))
        if self._margin is None:
            return job
        return replace(job, documents=replace(job.documents, margin=job.documents.tokens * self._margin))


def _opened(stack: ExitStack, folder: RunFolder, standing: RunRecord | None, asked: list[_Asked]) -> Ledger | None:
    """Open a run folder's ledger and read all its lines; None if there is none yet."""
    if not folder.ledger.exists():
        return None

    def note(_: int, line: LedgerLine) -> None:
        for each in asked:
            each.add(line)

    reread = as_written if standing is None else standing.reread
    ledger = Ledger.open_to_read(folder.ledger, on_line=note, reread=reread)
    stack.callback(ledger.close)
    return ledger


def _earlier_speed(plan: Plan, history: History, standing: RunRecord | None) -> Speed:
    if standing is None or standing.model != plan.question.model:
        return Speed()
    session = (standing.totals or {}).get("session", {})
    requests, elapsed_s = session.get("requests", 0), session.get("elapsed_s", 0.0)
    return Speed(
        requests_per_s=standing.limits.requests_per_s,
        tokens_per_s=standing.limits.tokens_per_s,
        answer_s=history.answer_s,
        measured_per_s=requests / elapsed_s if requests >= _ENOUGH_REQUESTS and elapsed_s else None,
    )
