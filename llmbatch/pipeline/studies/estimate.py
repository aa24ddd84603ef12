"""What a run would cost, and how long it would take: nothing is sent, and nothing is written."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from llmbatch.decisions import DecisionLog, TaskDecisions
from llmbatch.errors import UsageError
from llmbatch.estimate.answers import answer_tokens
from llmbatch.estimate.cost import Job, Range, cost_of
from llmbatch.estimate.result import Estimate, ModelEstimate
from llmbatch.estimate.time import Speed, time_needed
from llmbatch.events import RunEstimated
from llmbatch.ledger.line import LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.pipeline.folder import STDIN, RunFolder, RunRecord, load_record
from llmbatch.pipeline.input import RunInput
from llmbatch.pipeline.options import RunOptions, Sending
from llmbatch.pipeline.ownership import check_answers, check_inputs
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.planning import plan_run
from llmbatch.pipeline.studies.survey import History, Survey, survey
from llmbatch.prices import PriceBook
from llmbatch.rows import Rejection, Row
from llmbatch.task.load import load_task
from llmbatch.tokens import count_tokens

_SAMPLE_BYTES = 4_000_000
"""Texts whose tokens are counted, unless all are asked for: a second or two."""
_ENOUGH_REQUESTS = 30
_QUICK_S = 0.25
"""What the first request of a run may wait for its estimate."""
# Measured with o200k_base: 4.6 bytes a token on AG News, 3.5 to 8.2 in nineteen of SIB-200's languages (Amharic: 1.5).
_BYTES_A_TOKEN, _GUESS_MARGIN = 4, 0.5


@dataclass(frozen=True, slots=True)
class EstimateOptions:
    """A run, and how it is to be estimated."""

    run: RunOptions
    models: tuple[str, ...] = ()
    """Side by side; none for the one that the run would ask."""
    exact: bool = False
    """Count every document's tokens."""


def estimate_run(options: EstimateOptions) -> Estimate:
    """What `classify_run` with these options would come to.

    Raises:
        UsageError: the input, the task or an option cannot be used.
    """
    run = options.run
    loaded = load_task(run.task)
    folder = RunFolder.for_inputs(run.inputs, run.out, offline=run.sending.offline)
    standing = load_record(folder) if folder.run_json.exists() else None
    check_answers(folder, standing, offline=run.sending.offline)
    source = RunInput.only_once(run.inputs, run.reading)
    check_inputs(folder, standing, run.inputs, source.names, is_chosen=run.out is not None)
    base_url = None if run.sending.offline else run.sending.base_url
    plans = [
        plan_run(loaded, replace(run, choice=replace(run.choice, model=model)), base_url, source, standing)
        for model in options.models or (run.choice.model,)
    ]
    histories = [History(plan) for plan in plans]
    with ExitStack() as stack:
        is_done = _answered_keys(stack, folder, histories)
        log = stack.enter_context(closing(DecisionLog(folder.decisions)))
        is_settled = TaskDecisions(log, loaded.task.label_names).settles
        most_bytes = None if options.exact else _SAMPLE_BYTES
        surveys = [Survey(plan, is_done, is_settled=is_settled, most_bytes=most_bytes) for plan in plans]
        survey(source.rows(lambda _: None), surveys)
    prices = PriceBook(base_url, run.sending.price)
    estimates = (
        _estimated(
            found, found.job(_answer(found.asked, history, count_tokens)), history, run.sending, prices, standing
        )
        for found, history in zip(surveys, histories, strict=True)
    )
    return Estimate(str(folder.path), loaded.task.name, tuple(estimates))


def dear_run(run: RunOptions, above_nusd: int) -> ModelEstimate | None:
    """The estimate of a run that may cost more than this, or None where it will not.

    Raises:
        UsageError: that cannot be told, or the run's options cannot be used.
    """
    if STDIN in run.inputs:
        raise UsageError(
            "--confirm-above cannot hold: what standard input will bring is not known beforehand",
            hint="write it to a file first, or limit the cost with --max-cost",
        )
    (estimate,) = estimate_run(EstimateOptions(run)).models
    if estimate.cost is None:
        raise UsageError(
            f"--confirm-above cannot hold: the price of {estimate.model} is not known",
            hint="give it with --price INPUT,CACHED,OUTPUT, in USD per million tokens",
        )
    return estimate if estimate.cost.high > above_nusd else None


def quick_estimate(
    plan: Plan,
    asked: Plan,
    rows: Iterable[Row | Rejection],
    is_done: Callable[[str], bool],
    is_settled: Callable[[str], bool],
    *,
    sending: Sending,
    prices: PriceBook,
    standing: RunRecord,
    within_s: float | None = _QUICK_S,
) -> RunEstimated:
    """A first idea of what a run will cost, in a moment: tokens are guessed from bytes.

    Args:
        plan: the run's, which gives the rows their keys.
        asked: the one that is asked.
        rows: the input; of a big one, only its first rows are looked at.
        is_done: whether a key has an answer already.
        is_settled: whether people have given a text its label.
        sending: the user's limits.
        prices: where the model's price is found.
        standing: what the run's folder records.
        within_s: stop after so many seconds; None goes to the end.
    """
    found = Survey(plan, is_done, is_settled=is_settled, asked=asked, count=_guessed_tokens, most_bytes=None)
    is_whole = survey(rows, [found], within_s=within_s)
    history = History(asked)
    job = found.job(_answer(asked, history, _guessed_tokens))
    documents = replace(job.documents, margin=job.documents.tokens * _GUESS_MARGIN)
    estimate = _estimated(found, replace(job, documents=documents), history, sending, prices, standing)
    cost = estimate.cost
    return RunEstimated(
        model=estimate.model,
        rows=estimate.rows.to_ask,
        is_whole=is_whole,
        cost_nusd=None if cost is None else cost.expected,
        low_nusd=None if cost is None else cost.low,
        high_nusd=None if cost is None else cost.high,
        seconds=estimate.time.seconds if is_whole else None,
    )


def _guessed_tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


def _answer(plan: Plan, history: History, count: Callable[[str], int]) -> Range:
    assumed = answer_tokens(
        plan.question.schema,
        ceiling=plan.shape.max_output_tokens,
        thinks=plan.shape.reasoning_effort not in (None, "none"),
        count=count,
    )
    return history.known(assumed)


def _estimated(
    found: Survey, job: Job, history: History, sending: Sending, prices: PriceBook, standing: RunRecord | None
) -> ModelEstimate:
    plan = found.asked
    model = plan.question.model
    price = prices.price(model)
    return ModelEstimate(
        model=model,
        rows=found.rows,
        job=job,
        cost=None if price is None else cost_of(job, price, repeats=history.repeats),
        time=time_needed(
            job.requests,
            job.input_tokens + job.requests * plan.shape.max_output_tokens,
            Speed(sending.limits.requests_per_s, sending.limits.tokens_per_s, sending.concurrency),
            _earlier_speed(plan, history, standing),
        ),
        known_rows=history.rows if history.is_enough else 0,
    )


def _answered_keys(stack: ExitStack, folder: RunFolder, histories: list[History]) -> Callable[[str], bool]:
    """Tells which keys a run folder has answers for; told of each line, the histories are."""
    if not folder.ledger.exists():
        return lambda _: False

    def note(_: int, line: LedgerLine) -> None:
        for history in histories:
            history.add(line)

    ledger = Ledger.open_to_read(folder.ledger, on_line=note)
    stack.callback(ledger.close)
    return ledger.is_done


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
